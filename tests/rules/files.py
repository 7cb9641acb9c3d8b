"""The shipped rule files, their cases and their pages, as they lie in the checkout."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from responder.patrol.concern import ALERTNAME

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"
RUNBOOKS = RULES / "runbooks"
CASE_FILES = tuple(sorted(Path(__file__).parent.glob("*.yml")))

Rule = dict[str, Any]


@functools.cache
def read(path: Path) -> Any:
    """Read one YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rule_files() -> tuple[Path, ...]:
    """List all rule files, the recording ones first."""
    return (
        *sorted((RULES / "recording").glob("*.yml")),
        *sorted((RULES / "alerts").glob("*.yml")),
    )


def groups() -> Iterator[dict[str, Any]]:
    """All groups of all files."""
    for path in rule_files():
        yield from read(path)["groups"]


def rules() -> list[Rule]:
    """All rules of all groups."""
    return [rule for group in groups() for rule in group["rules"]]


def alerts() -> list[Rule]:
    """Pick the alerting ones among them; one name may come in two severities."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    """List the names that recording rules write."""
    return {rule["record"] for rule in rules() if "record" in rule}


def alert_names() -> list[str]:
    """Each alert's name, once."""
    return sorted({rule["alert"] for rule in alerts()})


def page_names() -> list[str]:
    """Each alert that has a page: the rules', and the one that the responder raises itself."""
    return sorted([*alert_names(), ALERTNAME])


def cases() -> list[dict[str, Any]]:
    """All cases of all promtool files."""
    return [case for path in CASE_FILES for case in read(path)["tests"]]
