"""From the picture of an incident to its suspects: rules, then topology, then order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from responder.investigation import (
    kinds_cluster,
    kinds_gpu,
    kinds_native,
    kinds_probe,
    kinds_unread,
)
from responder.investigation.evidence import CauseKind, Point, Suspect
from responder.investigation.hypothesis import Hypothesis, moved, sentence, unique
from responder.investigation.picture import Picture
from responder.investigation.suspects import Ranking, rank
from responder.investigation.vocabulary import Role

MOST_SUSPECTS = 5
MOST_POINTS = 5
LEAST_SCORE = 0.1
CALLER_WEIGHT = 0.6
EXPLAINED_SHARE = 0.75
METRICS_SHARE = 0.2
AGREEMENT_BONUS = 0.04

_SINGLE: tuple[Callable[[Picture, str], Hypothesis | None], ...] = (
    kinds_native.crash,
    kinds_unread.unread,
    kinds_native.hung,
    kinds_native.overload,
    kinds_native.slowness,
    kinds_native.unseen_dependency,
    kinds_native.errors,
    kinds_native.refusals,
    kinds_probe.certificate,
    kinds_probe.state,
    kinds_probe.monitoring,
    kinds_probe.provider,
)
_SEVERAL: tuple[Callable[[Picture, str], Iterable[Hypothesis]], ...] = (
    kinds_probe.reasons,
    kinds_probe.rollout,
    kinds_cluster.endings,
    kinds_cluster.unstartable,
    kinds_cluster.rollout,
    kinds_gpu.faults,
)
# What a component can show merely because one that it calls is ill.
_SYMPTOMS = frozenset(
    {
        CauseKind.INTERNAL_ERROR,
        CauseKind.SLOW_ENGINE,
        CauseKind.DEPENDENCY,
        CauseKind.CAPACITY,
        CauseKind.NETWORK,
        CauseKind.TRAFFIC_SURGE,
        CauseKind.HUNG_ENGINE,
        CauseKind.CRASH,
        CauseKind.PROVIDER_OUTAGE,
    }
)


def suspects(picture: Picture) -> tuple[Suspect, ...]:
    """Return the suspects, the likeliest first; one of kind `unknown` when nothing speaks."""
    found = kinds_gpu.explained(picture, _merged(_hypotheses(picture)))
    found = [_placed(picture, each) for each in found]
    found = _explained(picture, found)
    rankings = _rankings(picture)
    most = max((each.score for each in rankings), default=0.0) or 1.0
    loud = {each.component: each.score / most for each in rankings}
    made = [_suspect(picture, each, loud.get(each.component, 0.0)) for each in found]
    made = [each for each in made if each.score >= LEAST_SCORE]
    made.sort(key=lambda each: (-each.score, each.component, each.kind.value))
    chosen = made[:MOST_SUSPECTS]
    return tuple(chosen) if chosen else (_unknown(picture, rankings),)


def _hypotheses(picture: Picture) -> list[Hypothesis]:
    found: list[Hypothesis] = []
    for component in sorted(
        {*picture.components, *kinds_cluster.told(picture), *kinds_gpu.told(picture)}
    ):
        single = (rule(picture, component) for rule in _SINGLE)
        found += [each for each in single if each is not None]
        for several in _SEVERAL:
            found += several(picture, component)
    return found


def _merged(found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Put together what several rules say of one component and kind: they agree."""
    groups: dict[tuple[str, CauseKind], list[Hypothesis]] = {}
    for each in found:
        groups.setdefault((each.component, each.kind), []).append(each)
    merged = []
    for members in groups.values():
        members.sort(key=lambda each: -each.strength)
        points = unique([point for each in members for point in each.points])
        times = [each.moved_at for each in members if each.moved_at is not None]
        strongest = members[0]
        bonus = AGREEMENT_BONUS * (len(members) - 1)
        merged.append(
            Hypothesis(
                component=strongest.component,
                kind=strongest.kind,
                strength=min(0.99, strongest.strength + bonus),
                points=points[:MOST_POINTS],
                moved_at=min(times, default=None),
                local=any(each.local for each in members),
            )
        )
    return merged


def _placed(picture: Picture, hypothesis: Hypothesis) -> Hypothesis:
    """Weigh a hypothesis by where its component is, seen from the symptom."""
    component = hypothesis.component
    if component == picture.symptom or component in picture.callees(picture.symptom):
        return hypothesis
    if component in picture.callers(picture.symptom):
        # A caller cannot harm what it calls but by calling it; it can harm its users' path to it.
        definite = hypothesis.kind is CauseKind.CRASH
        return hypothesis.weighed(0.9 if definite else CALLER_WEIGHT)
    return hypothesis.weighed(0.3 if picture.calls else CALLER_WEIGHT)


def _explained(picture: Picture, found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Discount a caller's symptoms by the best explanation among those that it calls."""
    explained = []
    for each in found:
        callees = picture.callees(each.component)
        share = max(
            (
                other.strength
                for other in found
                if other.component in callees and other.local and _in_time(picture, other, each)
            ),
            default=0.0,
        )
        symptom = each.kind in _SYMPTOMS and share >= 0.3
        definite = each.kind is CauseKind.CRASH and each.local
        discounted = symptom and not definite
        explained.append(each.weighed(1 - EXPLAINED_SHARE * share) if discounted else each)
    return explained


def _in_time(picture: Picture, cause: Hypothesis, symptom: Hypothesis) -> bool:
    if cause.moved_at is None or symptom.moved_at is None:
        return True
    return cause.moved_at <= symptom.moved_at + 5 * picture.step


def _rankings(picture: Picture) -> tuple[Ranking, ...]:
    if picture.frame is None or picture.levels is None:
        return ()
    return rank(
        picture.frame,
        picture.levels,
        symptom=picture.symptom,
        calls=picture.calls,
        onset_at=picture.onset.at,
    )


def _suspect(picture: Picture, hypothesis: Hypothesis, loud: float) -> Suspect:
    score = hypothesis.strength * (1 - METRICS_SHARE + METRICS_SHARE * loud)
    ids = tuple(dict.fromkeys(e for point in hypothesis.points for e in point.evidence if e))
    return Suspect(
        component=hypothesis.component,
        kind=hypothesis.kind,
        score=round(score, 4),
        onset_at=hypothesis.moved_at,
        explanation=sentence(hypothesis.points[:3]),
        supporting=ids,
        opposing=_opposing(picture, hypothesis),
        points=hypothesis.points,
    )


_LOAD = (CauseKind.SLOW_ENGINE, CauseKind.HUNG_ENGINE, CauseKind.INTERNAL_ERROR)


def _opposing(picture: Picture, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Name the evidence that speaks against: the load rose, or it moved after the symptom."""
    against = []
    surge = kinds_native.surge_of(picture, hypothesis.component)
    if hypothesis.kind in _LOAD and surge is not None:
        against.append(surge.evidence)
    return tuple(against)


def _unknown(picture: Picture, rankings: Sequence[Ranking]) -> Suspect:
    """Say that no rule fits, and which series moved most all the same."""
    lead = picture.incident.lead.alert
    points = [Point(text=f"{lead.name} fires on {picture.symptom}", evidence=(picture.alert.id,))]
    loudest = next((each for each in rankings if each.score > 1), None)
    if loudest is not None:
        from_there = [m for m in picture.movements if m.index in loudest.columns[:2] and m.lively]
        from_there = [m for m in from_there if m.role is not Role.UP]
        points += [moved(m) for m in from_there]
    return Suspect(
        component=picture.symptom,
        kind=CauseKind.UNKNOWN,
        score=LEAST_SCORE,
        onset_at=None,
        explanation=sentence(points),
        supporting=tuple(dict.fromkeys(e for point in points for e in point.evidence)),
        points=tuple(points),
    )
