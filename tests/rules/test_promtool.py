"""The rules and the two configurations, judged by Prometheus's and Alertmanager's own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.rules.files import CASE_FILES, RULES, Rule, alerts

_SECONDS = 240


def _run(program: Path, *arguments: str, folder: Path = RULES) -> str:
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _receivers(programs: Mapping[str, Path], labels: Mapping[str, str]) -> Sequence[str]:
    """Which receivers hear of an alert with these labels, in the routes' order."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    printed = _run(
        programs["amtool"], "config", "routes", "test", "--config.file=alertmanager.yml", *pairs
    )
    # A warning about flags may come before it.
    return printed.strip().splitlines()[-1].split(",")


def _labels(rule: Rule) -> dict[str, str]:
    target = {} if rule["labels"].get("component") == "vigie" else {"target": "chat"}
    return {"alertname": rule["alert"], **rule["labels"], **target}


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.stem)
def test_cases_hold(path: Path, programs: Mapping[str, Path]) -> None:
    """Each case of the file holds on the real rule engine."""
    _run(programs["promtool"], "test", "rules", path.name, folder=path.parent)


def test_prometheus_takes_its_configuration(programs: Mapping[str, Path]) -> None:
    """The shipped prometheus.yml and every rule file it names are valid."""
    printed = _run(programs["promtool"], "check", "config", "prometheus.yml")

    assert "alerts/targets.yml" in printed


def test_alertmanager_takes_its_configuration(programs: Mapping[str, Path]) -> None:
    """The shipped alertmanager.yml is valid."""
    assert "SUCCESS" in _run(programs["amtool"], "check-config", "alertmanager.yml")


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_no_alert_goes_to_the_responder_alone(rule: Rule, programs: Mapping[str, Path]) -> None:
    """Whatever becomes of the responder, somebody else hears of every alert."""
    receivers = _receivers(programs, _labels(rule))

    assert "responder" in receivers
    assert set(receivers) - {"responder"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"severity": "critical", "target": "chat"}, ["responder", "pager"]),
        ({"severity": "warning", "target": "chat"}, ["responder", "tickets"]),
        ({"severity": "info"}, ["responder", "tickets"]),
        ({"alertname": "SomethingElse"}, ["responder", "pager"]),
        ({"alertname": "VigieWatchdog", "severity": "info"}, ["deadman", "responder"]),
    ],
)
def test_routes(labels: dict[str, str], expected: list[str], programs: Mapping[str, Path]) -> None:
    """Critical alerts page, others are tickets, the heartbeat wakes nobody."""
    assert _receivers(programs, labels) == expected
