"""Stores what was learnt late: through intake, as a post of its own kind, with its reason told."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from responder.alert import Alert
from responder.intake import Intake
from responder.judgement import REASONS, Gap, Kind
from responder.store.deliveries import Raw
from responder.webhook_v4 import read_delivery

_MOST_IN_A_POST = 200


class Late:
    """Takes gaps into the store; `clock` is the time that they are seen at."""

    def __init__(self, intake: Intake, *, clock: Callable[[], float]) -> None:
        """Keep what it works with."""
        self._intake = intake
        self._clock = clock

    async def take(self, gaps: Sequence[Gap], receiver: str, group_key: str) -> Mapping[Kind, int]:
        """Store gaps; give how many of each kind were news.

        Raises OverloadedError, StoreUnavailableError, and whatever our own code fails with.
        """
        taken: Counter[Kind] = Counter()
        for kind in Kind:
            own = [each for each in gaps if each.kind is kind]
            for first in range(0, len(own), _MOST_IN_A_POST):
                part = own[first : first + _MOST_IN_A_POST]
                taken[kind] += await self._post(kind, part, receiver, group_key)
        return +taken

    async def _post(self, kind: Kind, gaps: Sequence[Gap], receiver: str, group_key: str) -> int:
        at = self._clock()
        body = _body(kind, gaps, receiver, group_key)
        raw = Raw(id=uuid.uuid4().hex, kind="comparison", received_at=at, body=body)
        delivery = read_delivery(body, at).delivery
        return (await self._intake.take_late(raw, delivery, REASONS[kind])).changed


def _body(kind: Kind, gaps: Sequence[Gap], receiver: str, group_key: str) -> bytes:
    """Write a post of the webhook's form, so that it can be read again as all others can."""
    return orjson.dumps(
        {
            "version": "4",
            "receiver": receiver,
            "groupKey": group_key,
            "truncatedAlerts": 0,
            "comparison": {"kind": kind.value, "reason": REASONS[kind]},
            "alerts": [_entry(each.alert, each.entry) for each in gaps],
        }
    )


def _entry(alert: Alert, answered: Mapping[str, object]) -> Mapping[str, Any]:
    return {
        "status": alert.status.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _moment(alert.starts_at),
        "endsAt": None if alert.ends_at is None else _moment(alert.ends_at),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "answered": dict(answered),
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
