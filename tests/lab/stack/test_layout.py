"""The shipped files laid out in a work folder: where they go, what is changed, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.stack.configuration import Fit, Shipped, add_external_labels, lay_out
from lab.stack.errors import StackError

LABELS = {"vigie_url": "http://127.0.0.1:20001", "odd": 'a "b": #c'}


def _shipped(folder: Path) -> Shipped:
    rules = folder / "rules"
    for name in ("recording", "alerts", "runbooks"):
        (rules / name).mkdir(parents=True)
    (rules / "prometheus.yml").write_text(
        "global:\n  scrape_interval: 30s\n"
        "scrape_configs: [{job_name: p, static_configs: [{targets: ['prometheus:9090']}]}]\n"
    )
    (rules / "alertmanager.yml").write_text("route: {receiver: r, group_wait: 15s}\n")
    (rules / "recording" / "a.yml").write_text(
        "groups: [{name: a, rules: [{record: r, expr: 'rate(x[1m])'}]}]\n"
    )
    (rules / "alerts" / "b.yml").write_text(
        "groups: [{name: b, rules: [{alert: B, expr: up == 0, for: 1m}]}]\n"
    )
    (rules / "runbooks" / "B.md").write_text("for 1m\n")
    targets = folder / "targets.yml"
    targets.write_text("- targets: ['chat:8000']\n  labels: {interval: 30s}\n")
    return Shipped(rules=rules, targets=(targets,), beside={"token": "chat:8000"})


def test_every_file_lies_where_prometheus_yml_looks_for_it(tmp_path: Path) -> None:
    """Rules beside it, targets under targets/, and nothing that is no configuration."""
    folder = tmp_path / "work"
    lay_out(_shipped(tmp_path), Fit(addresses={"chat:8000": "127.0.0.1:1"}), folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        "alertmanager.yml",
        "alerts/b.yml",
        "prometheus.yml",
        "recording/a.yml",
        "targets/targets.yml",
        "token",
    ]
    assert "127.0.0.1:1'" in (folder / "targets" / "targets.yml").read_text()
    assert "interval: 30s" in (folder / "targets" / "targets.yml").read_text()
    assert (folder / "token").read_text() == "127.0.0.1:1"
    assert "for: 4s" in (folder / "alerts" / "b.yml").read_text()


def test_ranges_hold_four_of_the_shipped_scrape_intervals(tmp_path: Path) -> None:
    """A minute over scrapes each 30 s would be four seconds; four scaled scrapes are eight."""
    lay_out(_shipped(tmp_path), Fit(), tmp_path / "work")
    assert "[8s]" in (tmp_path / "work" / "recording" / "a.yml").read_text()


def test_a_factor_of_one_changes_nothing_but_addresses(tmp_path: Path) -> None:
    """Without scaling the files are the shipped ones to the byte, but for short ranges."""
    shipped = _shipped(tmp_path)
    lay_out(shipped, Fit(factor=1), tmp_path / "work")
    for name in ("prometheus.yml", "alertmanager.yml", "alerts/b.yml"):
        assert (tmp_path / "work" / name).read_text() == (shipped.rules / name).read_text()


@pytest.mark.parametrize(
    "text",
    [
        "scrape_configs: []\n",
        "global:\n  scrape_interval: 15s\n",
        "# first\n---\nglobal:\n    # kept\n    scrape_interval: 15s\nrule_files: []\n",
        "global: {}\n",
        "global: {scrape_interval: 15s}\n",
        "global:\n  external_labels:\n    region: a\n    zone: b\n  scrape_interval: 15s\n",
        "global: {external_labels: {region: a}}\n",
        "global: {external_labels: {}}\n",
    ],
)
def test_external_labels_are_added_to_those_that_are_there(text: str) -> None:
    """However the file writes `global`, the labels join it and all else stays."""
    before, after = yaml.safe_load(text), yaml.safe_load(add_external_labels(text, LABELS))
    there = (before.get("global") or {}).get("external_labels") or {}
    assert after["global"].pop("external_labels") == LABELS | there
    before.get("global", {}).pop("external_labels", None)
    assert after == {"global": {}} | before


def test_no_labels_leave_the_text_alone() -> None:
    """Nothing to add is nothing to change, even where the file is odd."""
    assert add_external_labels("global: []", {}) == "global: []"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("prometheus.yml", "global: [", "not YAML"),
        ("prometheus.yml", "- a\n", "no mapping at its top"),
        ("prometheus.yml", "global: 5\n", "global is no mapping"),
        (
            "alerts/b.yml",
            "groups: [{rules: [{expr: 'x[300]'}]}]",
            "'300' is no Prometheus duration",
        ),
        ("alertmanager.yml", None, "cannot be read: No such file"),
    ],
)
def test_a_shipped_file_that_is_wrong_is_named(
    tmp_path: Path, name: str, text: str | None, problem: str
) -> None:
    """The error starts with the file's path."""
    shipped = _shipped(tmp_path)
    file = shipped.rules / name
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    with pytest.raises(StackError, match=f"^{file}: .*{problem}"):
        lay_out(shipped, Fit(external_labels=LABELS), tmp_path / "work")
