"""Reads what is posted to the two webhooks, tolerantly: what can be read is, the rest is named.

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

from responder.alert import Alert, AlertStatus, Change, Delivery

_LONGEST_NAME = 256
_LONGEST_VALUE = 8192
_MOST_LABELS = 256
_MOST_PROBLEMS = 20
_LATEST_AHEAD_SECONDS = 3600
_CHANGE_KINDS = ("deployment", "flag", "config", "other")


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
    document = _document(body)
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
        group_key=_text(document.get("groupKey"), _LONGEST_VALUE),
        receiver=_text(document.get("receiver"), _LONGEST_NAME),
        external_url=_text(document.get("externalURL"), _LONGEST_VALUE),
        truncated=_count(document.get("truncatedAlerts")),
        alerts=tuple(read),
    )
    return Reading(delivery=delivery, problems=tuple(problems))


def read_change(body: bytes, received_at: float) -> Change:
    """Read a post of the change webhook; a kind that is unknown becomes `other`.

    The same body gives the same id where it carries a time. Raises UnreadableError without a
    service.
    """
    document = _document(body)
    service = _text(document.get("service"), _LONGEST_NAME)
    if not service:
        raise UnreadableError("no service")
    kind = _text(document.get("kind"), _LONGEST_NAME)
    at = _time(document.get("time"))
    identity = hashlib.sha256(body if at is not None else body + repr(received_at).encode())
    return Change(
        id=identity.hexdigest()[:16],
        at=_plausible(at, received_at),
        service=service,
        kind=kind if kind in _CHANGE_KINDS else "other",
        title=_text(document.get("title"), _LONGEST_VALUE) or "(no title)",
        version=_text(document.get("version"), _LONGEST_NAME),
        author=_text(document.get("author"), _LONGEST_NAME),
        link=_text(document.get("link"), _LONGEST_VALUE),
    )


def _document(body: bytes) -> Mapping[str, Any]:
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
        fingerprint=_text(raw.get("fingerprint"), _LONGEST_NAME) or fingerprint(labels),
        status=AlertStatus.FIRING if ends_at is None else AlertStatus.RESOLVED,
        labels=labels,
        annotations=_strings(raw.get("annotations")),
        starts_at=_plausible(_time(raw.get("startsAt")), received_at),
        ends_at=ends_at,
        generator_url=_text(raw.get("generatorURL"), _LONGEST_VALUE),
    )


def _end(raw: Mapping[str, Any], received_at: float) -> float | None:
    """Give when the alert ended, None while it fires; the status counts for more than the time."""
    ends_at = _time(raw.get("endsAt"))
    is_over = ends_at is not None and ends_at <= received_at
    status = raw.get("status")
    if status == AlertStatus.FIRING or (status != AlertStatus.RESOLVED and not is_over):
        return None
    return min(_plausible(ends_at, received_at), received_at)


def fingerprint(labels: Mapping[str, str]) -> str:
    """Give a fingerprint of our own for an alert that came without one."""
    return hashlib.sha256(orjson.dumps(sorted(labels.items()))).hexdigest()[:16]


def _strings(raw: Any) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        return {}
    kept = list(raw.items())[:_MOST_LABELS]
    named = ((_text(name, _LONGEST_NAME), _text(value, _LONGEST_VALUE)) for name, value in kept)
    return {name: value for name, value in named if name}


def _text(raw: Any, limit: int) -> str:
    """Give a value as text that every database stores: no NUL, no lone surrogates, capped."""
    if raw is None or isinstance(raw, Mapping | list):
        return ""
    text = raw if isinstance(raw, str) else str(raw)
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode()


def _count(raw: Any) -> int:
    is_count = isinstance(raw, int) and not isinstance(raw, bool)
    return min(max(raw, 0), 2**31 - 1) if is_count else 0


def _time(raw: Any) -> float | None:
    """Read RFC 3339 or seconds since the epoch; None for what is neither, and for year 1."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return _finite(raw)
    if not isinstance(raw, str) or len(raw) > _LONGEST_NAME:
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


def _plausible(at: float | None, received_at: float) -> float:
    if at is None or not 0 < at <= received_at + _LATEST_AHEAD_SECONDS:
        return received_at
    return at
