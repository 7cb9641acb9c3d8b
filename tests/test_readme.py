"""README says what is so: its snippets are loaded, its commands run, its targets exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load as load_exporter
from responder.config import load_config as load_responder
from tests.tree import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^    (vigie-(?:exporter|responder) ?[^#\n]*)", TEXT, re.MULTILINE)
ENVIRON = {
    "KUBERNETES_TOKEN": "token",
    "MISTRAL_API_KEY": "key",
    "SLACK_TOKEN": "xoxb-token",
    "SMTP_PASSWORD": "password",
    "VIGIE_DATABASE": "postgresql://vigie@127.0.0.1/vigie",
}
# How a snippet is known: by the keys that only its kind has at the top.
KINDS = {
    "exporter": {"targets", "discovery"},
    "responder": {
        "database",
        "sources",
        "retention",
        "channels",
        "comparison",
        "patrol",
        "replica",
        "analyst",
    },
    "prometheus": {"scrape_configs"},
    "alertmanager": {"receivers"},
}


def kind(snippet: str) -> str:
    """Tell whose configuration a snippet is; exactly one program must know its keys."""
    keys = set(yaml.safe_load(snippet))
    (found,) = [name for name, known in KINDS.items() if keys & known]
    return found


def of(name: str) -> list[str]:
    """Give the snippets of one program."""
    return [snippet for snippet in SNIPPETS if kind(snippet) == name]


def run(*argv: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **ENVIRON, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_program_has_a_snippet() -> None:
    """Nothing that README configures is left out of these tests."""
    assert {kind(snippet) for snippet in SNIPPETS} == set(KINDS)


def outside_a_cluster(snippet: str) -> str:
    """Name the API that a pod finds by itself, with its account's token."""
    place = "\n    api_server: https://k.example\n    auth: {bearer: {env: KUBERNETES_TOKEN}}\n"
    return snippet.replace("- kind: kubernetes\n", f"- kind: kubernetes{place}")


@pytest.mark.parametrize("snippet", of("exporter"))
def test_exporter_configurations_load(snippet: str, tmp_path: Path) -> None:
    """The exporter takes what README has it configured with."""
    (tmp_path / "exporter.yml").write_text(outside_a_cluster(snippet))
    load_exporter(tmp_path / "exporter.yml", environ=ENVIRON)


@pytest.mark.parametrize("snippet", of("responder"))
def test_responder_configurations_load(snippet: str, tmp_path: Path) -> None:
    """The responder takes what README has it configured with."""
    (tmp_path / "responder.yml").write_text(snippet)
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    load_responder(tmp_path / "responder.yml", ENVIRON)


def test_prometheus_takes_its_snippet(tmp_path: Path, programs: Mapping[str, Path]) -> None:
    """Prometheus takes what README adds to its configuration."""
    (snippet,) = of("prometheus")
    (tmp_path / "prometheus.yml").write_text(snippet)
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    done = run(programs["promtool"], "check", "config", "prometheus.yml", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_takes_its_snippet(tmp_path: Path, programs: Mapping[str, Path]) -> None:
    """Alertmanager takes what README adds, with a receiver of one's own in place."""
    (snippet,) = of("alertmanager")
    settings: dict[str, Any] = yaml.safe_load(snippet)
    settings["receivers"].append({"name": settings["route"]["receiver"]})
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(settings))
    done = run(programs["amtool"], "check-config", "alertmanager.yml", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out README's first two configurations, and the rules that they name."""
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    (tmp_path / "lab").symlink_to(ROOT / "lab")
    for name in ("exporter", "responder"):
        (tmp_path / f"{name}.yml").write_text(of(name)[0])
    return tmp_path


@pytest.mark.parametrize("line", [each for each in COMMANDS if len(each.split()) > 1])
def test_commands_run(line: str, folder: Path) -> None:
    """Each command ends well; one that would run on says what it is by its help."""
    program, *arguments = shlex.split(line)
    arguments = [each.replace("/var/backups", str(folder)) for each in arguments]
    is_service = arguments[0].startswith("--")
    if "backup" in arguments:  # there must be something to copy
        assert run(*_module(program), "requeue", "--all", folder=folder).returncode == 0
    done = run(*_module(program), *arguments, *(["--help"] if is_service else []), folder=folder)

    if arguments[0] == "verdict":  # README's incident is nobody's
        assert (done.returncode, "no such incident" in done.stderr) == (1, True), done.stderr
        return
    assert done.returncode == 0, done.stdout + done.stderr


def _module(program: str) -> tuple[str, ...]:
    return (sys.executable, "-m", program.removeprefix("vigie-"))


def test_targets_exist() -> None:
    """Every `make` target that README names is in the Makefile."""
    named = set(re.findall(r"`make ([a-z-]+)|^    make ([a-z-]+)", TEXT, re.MULTILINE))
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {one or two for one, two in named} <= there


def test_links_lead_somewhere() -> None:
    """Every relative link, and every path of the checkout in backquotes, is there."""
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    paths = re.findall(r"`((?:rules|grafana|deploy|lab|tests)/[\w./-]*)`", TEXT)

    assert [each for each in (*linked, *paths) if not (ROOT / each).exists()] == []
