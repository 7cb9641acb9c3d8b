"""Makes the shipped YAML files fit one machine and little time: shorter durations, real addresses.

Texts are edited in place: what is not a duration or an address keeps its bytes, comments too.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

import yaml

from lab.stack.durations import scale_duration, scale_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EXPORTER_KEYS = frozenset({"interval", "timeout"})
RESPONDER_KEYS = frozenset({"quiet", "interval", "join_within", "occurrence_within", "refresh"})

DEFAULT_SCRAPE_INTERVAL = "1m"
"""Prometheus's own, where prometheus.yml has none."""

ITEM = "*"
"""Stands for any element of a sequence in a node's path."""

_SCRAPE_KEYS = frozenset({"scrape_interval", "scrape_timeout", "evaluation_interval"})
_SCRAPERS = frozenset({("global",), ("scrape_configs", ITEM)})
_ROUTE_KEYS = frozenset({"group_wait", "group_interval", "repeat_interval"})
_RULE = ("groups", ITEM, "rules", ITEM)
_RULE_DURATIONS = frozenset(
    {("groups", ITEM, "interval"), (*_RULE, "for"), (*_RULE, "keep_firing_for")}
)
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")


def scale_prometheus(text: str, factor: float) -> str:
    """Divide the scrape and evaluation intervals and timeouts of a prometheus.yml."""

    def change(path: tuple[str, ...], value: str) -> str:
        scaled = path[:-1] in _SCRAPERS and path[-1] in _SCRAPE_KEYS
        return _scaled(value, factor) if scaled else value

    return rewrite(text, change)


def scale_alertmanager(text: str, factor: float) -> str:
    """Divide the routes' waits and intervals, and resolve_timeout, of an alertmanager.yml."""

    def change(path: tuple[str, ...], value: str) -> str:
        in_route = path[0] == "route" and path[-1] in _ROUTE_KEYS and path[-2] in {"route", ITEM}
        scaled = in_route or path == ("global", "resolve_timeout")
        return _scaled(value, factor) if scaled else value

    return rewrite(text, change)


def scale_rules(text: str, factor: float, *, scrape_interval: str) -> str:
    """Divide the durations of a rule file: interval, for, keep_firing_for, and those inside expr.

    `scrape_interval` is the unscaled one; raises ValueError for a range that cannot be read.
    """

    def change(path: tuple[str, ...], value: str) -> str:
        if path == (*_RULE, "expr"):
            return scale_expression(value, factor, scrape_interval=scrape_interval)
        return _scaled(value, factor) if path in _RULE_DURATIONS else value

    return rewrite(text, change)


def scale_keys(text: str, keys: frozenset[str], factor: float) -> str:
    """Divide every duration that stands under one of these keys, at any depth."""
    return rewrite(text, lambda path, value: _scaled(value, factor) if path[-1] in keys else value)


def scrape_interval_of(text: str) -> str:
    """Read the global scrape interval of a prometheus.yml."""
    found = [DEFAULT_SCRAPE_INTERVAL]

    def look(path: tuple[str, ...], value: str) -> str:
        if path == ("global", "scrape_interval"):
            found.append(value)
        return value

    rewrite(text, look)
    return found[-1]


def map_addresses(text: str, addresses: Mapping[str, str]) -> str:
    """Replace every `name:port` by where it really listens; each once, longer names first.

    An address inside a longer one (`chat:8000` in `vllm-chat:8000` or `chat:80001`) is left alone.
    """
    if not addresses:
        return text
    names = sorted(addresses, key=len, reverse=True)
    either = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf"(?<![\w.-])(?:{either})(?![\w])")
    return pattern.sub(lambda match: addresses[match.group()], text)


def rewrite(text: str, change: Callable[[tuple[str, ...], str], str]) -> str:
    """Put `change(path, value)` in the place of every scalar of a YAML text that is no key.

    Only scalars whose value changes are touched. A plain or block scalar is given as it is written
    (a block with its indentation), a quoted one as what it means. Raises ValueError where the text
    is not YAML.
    """
    edits: list[tuple[int, int, str]] = []
    try:
        for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
            for path, node in _scalars(root, (), set()):
                start, written, value = _written(text, node)
                changed = change(path, value)
                if changed != value:
                    quoted = node.style in {"'", '"'}
                    changed = json.dumps(changed, ensure_ascii=False) if quoted else changed
                    edits.append((start, start + len(written), changed))
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    for start, end, changed in sorted(edits, reverse=True):
        text = text[:start] + changed + text[end:]
    return text


def _scaled(value: str, factor: float) -> str:
    # What is no duration stays: the program that reads the file says what is wrong with it.
    with contextlib.suppress(ValueError):
        return scale_duration(value, factor)
    return value


def _scalars(
    node: yaml.Node | None, path: tuple[str, ...], seen: set[int]
) -> Iterator[tuple[tuple[str, ...], yaml.ScalarNode]]:
    # An alias is the anchored node once more: visited once, it is also edited once.
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if path:
            yield path, node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, (*path, ITEM), seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, str(key.value)), seen)


def _written(text: str, node: yaml.ScalarNode) -> tuple[int, str, str]:
    """Find a scalar's start, its text there without tag, anchor and block header, and its value."""
    start, end = node.start_mark.index, node.end_mark.index
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    if node.style in {"|", ">"}:
        start = text.index("\n", start, end) + 1
    written = text[start:end]
    return start, written, str(node.value) if node.style in {"'", '"'} else written
