"""The contrast that the gathered window cannot show: the same hour of other days.

What a suspect does each day, or each week, at this time is no cause of what is new.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from responder.investigation.disproof import MOST_SUSPECTS, Disproof
from responder.investigation.evidence import (
    Evidence,
    Quantity,
    Recalled,
    Status,
    Suspect,
    Window,
)
from responder.investigation.movement import Movement
from responder.investigation.picture import Picture
from responder.investigation.vocabulary import Role
from responder.investigation.wording import DAY, amount

BACKS: tuple[tuple[str, float], ...] = (("a day before", DAY), ("a week before", 7 * DAY))
QUESTION = "is it otherwise at this time of other days?"
# Roles whose column is what the query gives, not what is made of several series of it.
_ROLES = (
    Role.LATENCY,
    Role.UPSTREAM_LATENCY,
    Role.FIRST_TOKEN,
    Role.TOKEN_GAP,
    Role.QUEUE,
    Role.QUEUE_TIME,
    Role.IN_FLIGHT,
    Role.RUNNING,
)
_LEAST_SAMPLES = 4
# Of the way from before to now: as far as this on another day is the same movement.
_SAME_SHARE = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """What is asked of another time: a suspect's own movement, by the query that showed it."""

    suspect: Suspect
    movement: Movement
    what: str
    query: str
    window: Window
    step_seconds: float


def contrasts(picture: Picture, suspects: Sequence[Suspect]) -> tuple[Contrast, ...]:
    """Choose what to ask of the first suspects: the movement that speaks loudest for each."""
    return tuple(_chosen(picture, suspects[:MOST_SUSPECTS]))


def _chosen(picture: Picture, suspects: Sequence[Suspect]) -> Iterator[Contrast]:
    by_id = {each.id: each for each in picture.evidence}
    for suspect in suspects:
        for movement in picture.of(suspect.component, *_ROLES):
            shown = by_id.get(movement.evidence)
            speaks = movement.evidence in suspect.supporting and movement.lively
            if speaks and shown is not None and shown.source == "prometheus":
                yield Contrast(
                    suspect=suspect,
                    movement=movement,
                    # The title as it was gathered: the component and the term, then the family.
                    what=shown.title.partition(" (")[0],
                    query=shown.query,
                    window=_since(picture, shown.window),
                    step_seconds=picture.step,
                )
                break


def _since(picture: Picture, window: Window) -> Window:
    """Look at the time since the onset, and at a few samples at the least."""
    least = _LEAST_SAMPLES * 2 * picture.step
    return Window(start=min(picture.onset.at, window.end - least), end=window.end)


def shifted(window: Window, back_seconds: float) -> Window:
    """Give the same window so long before."""
    return Window(start=window.start - back_seconds, end=window.end - back_seconds)


def judged(
    contrast: Contrast, told: Sequence[Recalled], evidence_id: str
) -> tuple[Disproof, Evidence]:
    """Judge what the other days say, one answer for each of BACKS; they can only speak against."""
    medians = [_median(contrast, each) for each in told]
    known = [index for index, each in enumerate(medians) if each is not None]
    same = next((index for index in known if _is_same(contrast, medians[index])), None)
    shown = same if same is not None else next(iter(known), 0)
    evidence = _evidence(contrast, told[shown], medians[shown], shown, evidence_id)
    if not known:
        text = evidence.detail or "no data of other days"
        return _answer(contrast, held=None, evidence="", text=text), evidence
    return _answer(contrast, held=same is None, evidence=evidence_id, text=evidence.title), evidence


def _is_same(contrast: Contrast, median: float | None) -> bool:
    before, since = contrast.movement.before, contrast.movement.since
    if median is None or not math.isfinite(before) or not math.isfinite(since) or since == before:
        return False
    return (median - before) / (since - before) >= _SAME_SHARE


def _median(contrast: Contrast, told: Recalled) -> float | None:
    """Give the median of the suspect's own series; None where that is not told apart."""
    own = [values for labels, values in told.series if _is_own(contrast, labels)]
    if len(own) != 1:
        return None
    values = [each for each in own[0] if math.isfinite(each)]
    return statistics.median(values) if len(values) >= _LEAST_SAMPLES else None


def _is_own(contrast: Contrast, labels: Mapping[str, str]) -> bool:
    named = contrast.movement.component in labels.values()
    return named and contrast.movement.labels.items() <= labels.items()


def _evidence(
    contrast: Contrast, told: Recalled, median: float | None, index: int, evidence_id: str
) -> Evidence:
    movement, (when, back_seconds) = contrast.movement, BACKS[index]
    status = told.status if median is not None or told.status is not Status.OK else Status.EMPTY
    title = f"{contrast.what} at this time of other days"
    quantities: tuple[Quantity, ...] = ()
    if median is not None:
        then, since = (amount(each, movement.unit) for each in (median, movement.since))
        title = f"{contrast.what} was {then} at this time {when},"
        title += f" and is {since}"
        quantities = (
            Quantity(name=f"median {when}", value=median, unit=movement.unit),
            Quantity(name="since the onset", value=movement.since, unit=movement.unit),
        )
    return Evidence(
        id=evidence_id,
        source="prometheus",
        title=title[:200],
        query=contrast.query,
        window=shifted(contrast.window, back_seconds),
        status=status,
        component=movement.component,
        facts={"origin": "contrast", "metric": movement.name},
        quantities=quantities,
        detail=told.problem or ("" if median is not None else "no data of other days"),
        link=told.link if status is Status.OK else "",
        seconds=round(told.seconds, 4),
    )


def _answer(contrast: Contrast, *, held: bool | None, evidence: str, text: str) -> Disproof:
    return Disproof(
        suspect=contrast.suspect.component,
        kind=contrast.suspect.kind,
        question=QUESTION,
        held=held,
        evidence=evidence,
        text=text,
    )
