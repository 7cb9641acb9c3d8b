"""Alertmanager's routing tree: which receivers an alert goes to, and how long it is held first.

The form is that of its configuration (docs: alerting/configuration, route and matcher).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from toolkit.settings import seconds

_MOST_DEEP = 50
_MATCHER = re.compile(r'^\s*("?)([^"=!~]+)\1\s*(=~|!~|!=|=)\s*(.*?)\s*$', re.DOTALL)
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class UnsureError(Exception):
    """A configuration holds what is not understood here; nothing is concluded from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """One condition on a label; a label that is absent is empty."""

    name: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels meet it."""
        there = labels.get(self.name, "")
        if self.operator in {"=", "!="}:
            is_met = there == self.value
        else:
            is_met = re.fullmatch(self.value, there) is not None
        return is_met is not self.operator.startswith("!")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One node; `is_timed` says that it sends at certain times only."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    wait_seconds: float = 30.0
    interval_seconds: float = 300.0
    is_timed: bool = False
    routes: tuple[Route, ...] = field(default=())

    def match(self, labels: Mapping[str, str]) -> Sequence[Route]:
        """Give the routes that an alert ends in, as Alertmanager's dispatcher finds them."""
        if not all(matcher.matches(labels) for matcher in self.matchers):
            return ()
        found: list[Route] = []
        for route in self.routes:
            ends = route.match(labels)
            found += ends
            if ends and not route.goes_on:
                break
        return found or [self]

    def all(self) -> Sequence[Route]:
        """Give the node and all below it."""
        return [self, *(each for route in self.routes for each in route.all())]


def read_routes(configuration: str) -> Route:
    """Read the tree out of a configuration as /api/v2/status shows it; raises UnsureError."""
    try:
        document = yaml.safe_load(configuration)
        return _route(document["route"], Route(receiver=""), 0)
    except (yaml.YAMLError, re.error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnsureError(f"Alertmanager's routes: {type(error).__name__}") from None


def _route(raw: Mapping[str, Any], above: Route, depth: int) -> Route:
    if depth > _MOST_DEEP:
        raise UnsureError("Alertmanager's routes: too deep")
    own = replace(
        above,
        receiver=str(raw.get("receiver") or above.receiver),
        matchers=_matchers(raw),
        goes_on=bool(raw.get("continue")),
        wait_seconds=_duration(raw.get("group_wait"), above.wait_seconds),
        interval_seconds=_duration(raw.get("group_interval"), above.interval_seconds),
        is_timed=bool(raw.get("mute_time_intervals") or raw.get("active_time_intervals")),
        routes=(),
    )
    below = raw.get("routes") or ()
    return replace(own, routes=tuple(_route(each, own, depth + 1) for each in below))


def _duration(raw: Any, default: float) -> float:
    return default if raw is None else seconds(str(raw))


def _matchers(raw: Mapping[str, Any]) -> tuple[Matcher, ...]:
    found = [_checked(name, "=", value) for name, value in (raw.get("match") or {}).items()]
    found += [_checked(name, "=~", value) for name, value in (raw.get("match_re") or {}).items()]
    given = raw.get("matchers") or ()
    for text in [given] if isinstance(given, str) else given:
        found += read_matchers(text)
    return tuple(found)


def read_matchers(text: str) -> Sequence[Matcher]:
    """Read matchers written like `{a="b", c=~"d"}`; raises ValueError, re.error."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    found = []
    for part in _PART.findall(inner):
        if not part.strip():
            continue
        read = _MATCHER.match(part)
        if read is None:
            raise ValueError("not a matcher")
        found.append(_checked(read[2].strip(), read[3], _unquoted(read[4])))
    return found


def _checked(name: Any, operator: str, value: Any) -> Matcher:
    if "~" in operator:
        re.compile(str(value))
    return Matcher(name=str(name), operator=operator, value=str(value))


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    if len(text) < len('""') or not text.endswith('"'):
        raise ValueError("a quote is open")
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text[1:-1])
