"""The decisions by which episodes become incidents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from responder.alert import Alert, AlertStatus, Episode
from responder.incident import (
    Incident,
    IncidentState,
    Known,
    Motion,
    Placement,
    Policy,
    keys,
    motion,
    place,
    severity_name,
    severity_rank,
    turn,
)
from responder.investigation.evidence import CauseKind
from responder.investigation.report import Confidence
from responder.membership import Finding, as_joined, as_opened, same_cause

POLICY = Policy()


def made(name: str = "A", *, at: float = 0, ends_at: float | None = None, **labels: str) -> Alert:
    """Make an alert."""
    status = AlertStatus.FIRING if ends_at is None else AlertStatus.RESOLVED
    return Alert(
        fingerprint="f",
        status=status,
        labels={"alertname": name, **labels},
        annotations={},
        starts_at=at,
        ends_at=ends_at,
    )


CRITICAL = made("A", severity="critical")


def labelled(labels: Mapping[str, str]) -> Alert:
    """Make an alert with further labels."""
    return made().model_copy(update={"labels": {"alertname": "A", **labels}})


def known(**changes: Any) -> Known:
    """Make an incident that is there: a warning of alert A, reported, opened and joined at 0."""
    whole: dict[str, Any] = {
        "id": "i",
        "opened_at": 0.0,
        "joined_at": 0.0,
        "state": IncidentState.REPORTED,
        "severity_rank": 1,
        "alertnames": frozenset({"A"}),
        "is_resolved": False,
    }
    return Known(**(whole | changes))


def test_severities_have_an_order() -> None:
    """Critical is the worst; an unknown one counts as a warning."""
    ranks = [severity_rank(each) for each in ("critical", "page?", "warning", "info")]
    assert ranks == [0, 1, 1, 2]
    assert severity_name(0) == "critical"


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"target": "t", "service": "s"}, ("target:t",)),
        ({"target": "t", "label_service": "s"}, ("target:t", "component:s")),
        ({"target": "known"}, ("target:known", "component:behind")),
        ({"service": "s", "job": "j"}, ("component:s",)),
        ({"job": "j"}, ("group:g",)),
    ],
)
def test_an_alert_is_correlated_by_target_then_component_then_group(
    labels: dict[str, str], found: tuple[str, ...]
) -> None:
    """What the juniors say of a target counts; the labels of their own scrape play no part."""
    assert keys(labelled(labels), "g", "service", {"known": "behind"}) == found


def test_a_component_label_that_is_no_scrape_label_counts_on_any_alert() -> None:
    """A label of the user's own choice names the component wherever it stands."""
    found = keys(labelled({"target": "t", "app": "a"}), "g", "app")
    assert found == ("target:t", "component:a")


def test_alerts_within_two_minutes_are_one_incident() -> None:
    """Within the time it joins, whatever its name; after it, another name is another incident."""
    running = known(state=IncidentState.INVESTIGATING)
    assert place(made("B"), 120, [running], POLICY).joins == "i"
    after = place(made("B"), 121, [running], POLICY)
    assert (after.joins, after.occurrence_of) == (None, None)
    assert "another alert" in after.reason


@pytest.mark.parametrize("alert", [made("B"), made("A", severity="critical")])
def test_what_is_new_or_worse_after_the_report_is_an_incident(alert: Alert) -> None:
    """A report that is out covers the same condition alone; the reason names the one before."""
    after = place(alert, 60, [known()], POLICY)
    assert (after.joins, after.occurrence_of) == (None, None)
    assert after.reason.endswith("; it follows incident i")
    assert place(made("A"), 60, [known()], POLICY).joins == "i"


def test_what_waits_is_joined_whenever() -> None:
    """An investigation that has not begun takes everything in."""
    waiting = known(state=IncidentState.WAITING)
    assert place(made("B"), 5000, [waiting], POLICY).joins == "i"


def test_what_is_over_is_not_joined() -> None:
    """A resolved or closed incident takes nothing in."""
    over = known(is_resolved=True, state=IncidentState.CLOSED)
    assert place(made("B"), 1, [over], POLICY).joins is None


def test_the_same_condition_again_is_an_occurrence() -> None:
    """Within its horizon the report stands; after it, it is investigated anew."""
    over = known(is_resolved=True)
    assert place(made("A"), 3600, [over], POLICY).occurrence_of == "i"
    assert place(made("A"), 3601, [over], POLICY).occurrence_of is None


def test_a_higher_severity_or_another_alert_is_investigated() -> None:
    """What is worse or new than what the report was about is no occurrence."""
    over = known(is_resolved=True)
    worse = place(made("A", severity="critical"), 60, [over], POLICY)
    assert worse.occurrence_of is None
    assert "higher severity" in worse.reason
    assert place(made("B"), 60, [over], POLICY).occurrence_of is None


def test_a_critical_condition_is_investigated_again_after_its_end() -> None:
    """While the first lasts it joins that; after "resolved" was told, it is an incident."""
    again = place(CRITICAL, 600, [known(severity_rank=0, is_resolved=True)], POLICY)
    assert (again.joins, again.occurrence_of) == (None, None)
    assert again.reason == (
        "a critical condition again after its resolution; it follows incident i"
    )


def test_a_critical_condition_that_spreads_is_told() -> None:
    """A second fingerprint joins what is reported and says so; a warning's is on the page alone."""
    lasting = known(severity_rank=0)
    spread = place(CRITICAL, 600, [lasting], POLICY)
    assert (spread.joins, spread.is_told) == ("i", True)
    assert spread.reason == "the same condition while the incident lasts"
    assert not place(CRITICAL, 600, [lasting], POLICY, was_in="i").is_told
    quiet = place(made("A"), 600, [known()], POLICY)
    assert (quiet.joins, quiet.is_told) == ("i", False)


def test_a_report_speaks_for_what_joins_within_its_horizon_alone() -> None:
    """Days after the report the same condition is looked at anew."""
    stale = place(CRITICAL, 3601, [known(severity_rank=0)], POLICY)
    assert (stale.joins, stale.occurrence_of) == (None, None)


def test_what_fires_again_while_it_is_investigated_joins() -> None:
    """One investigation for one condition, however long it takes and whether it was over."""
    for severity, rank in (("critical", 0), ("warning", 1)):
        under_way = known(state=IncidentState.INVESTIGATING, is_resolved=True, severity_rank=rank)
        again = place(made("A", severity=severity), 500, [under_way], POLICY)
        assert again.joins == "i"
        assert again.reason == "the same condition again while it is investigated"
        assert place(made("B", severity=severity), 500, [under_way], POLICY).joins is None


def test_two_targets_of_one_component_are_two_incidents() -> None:
    """What names no target joins either; what names another does not."""
    chat = known(state=IncidentState.WAITING, targets=frozenset({"chat"}))
    native = known(state=IncidentState.WAITING)
    assert place(made("B"), 10, [chat], POLICY).joins == "i"
    assert place(made("B", target="chat"), 10, [chat], POLICY).joins == "i"
    assert place(made("B", target="other"), 10, [chat], POLICY).joins is None
    assert place(made("B", target="other"), 10, [native], POLICY).joins == "i"


def test_what_is_merged_takes_nothing_in() -> None:
    """The incident that stands for both is found instead."""
    merged = known(merged_into="root", severity_rank=0)
    assert place(CRITICAL, 10, [merged], POLICY).joins is None


def occurrence(number: int, **changes: Any) -> Known:
    """Make an occurrence of `i` that came and went, long enough ago not to flap."""
    whole = {"id": f"o{number}", "occurrence_of": "i", "is_resolved": True}
    return known(state=IncidentState.CLOSED, **(whole | changes))


def test_what_recurs_too_often_is_investigated_once_more() -> None:
    """The third time within the horizon is one too many; the new report speaks for the rest."""
    over = known(is_resolved=True)
    before = [over, occurrence(1), occurrence(2)]
    assert place(made("A"), 2000, before[:2], POLICY).occurrence_of == "i"
    third = place(made("A"), 2000, before, POLICY)
    assert (third.occurrence_of, third.recurs) == (None, True)
    assert third.reason == "recurs: 3 times in 1 h since incident i"
    new = known(id="n", joined_at=2000, recurs=True, is_resolved=True)
    assert place(made("A"), 4000, [*before, new], POLICY).occurrence_of == "n"
    of_new = [occurrence(each, occurrence_of="n") for each in range(3, 9)]
    assert place(made("A"), 5500, [*of_new, new], POLICY).occurrence_of == "n"


def test_an_occurrence_under_way_takes_its_like_in() -> None:
    """Five alerts of one condition are one occurrence, not five recurrences."""
    under_way = occurrence(1, is_resolved=False)
    placed = place(made("A"), 2000, [known(is_resolved=True), under_way], POLICY)
    assert (placed.joins, placed.occurrence_of) == ("o1", None)


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_what_flaps_stays_one_incident(severity: str) -> None:
    """The third firing within a quarter of an hour reopens what was reported last, and says so."""
    rank = severity_rank(severity)
    first = known(is_resolved=True, severity_rank=rank)
    second = known(id="j", joined_at=60, is_resolved=True, severity_rank=rank)
    alert = made("A", severity=severity)
    flapping = place(alert, 120, [first, second], POLICY)
    assert (flapping.joins, flapping.flaps, flapping.is_told) == ("j", True, True)
    assert flapping.reason == "flaps: fired 3 times within 15 min"
    still = place(alert, 600, [known(is_resolved=True, severity_rank=rank, flaps=2)], POLICY)
    assert (still.joins, still.flaps, still.is_told) == ("i", True, False)
    calm = place(alert, 901, [known(is_resolved=True, severity_rank=rank, flaps=2)], POLICY)
    assert not calm.flaps


@pytest.mark.parametrize("changes", [{"flaps": 1000}, {"flaps": 2, "opened_at": -86_401.0}])
def test_what_flaps_for_too_long_is_looked_at_anew(changes: dict[str, Any]) -> None:
    """After a thousand times, or a day, it joins no more."""
    long = known(is_resolved=True, severity_rank=0, **changes)
    again = place(CRITICAL, 60, [long], POLICY)
    assert (again.joins, again.flaps) == (None, False)
    assert again.reason == "has flapped for too long: looked at anew; it follows incident i"


def test_what_joins_and_opens_is_known_at_once() -> None:
    """A batch decides on its own incidents as if they had been stored and loaded again."""
    opened = as_opened("n", made("A", target="t"), 5, Placement(reason="r", recurs=True))
    assert opened.state is IncidentState.WAITING
    assert (opened.targets, opened.recurs) == (frozenset({"t"}), True)
    joined = as_joined(opened, CRITICAL, 9, Placement(reason="r", joins="n", flaps=True))
    assert (joined.joined_at, joined.severity_rank, joined.flaps) == (9, 0, 1)
    other = as_opened("o", made("A"), 5, Placement(reason="r", occurrence_of="i"))
    assert (other.state, other.occurrence_of) == (IncidentState.CLOSED, "i")


def found(**changes: Any) -> Finding:
    """Make the finding of a report: chat hangs since 100."""
    whole: dict[str, Any] = {
        "incident_id": "i",
        "component": "chat",
        "kind": CauseKind.HUNG_ENGINE,
        "confidence": Confidence.MEDIUM,
        "onset_at": 100.0,
        "opened_at": 120.0,
        "resolved_at": None,
    }
    return Finding(**(whole | changes))


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        ({"confidence": Confidence.HIGH, "onset_at": 390.0}, True),
        ({"onset_at": 401.0}, False),
        ({"component": "scorer"}, False),
        ({"component": ""}, False),
        ({"kind": CauseKind.SLOW_ENGINE}, False),
        ({"confidence": Confidence.LOW}, False),
        ({"opened_at": 500.0}, True),
        ({"opened_at": 10.0, "resolved_at": 60.0}, False),
    ],
)
def test_two_reports_with_one_cause_are_one(changes: dict[str, Any], is_one: bool) -> None:  # noqa: FBT001 - a case
    """The same sure cause from the same minutes on, both ways round, with its reason."""
    one, other = found(), found(incident_id="j", **changes)
    reason = same_cause(one, other, POLICY)
    assert (reason is not None) == is_one
    assert same_cause(other, one, POLICY) == reason
    if changes == {}:
        assert reason == "both name chat: hung_engine as their first cause, with onsets 0 s apart"


def test_the_unknown_is_never_one() -> None:
    """Two reports that know nothing have nothing in common."""
    one, other = (found(incident_id=each, kind=CauseKind.UNKNOWN) for each in "ij")
    assert same_cause(one, other, POLICY) is None


def test_without_a_horizon_everything_is_investigated() -> None:
    """Zero switches occurrences off."""
    always = Policy(occurrence_within_seconds=0)
    over = known(is_resolved=True)
    assert place(made("A"), 1, [over], always).occurrence_of is None


def test_what_was_closed_unexamined_speaks_for_nothing() -> None:
    """An incident that was never investigated makes no occurrence of the next."""
    unexamined = known(is_resolved=True, state=IncidentState.CLOSED)
    assert place(made("A"), 60, [unexamined], POLICY).occurrence_of is None


def test_a_critical_incident_has_its_turn_at_once() -> None:
    """Others wait for quiet, but four times as long at most."""
    assert turn([1, 0], opened_at=0, at=7, policy=POLICY).due_at == 7
    assert turn([1], opened_at=0, at=0, policy=POLICY).due_at == 15
    assert turn([2], opened_at=0, at=10, policy=POLICY).due_at == 25
    assert turn([1], opened_at=0, at=50, policy=POLICY).due_at == 60
    assert turn([1], opened_at=0, at=80, policy=POLICY).due_at == 80


OPEN = Episode(id="e", alert=made(at=100), first_seen_at=101)
OVER = OPEN.model_copy(update={"resolved_at": 200.0})
AHEAD = OVER.model_copy(update={"alert": made(at=240)})


@pytest.mark.parametrize(
    ("alert", "at", "latest", "seen_at", "expected"),
    [
        (made(at=100), 101, None, None, Motion.BEGINS),
        (made(at=100, ends_at=150), 160, None, None, Motion.BEGINS_ENDED),
        (made(at=100), 130, OPEN, None, Motion.CONTINUES),
        (made(at=90), 130, OPEN, None, Motion.CONTINUES),
        (made(at=120), 130, OPEN, None, Motion.CONTINUES),
        (made(at=100, ends_at=200), 201, OPEN, None, Motion.ENDS),
        (made(at=100, ends_at=200), 202, OVER, 201, Motion.REPEATS),
        (made(at=100), 202, OVER, 201, Motion.REPEATS),
        (made(at=100), 500, OVER, 201, Motion.BEGINS),
        (made(at=201), 202, OVER, 201, Motion.BEGINS),
        (made(at=201, ends_at=210), 211, OVER, 201, Motion.BEGINS_ENDED),
        (made(at=240, ends_at=200), 202, AHEAD, 201, Motion.REPEATS),
    ],
)
def test_a_delivery_moves_its_episode(
    alert: Alert, at: float, latest: Episode | None, seen_at: float | None, expected: Motion
) -> None:
    """Firing joins what is open; new begins only after an end; a repetition changes nothing."""
    assert motion(alert, at, latest, seen_at, POLICY) is expected


def test_the_lead_is_the_worst_then_the_oldest() -> None:
    """An incident is spoken for by its critical episode, and named by all."""
    episodes = tuple(
        Episode(id=str(index), alert=alert, first_seen_at=0)
        for index, alert in enumerate(
            (made("A", at=1), made("B", at=3, severity="critical", target="t"), made("C", at=0))
        )
    )
    incident = Incident(
        id="i", opened_at=0, state=IncidentState.WAITING, reason="", episodes=episodes
    )
    assert incident.lead.alert.name == "B"
    assert incident.severity == "critical"
    assert incident.alertnames == ("A", "B", "C")
    assert incident.targets == ("t",)
