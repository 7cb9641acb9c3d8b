"""Reads what Alertmanager posts, tolerantly: what can be read is, the rest is named.

The form is version 4 of Alertmanager's webhook (docs: alerting/configuration, webhook_config);
fields of older and newer versions may be missing or extra.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from responder.alert import Alert, AlertStatus, Delivery

LONGEST_NAME = 256
LONGEST_VALUE = 8192
_MOST_LABELS = 256
_MOST_PROBLEMS = 20
_LATEST_AHEAD_SECONDS = 3600


class UnreadableError(Exception):
    """A body cannot be read at all; the text says why and holds nothing of the body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A delivery as far as it could be read, and what could not."""

    delivery: Delivery
    problems: tuple[str, ...]


def read_delivery(body: bytes, received_at: float) -> Reading:
    """Read a post of Alertmanager; times that make no sense become *received_at*.

    Raises UnreadableError where there is no list of alerts in it.
    """
    document = document_of(body)
    alerts = document.get("alerts")
    if not isinstance(alerts, list):
        raise UnreadableError("no list of alerts")
    read: list[Alert] = []
    problems: list[str] = []
    for index, each in enumerate(alerts):
        try:
            read.append(_alert(each, received_at))
        except UnreadableError as error:
            problems.append(f"alerts[{index}]: {error}")
    if len(problems) > _MOST_PROBLEMS:
        problems = [*problems[:_MOST_PROBLEMS], f"and {len(problems) - _MOST_PROBLEMS} more"]
    delivery = Delivery(
        group_key=text_of(document.get("groupKey"), LONGEST_VALUE),
        receiver=text_of(document.get("receiver"), LONGEST_NAME),
        external_url=text_of(document.get("externalURL"), LONGEST_VALUE),
        truncated=_count(document.get("truncatedAlerts")),
        alerts=tuple(read),
    )
    return Reading(delivery=delivery, problems=tuple(problems))


def document_of(body: bytes) -> Mapping[str, Any]:
    """Read a body as a JSON object, tolerantly; raises UnreadableError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _second_reading(body)
    if not isinstance(found, Mapping):
        raise UnreadableError("not a JSON object")
    return found


def _second_reading(body: bytes) -> Any:
    """Read what orjson is too strict for: NaN, broken UTF-8, lone surrogates."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None


def _alert(raw: Any, received_at: float) -> Alert:
    if not isinstance(raw, Mapping):
        raise UnreadableError("not an object")
    if not isinstance(raw.get("labels"), Mapping):
        raise UnreadableError("no labels")
    labels = _strings(raw["labels"])
    ends_at = _end(raw, received_at)
    return Alert(
        fingerprint=text_of(raw.get("fingerprint"), LONGEST_NAME) or fingerprint(labels),
        status=AlertStatus.FIRING if ends_at is None else AlertStatus.RESOLVED,
        labels=labels,
        annotations=_strings(raw.get("annotations")),
        starts_at=plausible(moment_of(raw.get("startsAt")), received_at),
        ends_at=ends_at,
        generator_url=text_of(raw.get("generatorURL"), LONGEST_VALUE),
    )


def _end(raw: Mapping[str, Any], received_at: float) -> float | None:
    """Give when the alert ended, None while it fires; the status counts for more than the time."""
    ends_at = moment_of(raw.get("endsAt"))
    is_over = ends_at is not None and ends_at <= received_at
    status = raw.get("status")
    if status == AlertStatus.FIRING or (status != AlertStatus.RESOLVED and not is_over):
        return None
    return min(plausible(ends_at, received_at), received_at)


def fingerprint(labels: Mapping[str, str]) -> str:
    """Give a fingerprint of our own for an alert that came without one."""
    return hashlib.sha256(orjson.dumps(sorted(labels.items()))).hexdigest()[:16]


def _strings(raw: Any) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        return {}
    kept = list(raw.items())[:_MOST_LABELS]
    named = ((text_of(name, LONGEST_NAME), text_of(value, LONGEST_VALUE)) for name, value in kept)
    return {name: value for name, value in named if name}


def text_of(raw: Any, limit: int) -> str:
    """Give a value as text that every database stores: no NUL, no lone surrogates, capped."""
    if raw is None or isinstance(raw, Mapping | list):
        return ""
    text = raw if isinstance(raw, str) else str(raw)
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode()


def _count(raw: Any) -> int:
    is_count = isinstance(raw, int) and not isinstance(raw, bool)
    return min(max(raw, 0), 2**31 - 1) if is_count else 0


def moment_of(raw: Any) -> float | None:
    """Read RFC 3339 or seconds since the epoch; None for what is neither, and for year 1."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return _finite(raw)
    if not isinstance(raw, str) or len(raw) > LONGEST_NAME:
        return None
    try:
        moment = datetime.fromisoformat(raw)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.timestamp() if aware.year > 1 else None
    except (ValueError, OverflowError):
        return None


def _finite(raw: float) -> float | None:
    try:
        return float(raw) if math.isfinite(raw) else None
    except OverflowError:
        return None


def plausible(at: float | None, received_at: float) -> float:
    """Give a time, or when it was received where it makes no sense."""
    if at is None or not 0 < at <= received_at + _LATEST_AHEAD_SECONDS:
        return received_at
    return at
