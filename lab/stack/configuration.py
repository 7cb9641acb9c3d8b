"""Lays the shipped rules and configuration out in a work folder, scaled and with real addresses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lab.stack.errors import StackError
from lab.stack.scale import (
    map_addresses,
    scale_alertmanager,
    scale_prometheus,
    scale_rules,
    scrape_interval_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROMETHEUS_FILE = "prometheus.yml"
ALERTMANAGER_FILE = "alertmanager.yml"
RULE_FOLDERS = ("recording", "alerts")

DEMO_FACTOR = 15.0
"""Durations are divided by this in the demo and the end-to-end tests: 15 s become 1 s."""

_REMEDY = "correct the shipped file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipped:
    """Where the configuration comes from.

    `rules` is the folder of prometheus.yml, alertmanager.yml, recording/ and alerts/; `targets`
    are service discovery files, copied to targets/ beside prometheus.yml; `beside` are further
    texts, by name, that the two files refer to.
    """

    rules: Path
    targets: tuple[Path, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How it is made to fit: durations divided by `factor`, addresses mapped, labels added."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    factor: float = DEMO_FACTOR
    external_labels: Mapping[str, str] = field(default_factory=dict)


def lay_out(shipped: Shipped, fit: Fit, folder: Path) -> None:
    """Write every file into `folder`; raises StackError naming the shipped file that is wrong."""
    for path, text in fitted(shipped, fit):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def fitted(shipped: Shipped, fit: Fit) -> Iterator[tuple[str, str]]:
    """Give each file's path in the work folder and its text."""
    prometheus = _read(shipped.rules / PROMETHEUS_FILE)
    scrape_interval = _changed(shipped.rules / PROMETHEUS_FILE, prometheus, scrape_interval_of)

    def fit_prometheus(text: str) -> str:
        labelled = add_external_labels(text, fit.external_labels)
        return map_addresses(scale_prometheus(labelled, fit.factor), fit.addresses)

    def fit_alertmanager(text: str) -> str:
        return map_addresses(scale_alertmanager(text, fit.factor), fit.addresses)

    def fit_rules(text: str) -> str:
        scaled = scale_rules(text, fit.factor, scrape_interval=scrape_interval)
        return map_addresses(scaled, fit.addresses)

    yield PROMETHEUS_FILE, _changed(shipped.rules / PROMETHEUS_FILE, prometheus, fit_prometheus)
    alertmanager = shipped.rules / ALERTMANAGER_FILE
    yield ALERTMANAGER_FILE, _changed(alertmanager, _read(alertmanager), fit_alertmanager)
    for name in RULE_FOLDERS:
        for file in sorted((shipped.rules / name).glob("*.yml")):
            yield f"{name}/{file.name}", _changed(file, _read(file), fit_rules)
    for file in shipped.targets:
        yield f"targets/{file.name}", map_addresses(_read(file), fit.addresses)
    for name, text in shipped.beside.items():
        yield name, map_addresses(text, fit.addresses)


def add_external_labels(text: str, labels: Mapping[str, str]) -> str:
    """Add labels to `global.external_labels` of a prometheus.yml, before those that are there.

    Raises ValueError where the text is not YAML, or has no mapping in those places.
    """
    if not labels:
        return text
    root = _compose(text)
    block = _value_of(root, "global")
    if block is None:
        return f"global:\n  external_labels: {_flow(labels)}\n{text}"
    there = _value_of(block, "external_labels")
    if there is None:
        return _insert(text, block, {"external_labels": _flow(labels)})
    return _insert(text, there, {name: json.dumps(value) for name, value in labels.items()})


def _compose(text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("no mapping at its top")  # noqa: TRY004 - the file is wrong, no argument
    return root


def _value_of(node: yaml.MappingNode, key: str) -> yaml.MappingNode | None:
    for name, value in node.value:
        if name.value == key:
            if not isinstance(value, yaml.MappingNode):
                raise ValueError(f"{key} is no mapping")
            return value
    return None


def _insert(text: str, node: yaml.MappingNode, written: Mapping[str, str]) -> str:
    """Put keys, their values already written as YAML, before a mapping's first."""
    start = node.start_mark.index
    pairs = [f"{json.dumps(name)}: {value}" for name, value in written.items()]
    if node.flow_style:
        inserted = ", ".join(pairs) + (", " if node.value else "")
        return text[: start + 1] + inserted + text[start + 1 :]
    separator = "\n" + " " * node.start_mark.column
    return text[:start] + separator.join([*pairs, ""]) + text[start:]


def _flow(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise StackError(str(file), f"cannot be read: {error.strerror}", _REMEDY) from error


def _changed(file: Path, text: str, change: Callable[[str], str]) -> str:
    try:
        return change(text)
    except ValueError as error:
        raise StackError(str(file), str(error), _REMEDY) from error
