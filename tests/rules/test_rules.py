"""What every rule is held to: names, annotations, ranges, a page, cases, metrics that exist."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml

from exporter.metrics import FAMILIES
from tests.rules.expressions import exported, metrics, ranges_seconds, values
from tests.rules.files import (
    CASE_FILES,
    RULES,
    RUNBOOKS,
    Rule,
    alert_names,
    alerts,
    cases,
    groups,
    page_names,
    read,
    recorded,
    rules,
)

_BUILT_IN = {"up", "ALERTS"}
_LEAST_RANGE_SECONDS = 4 * 15
_SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
_QUERIES = re.compile(r"```promql\n(.*?)```", re.DOTALL)


def _named(rule: Rule) -> str:
    return str(rule.get("alert") or rule["record"])


def _always_fires(name: str) -> bool:
    """Whether an alert is a heartbeat, which is never silent."""
    return all(rule["expr"].strip() == "vector(1)" for rule in alerts() if rule["alert"] == name)


def _cases_of(name: str) -> list[dict[str, Any]]:
    return [case for case in cases() if case["name"].startswith(f"{name}: ")]


def _fires(case: dict[str, Any], name: str) -> bool:
    looked = case.get("alert_rule_test", ())
    return any(each["alertname"] == name and each["exp_alerts"] for each in looked)


def _silent_before(case: dict[str, Any], name: str) -> bool:
    looked = [each for each in case.get("alert_rule_test", ()) if each["alertname"] == name]
    return any(not one["exp_alerts"] and two["exp_alerts"] for one, two in pairwise(looked))


@pytest.mark.parametrize("rule", alerts(), ids=_named)
def test_alert_says_what_it_must(rule: Rule) -> None:
    """An alert has a CamelCase name, a severity, four annotations, and its value in one of them."""
    said = rule["annotations"]

    assert re.fullmatch(r"Vigie([A-Z][a-z0-9]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(said) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in said["summary"]
    assert said["summary"].endswith(".")
    assert "$value" in said["description"]


@pytest.mark.parametrize("rule", alerts(), ids=_named)
def test_alert_links_have_a_base_that_can_be_set(rule: Rule) -> None:
    """Links start with an external label's address, and lead to the alert's own page."""
    said = rule["annotations"]
    runbook = "{{ with $externalLabels.vigie_url }}{{ . }}{{ else }}http://localhost:10918{{ end }}"
    dashboard = (
        "{{ with $externalLabels.grafana_url }}{{ . }}{{ else }}http://localhost:3000{{ end }}"
    )

    assert said["runbook_url"] == f"{runbook}/runbooks/{rule['alert']}"
    about = re.match("Vigie(Responder|Exporter)", rule["alert"])
    board = f"vigie-{about[1].lower() if about else 'overview'}"
    assert said["dashboard_url"].partition("?")[0] == f"{dashboard}/d/{board}"


@pytest.mark.parametrize("rule", alerts(), ids=_named)
def test_alert_waits_unless_it_is_a_heartbeat(rule: Rule) -> None:
    """Every alert but a heartbeat has a `for` of at least a minute."""
    assert ("for" in rule) != _always_fires(rule["alert"])
    assert rule.get("for", "1m").endswith("m")


@pytest.mark.parametrize("name", alert_names())
def test_alert_has_its_cases(name: str) -> None:
    """Every alert is shown silent and then firing, and not firing on a near miss."""
    mine = _cases_of(name)

    assert any(_fires(case, name) for case in mine)
    if not _always_fires(name):
        assert any(_silent_before(case, name) for case in mine)
        assert any(case["name"].startswith(f"{name}: near miss, ") for case in mine)


@pytest.mark.parametrize("rule", alerts(), ids=_named)
def test_alert_fires_in_each_of_its_severities(rule: Rule) -> None:
    """A case has the alert firing with the rule's own severity."""
    assert any(
        alert["exp_labels"]["severity"] == rule["labels"]["severity"]
        for case in _cases_of(rule["alert"])
        for looked in case.get("alert_rule_test", ())
        for alert in looked["exp_alerts"]
    )


def test_cases_are_of_rules_that_exist() -> None:
    """No case is left of an alert or a recorded series that is gone."""
    known = {*alert_names(), *recorded()}

    assert {case["name"].rsplit(": ", 1)[0] for case in cases()} <= known


def test_cases_are_in_the_files_of_their_alerts() -> None:
    """The cases of an alert are in the file that has its name."""
    for path in CASE_FILES:
        for case in read(path)["tests"]:
            name = case["name"].rsplit(": ", 1)[0]
            assert path.stem == (name if name in alert_names() else "recording")


def test_runbooks_are_those_of_the_alerts() -> None:
    """Every alert has a page, and every page an alert."""
    assert sorted(path.stem for path in RUNBOOKS.iterdir()) == page_names()


@pytest.mark.parametrize("name", page_names())
def test_runbook_has_its_sections(name: str) -> None:
    """A page has its name as title, and the four sections in their order."""
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == _SECTIONS


@pytest.mark.parametrize("name", page_names())
def test_runbook_queries_parse_and_name_what_exists(name: str) -> None:
    """What a page tells to ask can be asked, one query a line."""
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    queries = [line.strip() for block in _QUERIES.findall(text) for line in block.splitlines()]
    named = {metric for query in queries if query for metric in metrics(query)}
    known = exported() | recorded()

    assert {metric for metric in named if "vigie" in metric} <= known


@pytest.mark.parametrize("rule", rules(), ids=_named)
def test_metrics_exist(rule: Rule) -> None:
    """A rule names only what the programs export, what a rule records, and Prometheus's own."""
    assert metrics(rule["expr"]) <= exported() | recorded() | _BUILT_IN


@pytest.mark.parametrize("rule", rules(), ids=_named)
def test_ranges_hold_four_scrapes(rule: Rule) -> None:
    """Every range holds at least four scrapes."""
    assert all(seconds >= _LEAST_RANGE_SECONDS for seconds in ranges_seconds(rule["expr"]))


@pytest.mark.parametrize("rule", rules(), ids=_named)
def test_bounds_are_buckets(rule: Rule) -> None:
    """An objective's bound is a bucket of the histogram that it reads."""
    bounds = {
        f"{name}_bucket": {str(float(bound)) for bound in family.buckets}
        for family in FAMILIES
        for name in (family.name,)
    }
    for bound in values(rule["expr"], "le"):
        for metric in metrics(rule["expr"]) & bounds.keys():
            assert bound in bounds[metric]


@pytest.mark.parametrize("rule", [rule for rule in rules() if "record" in rule], ids=_named)
def test_recording_rules_are_named_by_level_metric_and_operation(rule: Rule) -> None:
    """A recorded name is level:metric:operations."""
    assert re.fullmatch(r"[a-z]+:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*", rule["record"])


def test_recorded_series_are_used() -> None:
    """No threshold and no recorded series is left that no rule reads."""
    read_by_rules = {metric for rule in rules() for metric in metrics(rule["expr"])}
    for_dashboards = {name for name in recorded() if "badness" in name}

    assert recorded() - read_by_rules <= for_dashboards


def test_groups_have_names_of_their_own() -> None:
    """No two groups share a name, in whatever file."""
    names = [group["name"] for group in groups()]

    assert len(names) == len(set(names))


def test_scrape_jobs_are_those_that_rules_ask_for() -> None:
    """Every job that a rule matches is scraped."""
    jobs = {job["job_name"] for job in read(RULES / "prometheus.yml")["scrape_configs"]}

    assert {job for rule in rules() for job in values(rule["expr"], "job")} <= jobs


def test_every_watched_alert_has_a_target_or_is_about_vigie() -> None:
    """An alert is about a target, or says by its label that it is about Vigie itself."""
    for rule in alerts():
        about_target = "$labels.target" in rule["annotations"]["description"]
        assert about_target != (rule["labels"].get("component") == "vigie")


def test_inhibition_names_alerts_that_exist() -> None:
    """Each alert that an inhibition rule names is one of ours."""
    text = yaml.safe_dump(read(RULES / "alertmanager.yml")["inhibit_rules"])
    named = set(re.findall(r"Vigie[A-Za-z]+(?![A-Za-z(])", text))

    assert {name for name in named if name != "VigieTarget"} <= set(alert_names())
