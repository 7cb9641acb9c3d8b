"""The ledger's verdict: each promise, kept and broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lab.chaos.account import Account
from lab.chaos.ends import Call, Delivery
from lab.chaos.front import Acknowledged
from lab.chaos.replicas import Kill
from lab.chaos.verdict import Evidence, Verdict, judge

STARTS_AT = 1_000.0


def incident(identity: str, **more: Any) -> dict[str, Any]:
    """Give an incident as the API tells of it: one resolved alert, reported."""
    alert = {"fingerprint": f"print-{identity}", "starts_at": STARTS_AT}
    told: dict[str, Any] = {
        "id": identity,
        "state": "reported",
        "reason": "a condition not seen lately",
        "resolved_at": STARTS_AT + 60,
        "occurrence_of": None,
        "report": {"id": f"{identity}-r1"},
        "episodes": [{"id": f"episode-{identity}", "alert": alert, "resolved_at": STARTS_AT + 60}],
        "history": [{"at": STARTS_AT, "event": "reported", "text": "report"}],
        "deliveries": [],
    }
    return told | more


def message(identity: str, *, key: str = "key", event: str = "reported") -> Delivery:
    """Give a message as the sink keeps it."""
    report = f"{identity}-r1"
    return Delivery(
        key=key, event=event, incident=identity, report=report, replica="r0", at=1.0, body={}
    )


def evidence(*incidents: Mapping[str, Any]) -> Evidence:
    """Give a run in which each incident's alert was acknowledged, and each report delivered."""
    labels = {"alertname": "Lab", "target": "endpoint"}
    return Evidence(
        acknowledged={
            (f"print-{each['id']}", STARTS_AT): Acknowledged(labels=labels, first_at=STARTS_AT)
            for each in incidents
        },
        account=Account(incidents={each["id"]: each for each in incidents}),
        deliveries=[message(each["id"], key=f"key-{each['id']}") for each in incidents],
        calls={},
    )


def fault(verdict: Verdict) -> str:
    """Give the one fault of a verdict."""
    assert len(verdict.faults) == 1, verdict.faults
    return verdict.faults[0]


def test_everything_kept_is_right() -> None:
    """A run in which every alert has a report, and every report arrived, has no fault."""
    verdict = judge(evidence(incident("a"), incident("b")))
    assert verdict.right
    assert verdict.ends == {"report": 2}


def test_an_alert_in_no_episode_is_lost() -> None:
    """What was acknowledged and is nowhere in the account is a fault."""
    run = evidence(incident("a"))
    lost = replace(run, account=Account(incidents={}), deliveries=[])
    assert "in no episode" in fault(judge(lost))


def test_an_alert_that_began_outside_of_its_episode_is_lost() -> None:
    """An episode of the same fingerprint, but of another time, does not hold the alert."""
    run = evidence(incident("a"))
    entry = run.acknowledged["print-a", STARTS_AT]
    later = replace(run, acknowledged={("print-a", STARTS_AT + 90): entry})
    assert "in no episode" in fault(judge(later))


def test_an_incident_without_an_end_is_lost() -> None:
    """An incident that waits for ever, without report or reason, is a fault."""
    stuck = incident("a", state="waiting", report=None)
    run = replace(evidence(stuck), deliveries=[])
    assert "is waiting, without report" in fault(judge(run))


def test_a_closure_needs_its_reason() -> None:
    """A closed incident passes with its reason in the history, and not without."""
    reason = [{"at": 1.0, "event": "closed", "text": "resolved before its turn"}]
    closed = incident("a", state="closed", report=None, history=reason)
    told = replace(evidence(closed), deliveries=[])
    assert judge(told).ends == {"closed": 1}
    silent = replace(evidence(closed | {"history": []}), deliveries=[])
    assert "without report or reason" in fault(judge(silent))


def test_an_occurrence_counts_only_on_something_that_ended() -> None:
    """An occurrence ends in the report of its first incident, and in nothing without it."""
    first = incident("a")
    again = incident("b", state="closed", report=None, occurrence_of="a", history=[])
    run = replace(evidence(first, again), deliveries=[message("a")])
    assert judge(run).ends == {"report": 1, "occurrence": 1}
    stuck = incident("a", state="investigating", report=None)
    broken = replace(evidence(stuck, again), deliveries=[])
    assert len(judge(broken).faults) == 2


def test_two_episodes_of_one_firing_are_a_fault() -> None:
    """A firing that was stored twice is found."""
    doubled = incident("b")
    doubled["episodes"][0]["alert"]["fingerprint"] = "print-a"
    run = evidence(incident("a"), doubled)
    only = {("print-a", STARTS_AT): run.acknowledged["print-a", STARTS_AT]}
    assert "in 2 episodes" in fault(judge(replace(run, acknowledged=only)))


def test_a_report_never_delivered_is_a_fault() -> None:
    """A stored report that no message brought to the sink is found."""
    run = replace(evidence(incident("a")), deliveries=[message("a", event="resolved")])
    assert "never delivered" in fault(judge(run))


def test_a_repeat_under_another_key_is_a_fault() -> None:
    """The same report under two keys cannot be told apart by its receiver, and is found."""
    deliveries = [message("a", key="one"), message("a", key="two")]
    run = replace(evidence(incident("a")), deliveries=deliveries)
    assert "2 keys for the message" in fault(judge(run))
    same = replace(run, deliveries=[message("a"), message("a")])
    assert judge(same).right


def test_a_key_for_two_messages_is_a_fault() -> None:
    """One key under which two different messages came is found."""
    run = evidence(incident("a"), incident("b"))
    shared = replace(run, deliveries=[message("a"), message("b")])
    assert "2 messages under the key" in fault(judge(shared))


def test_a_second_report_is_a_fault() -> None:
    """Two reports of one incident are found, even when only the sink has seen the other."""
    run = evidence(incident("a"))
    second = replace(message("a", key="other", event="updated"), report="a-r2")
    assert "2 reports" in fault(judge(replace(run, deliveries=[*run.deliveries, second])))


def test_a_model_call_repeats_only_for_a_kill() -> None:
    """A second call for one incident is a fault, unless its first asker was killed at it."""
    calls = [
        Call(incident="a", replica="r0", began_at=10.0, ended_at=11.0),
        Call(incident="a", replica="r1", began_at=20.0, ended_at=21.0),
    ]
    run = replace(evidence(incident("a")), calls={"a": calls})
    assert "asked again" in fault(judge(run))
    at_it = Kill(replica="r0", at=10.5, why="analyse")
    assert judge(replace(run, kills=[at_it])).right
    just_before_it_was_read = Kill(replica="r0", at=9.5, why="model hangs")
    assert judge(replace(run, kills=[just_before_it_was_read])).right
    of_another = Kill(replica="r1", at=10.5, why="analyse")
    assert "asked again" in fault(judge(replace(run, kills=[of_another])))
    long_before = Kill(replica="r0", at=5.0, why="gather")
    assert "asked again" in fault(judge(replace(run, kills=[long_before])))
