"""Stores what was learnt late: through intake, as a post of its own kind, with its reason told."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from responder.alert import Alert
from responder.intake import Intake, OverloadedError
from responder.judgement import REASONS, Gap, Kind
from responder.store.deliveries import Raw
from responder.store.engine import StoreUnavailableError
from responder.webhook_v4 import read_delivery

log = structlog.get_logger(__name__)

_POST_KIND = "comparison"
_MOST_IN_A_POST = 200
_MOST_FAILED_KNOWN = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How many gaps of each kind were news, and how many failed that had not failed before."""

    taken: Mapping[Kind, int]
    failed: int


class Late:
    """Takes gaps into the store; `clock` is the time that they are seen at."""

    def __init__(self, intake: Intake, *, clock: Callable[[], float]) -> None:
        """Keep what it works with."""
        self._intake = intake
        self._clock = clock
        self._failed: set[tuple[object, ...]] = set()

    async def take(self, gaps: Sequence[Gap], receiver: str, group_key: str) -> Outcome:
        """Store gaps; one that fails is logged and put into quarantine once, the others go on.

        Raises OverloadedError and StoreUnavailableError.
        """
        taken: Counter[Kind] = Counter()
        failed = 0
        for part in self._parts(gaps):
            news, bad = await self._taken(part, receiver, group_key)
            taken[part[0].kind] += news
            failed += bad
        return Outcome(taken=+taken, failed=failed)

    def _parts(self, gaps: Sequence[Gap]) -> Iterator[Sequence[Gap]]:
        """Give posts of one kind each; what has failed before comes last, and by itself."""
        for kind in Kind:
            own = [each for each in gaps if each.kind is kind and _key(each) not in self._failed]
            for first in range(0, len(own), _MOST_IN_A_POST):
                yield own[first : first + _MOST_IN_A_POST]
        for each in gaps:
            if _key(each) in self._failed:
                yield [each]

    async def _taken(self, gaps: Sequence[Gap], receiver: str, group_key: str) -> tuple[int, int]:
        """Give how many were news, and how many failed; which do shows in ever smaller posts."""
        try:
            return await self._post(gaps[0].kind, gaps, receiver, group_key), 0
        except (OverloadedError, StoreUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 - whose fault it is: the others go on
            if len(gaps) == 1:
                return 0, await self._not_taken(gaps[0], receiver, group_key, error)
        half = len(gaps) // 2
        one = await self._taken(gaps[:half], receiver, group_key)
        other = await self._taken(gaps[half:], receiver, group_key)
        return one[0] + other[0], one[1] + other[1]

    async def _not_taken(self, gap: Gap, receiver: str, group_key: str, error: Exception) -> int:
        """Log a gap and keep it raw, to be read again; tell how many failed that were news."""
        if _key(gap) in self._failed:
            return 0
        # Not its text: that may quote what is stored.
        problem = f"could not be taken in ({type(error).__name__})"
        log.warning("gap not stored", kind=gap.kind.value, alert=gap.alert.name, problem=problem)
        try:
            body = _body(gap.kind, [gap], receiver, group_key)
            await self._intake.broken(_POST_KIND, body, problem)
        except (OverloadedError, StoreUnavailableError):
            raise
        except Exception as fault:  # noqa: BLE001 - as where it cannot be written as JSON
            log.warning("gap not kept", alert=gap.alert.name, problem=type(fault).__name__)
        if len(self._failed) >= _MOST_FAILED_KNOWN:
            self._failed.clear()
        self._failed.add(_key(gap))
        return 1

    async def _post(self, kind: Kind, gaps: Sequence[Gap], receiver: str, group_key: str) -> int:
        at = self._clock()
        body = _body(kind, gaps, receiver, group_key)
        raw = Raw(id=uuid.uuid4().hex, kind=_POST_KIND, received_at=at, body=body)
        delivery = read_delivery(body, at).delivery
        return (await self._intake.take_late(raw, delivery, REASONS[kind])).changed


def _key(gap: Gap) -> tuple[object, ...]:
    return gap.kind, gap.alert.fingerprint, gap.alert.starts_at


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
