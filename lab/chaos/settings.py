"""The configuration that a scene's programs are started with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, Any]

DEAD_ADDRESS = "http://127.0.0.1:9"
"""Nobody listens on the discard port: evidence from there has failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """Alertmanager's waits, in seconds."""

    group: float = 0.1
    interval: float = 1.0
    repeat: float = 600.0


def alertmanager(webhook: str, waits: Waits, group_by: Sequence[str]) -> Settings:
    """Give an Alertmanager configuration that sends everything to *webhook*."""
    critical = {"matchers": ['severity="critical"'], "group_wait": "50ms", "receiver": "responder"}
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": "responder",
            "group_by": list(group_by),
            "group_wait": _milliseconds(waits.group),
            "group_interval": _milliseconds(waits.interval),
            "repeat_interval": _milliseconds(waits.repeat),
            "routes": [critical],
        },
        "receivers": [
            {
                "name": "responder",
                "webhook_configs": [{"url": webhook, "send_resolved": True, "max_alerts": 0}],
            }
        ],
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a replica's configuration refers to."""

    name: str
    database: str
    ends: str
    alertmanagers: Sequence[str]
    token_file: str
    key_file: str
    analyst: str = "stand-in"
    more: Mapping[str, Any] = field(default_factory=dict)


def responder(around: Surroundings) -> Settings:
    """Give a replica's configuration; `around.more` is laid over it, key by key."""
    settings: Settings = {
        "database": around.database,
        "external_url": "http://responder.invalid",
        "incidents": {"join_within": "10s", "quiet": "500ms", "occurrence_within": "1h"},
        "sources": [
            *({"kind": "alertmanager", "url": url} for url in around.alertmanagers),
            {"kind": "exporter", "url": f"{around.ends}/evidence/{around.name}"},
            {"kind": "exporter", "url": DEAD_ADDRESS},
        ],
        "channels": [
            {
                "kind": "webhook",
                "name": "sink",
                "url": f"{around.ends}/reports",
                "bearer": {"file": around.token_file},
            }
        ],
        "analyst": _analyst(around),
    }
    for key, value in around.more.items():
        there = settings.get(key)
        both = isinstance(there, dict) and isinstance(value, dict)
        settings[key] = there | value if both else value
    return settings


def _analyst(around: Surroundings) -> Settings:
    if around.analyst == "embedded":
        return {"kind": "embedded"}
    return {
        "kind": "mistral",
        "model": "mistral-small-latest",
        "server_url": f"{around.ends}/model/{around.name}",
        "api_key": {"file": around.key_file},
        "deadline": "8s",
    }


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
