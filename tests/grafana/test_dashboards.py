"""What every dashboard is held to: it is what the code makes, and asks for what exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from grafana.boards import threshold
from grafana.build import DASHBOARDS, FOLDER, render
from tests.rules.expressions import exported, metrics, values
from tests.rules.files import ROOT, RULES, alerts, read, recorded

_VARIABLE = re.compile(r"\$\{?(\w+)")
_GRAFANA_OWN = {"__rate_interval", "__range", "__value", "__url_time_range", "__all"}
_PROMETHEUS_OWN = {"ALERTS", "up"}
_GRID = 24

Board = dict[str, Any]


def _boards() -> list[Board]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.iterdir())]


def _panels() -> list[dict[str, Any]]:
    return [panel for board in _boards() for panel in board["panels"]]


def _expressions(board: Board) -> Iterator[str]:
    """Yield what panels and annotations ask, with Grafana's variables filled in."""
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [note["target"]["expr"] for note in board["annotations"].get("list", ())]
    for expression in asked:
        yield (
            expression.replace("$__rate_interval", "1m")
            .replace("$__range", "3h")
            .replace("$responders", ".+")
            .replace("$exporters", ".+")
            .replace("$job", ".+")
            .replace("$target", ".+")
        )


_ALL_EXPRESSIONS = [expression for board in _boards() for expression in _expressions(board)]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_committed_dashboard_is_what_the_code_makes(name: str) -> None:
    """The file in the repository is the one that build.py writes."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == render(DASHBOARDS[name]())


def test_no_dashboard_is_left_over() -> None:
    """There is no file that no code makes."""
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_has_its_name_as_uid(name: str) -> None:
    """The links of the alerts lead to a dashboard by its uid, which is its file's name."""
    board = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    assert board["uid"] == name
    assert {"id", "version"}.isdisjoint(board)


@pytest.mark.parametrize("panel", _panels(), ids=lambda panel: panel["title"])
def test_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """Every panel has a title, a description in a sentence, a unit, and a variable source."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"


def test_panels_lie_side_by_side() -> None:
    """No two panels of a dashboard overlap, and none leaves the grid."""
    for board in _boards():
        places = [panel["gridPos"] for panel in board["panels"]]
        assert all(place["x"] + place["w"] <= _GRID for place in places)
        for one, two in combinations(places, 2):
            aside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
            above = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
            assert aside or above


def test_panels_have_numbers_of_their_own() -> None:
    """No two panels of a dashboard share an id."""
    for board in _boards():
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("expression", _ALL_EXPRESSIONS)
def test_metrics_exist(expression: str) -> None:
    """Each expression is PromQL, and names what is exported, recorded, or Prometheus's own."""
    assert metrics(expression) <= exported() | recorded() | _PROMETHEUS_OWN


@pytest.mark.parametrize("expression", _ALL_EXPRESSIONS)
def test_counters_are_read_as_rates(expression: str) -> None:
    """A counter is never shown as it stands."""
    for name in metrics(expression):
        if name.endswith("_total"):
            assert re.search(rf"\b(rate|increase)\({name}\b", expression)


def test_variables_are_declared() -> None:
    """A dashboard names only variables that it has, and Grafana's own."""
    for board in _boards():
        known = {variable["name"] for variable in board["templating"]["list"]} | _GRAFANA_OWN
        named = set(_VARIABLE.findall(json.dumps(board))) - {"1"}
        assert named <= known


def test_states_have_a_name_for_each_number() -> None:
    """The numbers that the rules give to states are the ones that the dashboard names."""
    rule = next(
        rule["expr"]
        for group in read(RULES / "recording" / "states.yml")["groups"]
        for rule in group["rules"]
        if rule["record"] == "target:vigie_target_badness:max"
    )
    numbered = dict(re.findall(r"(\d) \* \(vigie_target_state\{state=\"(\w+)\"\}", rule))
    timeline = next(panel for panel in _panels() if panel["type"] == "state-timeline")
    options = timeline["fieldConfig"]["defaults"]["mappings"][0]["options"]

    assert {number: option["text"] for number, option in options.items()} == numbered
    assert len(numbered) == len(values(rule, "state"))


def test_threshold_is_read_from_the_rules() -> None:
    """A limit written as a product is its value in seconds."""
    assert threshold("vigie:certificate_expiry_critical:seconds") == 3 * 86400


def test_alerts_lead_to_a_dashboard_that_exists() -> None:
    """The dashboard that an alert links to is one of ours, with the variable it sets."""
    for rule in alerts():
        link = rule["annotations"]["dashboard_url"]
        found = re.search(r"/d/([\w-]+)(?:\?var-(\w+)=)?", link)
        assert found is not None
        board = json.loads((FOLDER / f"{found[1]}.json").read_text(encoding="utf-8"))
        named = {variable["name"] for variable in board["templating"]["list"]}
        assert found[2] is None or found[2] in named


def test_provisioning_fits_together() -> None:
    """Grafana is told of the folder that compose mounts, and asks the Prometheus of compose."""
    folder = ROOT / "grafana" / "provisioning"
    provider = yaml.safe_load((folder / "dashboards" / "vigie.yml").read_text(encoding="utf-8"))
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    mounted = {volume.split(":")[1] for volume in services["grafana"]["volumes"]}

    assert provider["providers"][0]["options"]["path"] in mounted
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
