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
    Policy,
    keys,
    motion,
    place,
    severity_name,
    severity_rank,
    turn,
)

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
        ({"target": "t", "service": "s"}, ("target:t", "component:s")),
        ({"target": "t"}, ("target:t",)),
        ({"service": "s", "job": "j"}, ("component:s",)),
        ({"job": "j"}, ("group:g",)),
    ],
)
def test_an_alert_is_correlated_by_target_then_component_then_group(
    labels: dict[str, str], found: tuple[str, ...]
) -> None:
    """The juniors' own scrape labels play no part."""
    assert keys(labelled(labels), "g", "service") == found


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
    """While the first lasts it is silent; after "resolved" was told, it is an incident."""
    critical = made("A", severity="critical")
    lasting = known(severity_rank=0)
    assert place(critical, 600, [lasting], POLICY).occurrence_of == "i"
    again = place(critical, 600, [known(severity_rank=0, is_resolved=True)], POLICY)
    assert (again.joins, again.occurrence_of) == (None, None)
    assert again.reason == (
        "a critical condition again after its resolution; it follows incident i"
    )


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
