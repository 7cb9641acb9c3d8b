"""One round: every look at once, under one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from responder.guard import told
from responder.patrol.concern import Concern
from responder.patrol.judgement import Seen
from responder.patrol.look import Ground, Look, UnseenError

log = structlog.get_logger(__name__)

_FIRING = 'ALERTS{alertstate=~"firing|pending"}'
_LONGEST_PROBLEM = 200
_MOST_CONCERNS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What was seen, what could not be, with the reason, and what could be in part, by look."""

    seen: Seen
    unseen: Mapping[str, str]
    remarks: Mapping[str, tuple[str, ...]]


async def look_around(ground: Ground, chosen: Mapping[str, Look], deadline_seconds: float) -> View:
    """Take every look, each on ground of its own."""
    names = sorted(chosen)
    grounds = {name: replace(ground, measured={}, remarks=[]) for name in names}
    looks = asyncio.gather(
        *(_take(chosen[name], grounds[name], deadline_seconds) for name in names)
    )
    looked, firing = await asyncio.gather(looks, _firing(ground, deadline_seconds))
    found: dict[str, Concern] = {}
    blind: dict[str, str] = {}
    for name, result in zip(names, looked, strict=True):
        if isinstance(result, str):
            blind[name] = result
        else:
            found |= {each.key: each for each in result[:_MOST_CONCERNS]}
    if isinstance(firing, str):
        # Nobody knows what fires already: what is found is told, and nothing is raised twice.
        blind["alerts"] = firing
    labels = () if isinstance(firing, str) else tuple(firing)
    seen = Seen(
        at=ground.now,
        concerns=found,
        blind=frozenset(blind),
        firing=labels,
        measured={query: each for one in grounds.values() for query, each in one.measured.items()},
    )
    remarks = {name: tuple(each.remarks) for name, each in grounds.items() if each.remarks}
    return View(seen=seen, unseen=blind, remarks=remarks)


async def _take(one: Look, ground: Ground, deadline_seconds: float) -> Sequence[Concern] | str:
    try:
        async with asyncio.timeout(deadline_seconds):
            return await one(ground)
    except UnseenError as error:
        return told(error, _LONGEST_PROBLEM)
    except TimeoutError:
        return f"no answer within {deadline_seconds:g} s"
    except Exception as error:  # noqa: BLE001 - one look's fault is not the others'
        log.warning("a look failed", look=getattr(one, "__name__", ""), error=type(error).__name__)
        return f"a fault of ours ({type(error).__name__})"


async def _firing(ground: Ground, deadline_seconds: float) -> Sequence[Mapping[str, str]] | str:
    try:
        async with asyncio.timeout(deadline_seconds):
            return [series.labels for series in await ground.instant(_FIRING)]
    except UnseenError as error:
        return told(error, _LONGEST_PROBLEM)
    except TimeoutError:
        return f"no answer within {deadline_seconds:g} s"
