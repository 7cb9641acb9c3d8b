"""What becomes of concerns over the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.patrol.concern import ALERTNAME, Concern, Grade, Standing
from responder.patrol.judgement import Judged, Policy, Seen, covers, judge

POLICY = Policy(raise_after=2, clear_after=2, raises=True, silence_seconds=100)
SLOW = Concern(
    look="latency",
    measure="time per run",
    labels={"target": "chat"},
    grade=Grade.SERIOUS,
    text="chat is slow",
    query="up",
)
NOTE = SLOW.model_copy(update={"labels": {"target": "scorer"}, "grade": Grade.NOTE})


def seen(
    at: float,
    *concerns: Concern,
    blind: Sequence[str] = (),
    firing: Sequence[Mapping[str, str]] = (),
    there: Sequence[str] = ("chat", "scorer"),
) -> Seen:
    """See these."""
    found = {each.key: each for each in concerns}
    measured = {"up": [{"target": target} for target in there]}
    return Seen(at=at, concerns=found, blind=frozenset(blind), firing=firing, measured=measured)


def rounds(*looks: Seen, policy: Policy = POLICY) -> list[Judged]:
    """Judge one round after the other."""
    before: Mapping[str, Standing] = {}
    judged = []
    for each in looks:
        judged.append(judge(before, each, policy))
        before = judged[-1].standings
    return judged


def test_what_is_serious_and_lasts_is_raised_once() -> None:
    """The first round tells of it, the second raises it, the third says nothing."""
    first, second, third = rounds(seen(1, SLOW), seen(2, SLOW), seen(3, SLOW))
    assert (first.new, first.raised) == ((SLOW,), ())
    assert (second.new, second.raised) == ((), (SLOW,))
    assert (third.new, third.raised, third.over) == ((), (), ())
    assert third.standings[SLOW.key].since == 1


def test_a_note_is_told_and_never_raised() -> None:
    """Its grade decides."""
    assert [each.raised for each in rounds(*(seen(at, NOTE) for at in range(5)))] == [()] * 5


def test_one_round_without_it_is_not_its_end() -> None:
    """Only as many as are set, in a row; then it is over, once."""
    there, gone = seen(1, SLOW), seen(2)
    judged = rounds(there, there, gone, there, gone, gone, gone)
    assert [bool(each.over) for each in judged] == [False] * 5 + [True, False]
    assert judged[-1].standings[SLOW.key].over_at == 2


def test_what_comes_back_after_its_end_is_new() -> None:
    """It begins again, and has to last again before it is raised."""
    judged = rounds(seen(1, SLOW), seen(2, SLOW), seen(3), seen(4), seen(5, SLOW), seen(6, SLOW))
    assert judged[4].new == (SLOW,)
    assert judged[4].raised == ()
    assert judged[5].raised == (SLOW,)
    assert judged[5].standings[SLOW.key].since == 5


def test_a_look_that_was_blind_ends_nothing() -> None:
    """What could not be looked at is as it was."""
    blind = [seen(at, blind=["latency"]) for at in range(3, 9)]
    judged = rounds(seen(1, SLOW), seen(2, SLOW), *blind)
    assert judged[-1].standings[SLOW.key].holds


@pytest.mark.parametrize(
    "firing",
    [{"alertname": "A", "target": "chat"}, {"alertname": "A", "target": "chat", "job": "x"}],
)
def test_what_an_alert_covers_is_not_raised(firing: Mapping[str, str]) -> None:
    """It is raised when the alert is over and it still holds."""
    under = [seen(at, SLOW, firing=[firing]) for at in (1, 2, 3)]
    judged = rounds(*under, seen(4, SLOW))
    assert [each.raised for each in judged] == [(), (), (), (SLOW,)]
    assert [each.new for each in judged] == [(), (), (), (SLOW,)]


def test_what_an_alert_covered_all_along_is_never_spoken_of() -> None:
    """It comes and goes with the alert, and the round had nothing to add."""
    firing = [{"alertname": "A", "target": "chat"}]
    judged = rounds(*(seen(at, SLOW, firing=firing) for at in (1, 2)), seen(3), seen(4))
    assert [(each.new, each.raised, each.over) for each in judged] == [((), (), ())] * 4
    assert not judged[-1].standings[SLOW.key].holds


def test_what_was_raised_does_not_end_because_nobody_measures_it() -> None:
    """Missing data are no recovery; when they are back and say so, it is over."""
    gone = [seen(at, there=["scorer"]) for at in (3, 4, 5, 6)]
    judged = rounds(seen(1, SLOW), seen(2, SLOW), *gone, seen(7), seen(8))
    assert [bool(each.over) for each in judged] == [False] * 7 + [True]


def test_what_is_gone_for_good_does_not_fire_for_ever() -> None:
    """A target that was taken out is held for over in the end."""
    gone = [seen(at, there=[]) for at in (50, 101, 102, 103)]
    judged = rounds(seen(1, SLOW), seen(2, SLOW), *gone)
    assert [bool(each.over) for each in judged] == [False] * 4 + [True, False]


def test_an_alert_that_comes_later_ends_nothing() -> None:
    """What was raised is raised on while it holds: else it would flap with the other alert."""
    firing = [{"alertname": "A", "target": "chat"}]
    judged = rounds(seen(1, SLOW), seen(2, SLOW), seen(3, SLOW, firing=firing))
    standing = judged[-1].standings[SLOW.key]
    assert standing.holds
    assert standing.raised_at == 2


def test_its_own_alert_covers_nothing() -> None:
    """Else each finding would end itself."""
    assert not covers({"alertname": ALERTNAME, "target": "chat"}, SLOW)


def test_an_alert_of_the_job_covers_what_has_no_target() -> None:
    """Silent juniors and their down alert speak of one job; another job's does not."""
    silent = SLOW.model_copy(update={"labels": {"job": "edge", "component": "vigie"}})
    assert covers({"alertname": "VigieExporterDown", "job": "edge"}, silent)
    assert not covers({"alertname": "VigieExporterDown", "job": "other"}, silent)
    assert not covers({"alertname": "A", "job": "edge", "target": "other"}, SLOW)


def test_switched_off_nothing_is_raised() -> None:
    """It is told all the same."""
    policy = Policy(raise_after=1, clear_after=1, raises=False, silence_seconds=100)
    (judged,) = rounds(seen(1, SLOW), policy=policy)
    assert (judged.new, judged.raised) == ((SLOW,), ())


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_it_is_raised_as_often_as_it_ends_or_once_more(
    there: list[bool], raise_after: int, clear_after: int
) -> None:
    """However it comes and goes, raised and over take turns, never faster than the policy."""
    policy = Policy(
        raise_after=raise_after, clear_after=clear_after, raises=True, silence_seconds=100
    )
    looks = [seen(at, *([SLOW] if each else [])) for at, each in enumerate(there)]
    events = []
    for at, judged in enumerate(rounds(*looks, policy=policy)):
        events += [("raised", at)] * len(judged.raised)
        ended = [each for each in judged.standings.values() if each.over_at == at]
        events += [("over", at) for each in ended if each.raised_at is not None]
    assert [kind for kind, _ in events] == ["raised", "over"] * (len(events) // 2) + ["raised"] * (
        len(events) % 2
    )
    for (_, earlier), (kind, later) in pairwise(events):
        assert later - earlier >= (raise_after if kind == "raised" else clear_after)
