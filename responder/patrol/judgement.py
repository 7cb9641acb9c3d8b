"""What becomes of concerns over the rounds: raised late and over late, so as not to flap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from responder.patrol.concern import ALERTNAME, Concern, Grade, Standing


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How many rounds in a row raise a serious concern, and how many hold one for over.

    What was raised and is no longer measured at all is held for over after `silence_seconds`.
    """

    raise_after: int
    clear_after: int
    raises: bool
    silence_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a round saw: concerns by key, the looks that saw nothing at all, and what fires.

    `firing` are the labels of alerts that fire or are about to; `measured` are those of the series
    that were there, by query.
    """

    at: float
    concerns: Mapping[str, Concern]
    blind: Collection[str]
    firing: Sequence[Mapping[str, str]]
    measured: Mapping[str, Sequence[Mapping[str, str]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The standings after a round, and which are new, raised now, or over now."""

    standings: Mapping[str, Standing]
    new: tuple[Concern, ...] = ()
    raised: tuple[Concern, ...] = ()
    over: tuple[Concern, ...] = ()


def judge(before: Mapping[str, Standing], seen: Seen, policy: Policy) -> Judged:
    """Go from the standings of the round before to those of this one."""
    after: dict[str, Standing] = {}
    new, raised, over = [], [], []
    for key in sorted(before.keys() | seen.concerns.keys()):
        was, now = before.get(key), seen.concerns.get(key)
        one = _found(was, now, seen.at) if now else _missed(was, seen, policy)
        if one is None:
            continue
        is_new = now is not None and (was is None or not (was.holds and was.told))
        if now and is_new:
            is_told = not _is_covered(now, seen)
            one = one.model_copy(update={"told": is_told})
            new += [now] if is_told else []
        if _is_to_raise(one, seen, policy):
            one = one.model_copy(update={"raised_at": seen.at})
            raised.append(one.concern)
        if was and was.holds and was.told and not one.holds:
            over.append(one.concern)
        after[key] = one
    return Judged(standings=after, new=tuple(new), raised=tuple(raised), over=tuple(over))


def _found(was: Standing | None, now: Concern, at: float) -> Standing:
    if was is None or not was.holds:
        return Standing(concern=now, since=at, seen_at=at)
    return was.model_copy(
        update={"concern": now, "seen_at": at, "found": was.found + 1, "missed": 0}
    )


def _missed(was: Standing | None, seen: Seen, policy: Policy) -> Standing | None:
    """Count a round without it, unless its look was blind."""
    if was is None or not was.holds or was.concern.look in seen.blind:
        return was
    is_raised = was.raised_at is not None
    if is_raised and is_silent(was.concern, seen.measured):
        # Its silence says nothing about it; but what is gone for good must not fire for ever.
        is_over = seen.at - was.seen_at >= policy.silence_seconds
        return was.model_copy(update={"over_at": seen.at}) if is_over else was
    missed = was.missed + 1
    change = {"missed": missed, "found": 0}
    return was.model_copy(
        update=change | ({"over_at": seen.at} if missed >= policy.clear_after else {})
    )


def _is_to_raise(one: Standing, seen: Seen, policy: Policy) -> bool:
    """Tell whether it is serious, lasts, and nothing else speaks of the same."""
    return (
        policy.raises
        and one.raised_at is None
        and one.holds
        and one.concern.grade is Grade.SERIOUS
        and one.found >= policy.raise_after
        and not _is_covered(one.concern, seen)
    )


def _is_covered(concern: Concern, seen: Seen) -> bool:
    return any(covers(labels, concern) for labels in seen.firing)


def is_silent(concern: Concern, measured: Mapping[str, Sequence[Mapping[str, str]]]) -> bool:
    """Tell whether the concern's query was asked, and had no series with the labels they share.

    What is asked no more (its look is left out, the window is another) is not silent.
    """
    about = concern.labels
    for labels in measured.get(concern.query, ()):
        shared = labels.keys() & about.keys()
        if shared and all(labels[name] == about[name] for name in shared):
            return False
    return concern.query in measured


def covers(firing: Mapping[str, str], concern: Concern) -> bool:
    """Tell whether an alert that fires is about the same target, or else the same job.

    The round's own alerts cover nothing: a finding that was raised is raised on while it holds.
    """
    if firing.get("alertname") == ALERTNAME:
        return False
    for name in ("target", "instance", "service", "job"):
        if name in concern.labels:
            return firing.get(name) == concern.labels[name]
    return False
