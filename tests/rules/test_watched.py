"""Both programs watched: no family of their own is looked at by nobody."""

from __future__ import annotations

import json
import re

from tests.rules.expressions import exported, metrics
from tests.rules.files import ROOT, RUNBOOKS, alerts, page_names, rules

# Neither an alert nor a panel asks for these; why each is there all the same.
REASONS = {
    "vigie_exporter_build_info": "which version runs, to be joined with anything else",
    "vigie_exporter_config_last_reload_success_timestamp_seconds": "what runs since when",
    "vigie_responder_build_info": "which version runs, to be joined with anything else",
    "vigie_responder_outbox_failures": "attempts by outcome say it as well; older rules ask for it",
}
_OWN = ("vigie_exporter_", "vigie_responder_")
_SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


def _families() -> set[str]:
    """List the programs' own families, each without what its type adds to the name."""
    named = {name for name in exported() if name.startswith(_OWN)}
    return {_SUFFIX.sub("", name) for name in named}


def _asked() -> dict[str, set[str]]:
    """Give what rules ask for, and what panels do."""
    boards = (ROOT / "grafana" / "dashboards").glob("*.json")
    panels = [panel for board in boards for panel in json.loads(board.read_text())["panels"]]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    plain = [re.sub(r"\$__(rate_interval|range)\b", "1m", each) for each in asked]
    return {
        "rules": {_SUFFIX.sub("", name) for rule in rules() for name in metrics(rule["expr"])},
        "panels": {_SUFFIX.sub("", name) for each in plain for name in metrics(each)},
    }


def test_every_family_is_looked_at() -> None:
    """Each family is in an alert, in a panel, or in the list of those that need neither."""
    asked = _asked()
    seen = asked["rules"] | asked["panels"]

    assert sorted(_families() - seen - REASONS.keys()) == []
    assert sorted(REASONS.keys() & seen) == []
    assert REASONS.keys() <= _families()


def test_every_family_is_on_a_panel_or_in_a_rule_that_exists() -> None:
    """What rules and panels ask of the two programs is exported by them."""
    asked = _asked()
    named = {name for name in asked["rules"] | asked["panels"] if name.startswith(_OWN)}

    assert named <= _families()


def test_readme_tells_what_each_alert_about_the_responder_means() -> None:
    """README's table has every alert about the responder, in the rule's own words, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(Vigie\w+)` \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    about = {
        (rule["alert"], rule["labels"]["severity"], rule["annotations"]["summary"])
        for rule in alerts()
        if rule["alert"].startswith(("VigieResponder", "VigieWatchdog"))
    }

    assert sorted(told) == sorted(about)


def test_runbooks_name_settings_and_alerts_that_exist() -> None:
    """A page leads on to alerts that there are."""
    for page in RUNBOOKS.iterdir():
        named = set(re.findall(r"\bVigie[A-Z]\w+", page.read_text(encoding="utf-8")))
        assert named <= set(page_names()), page.name
