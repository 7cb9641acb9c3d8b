"""The exporter's account beside what the endpoints did."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.target import Reason
from lab.soak.account import Account, answered, read
from lab.soak.answers import ANSWERS
from lab.soak.faults import FAULTS, FAULTY_EACH, HEALTHY, Door, behaviour_of
from lab.soak.plan import Plan

TEXT = """\
# TYPE vigie_probes_total counter
vigie_probes_total{target="soak-00000"} 4
vigie_probes_total{target="soak-00019"} 5
vigie_probe_failure_reasons_total{target="soak-00019",reason="dns"} 5
vigie_probe_duration_seconds_bucket{target="soak-00000",le="0.5"} 4
vigie_exporter_run_lateness_seconds_bucket{le="0.001"} 60
vigie_exporter_run_lateness_seconds_bucket{le="0.002"} 100
vigie_exporter_run_lateness_seconds_bucket{le="+Inf"} 100
vigie_exporter_runs_dropped_total 2
vigie_exporter_agent_deaths_total 1
"""
BEHAVIOURS = {"page": HEALTHY[0], "no-name": FAULTS[0]}


def account(**runs: tuple[int, dict[str, int]]) -> Account:
    """Give an account of runs and reasons by target."""
    return Account(
        runs=Counter({name: count for name, (count, _) in runs.items()}),
        reasons={name: Counter(reasons) for name, (_, reasons) in runs.items()},
    )


def test_metrics_are_read() -> None:
    """Runs, reasons, lateness, drops and deaths; everything else is passed over."""
    found = read(TEXT.splitlines())
    assert found.runs == {"soak-00000": 4, "soak-00019": 5}
    assert found.reasons_of("soak-00019") == {"dns": 5}
    assert (found.dropped, found.deaths) == (2, 1)
    assert found.late_seconds(0.8) == pytest.approx(0.0015)


def test_lateness_over_the_last_bound_is_infinite() -> None:
    """What no bound holds is not made smaller than it was."""
    assert Account(lateness={0.1: 50, float("inf"): 100}).late_seconds(0.99) == float("inf")
    assert Account().late_seconds(0.99) == 0.0


def test_what_was_meant_is_right() -> None:
    """Right answers of a healthy one, and each run of a broken one by its reason."""
    told = account(**{"page": (4, {}), "no-name": (5, {"dns": 5})})
    found = answered(told, BEHAVIOURS, {"page": 4})
    assert (found.runs, found.faulty_runs, found.wrong.total()) == (9, 5, 0)
    assert found.reasons == {"dns"}
    assert not found.unheard
    assert not found.apart


def test_every_wrong_run_is_counted_by_what_was_said() -> None:
    """A failure of a healthy one, another reason, and a right answer of a broken one."""
    told = account(**{"page": (4, {"stall": 1}), "no-name": (5, {"dns": 2, "connect": 1})})
    found = answered(told, BEHAVIOURS, {"page": 4})
    assert found.wrong == {("page", "stall"): 1, ("no-name", "connect"): 1, ("no-name", "ok"): 2}


def test_runs_that_did_not_arrive_are_apart() -> None:
    """One run may be under way; two are told. A target without any is unheard."""
    assert not answered(account(page=(4, {})), BEHAVIOURS, {"page": 5}).apart
    found = answered(account(page=(4, {})), BEHAVIOURS, {"page": 6})
    assert found.apart == ["page"]
    assert found.unheard == ["no-name"]


def test_every_reason_of_a_server_is_caused() -> None:
    """The faults bring every reason but our own defect's."""
    assert {each.reason for each in FAULTS} == set(Reason) - {Reason.INTERNAL}


def test_every_endpoint_has_its_answer() -> None:
    """Who is asked at the server's own door is known there, and no name is used twice."""
    each = [*HEALTHY, *FAULTS]
    assert {does.name for does in each if does.is_stamped} == set(ANSWERS)
    assert len({does.name for does in each}) == len(each)


def test_one_in_twenty_is_broken() -> None:
    """Of ten thousand, five hundred, each fault as often as the others."""
    faults = [does for does in map(behaviour_of, range(10_000)) if does.reason is not None]
    assert len(faults) * FAULTY_EACH == 10_000
    assert set(Counter(does.name for does in faults).values()) <= {21, 22}


def test_addresses_are_of_this_machine_and_differ() -> None:
    """Ten thousand origins, all within 127.0.0.0/8; what has no name has none."""
    ports: dict[Door, int] = {"plain": 8000, "mute": 8001, "shut": 8002}
    written = Plan().configuration(ports)["targets"]
    hosts = [each["url"].split("/")[2].rpartition(":")[0] for each in written]
    named = [host for host in hosts if not host.endswith(".invalid")]
    assert len(set(named)) == len(named)
    assert all(host.startswith("127.") for host in named)
