"""Prometheus's relabelling: rules that rewrite a found target's labels, or leave it out.

Actions, defaults and order are those of prometheus.io, docs, configuration, relabel_config.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import md5
from typing import Annotated, Literal

from pydantic import Field, model_validator

from exporter.pattern import WholePattern, WholePatternText, whole
from exporter.target import between
from toolkit.settings import Settings

Labels = dict[str, str]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_NEEDS_TARGET = frozenset(
    {"replace", "lowercase", "uppercase", "hashmod", "keepequal", "dropequal"}
)


class Rule(Settings):
    """One relabelling rule."""

    source_labels: tuple[str, ...] = Field((), description="labels whose values are looked at")
    separator: str = Field(";", description="stands between their values")
    regex: WholePatternText = Field(
        "(.*)", description="what the whole of it must match; with labelmap and the like, a name"
    )
    modulus: Annotated[int, between(1, 1 << 53)] | None = Field(
        None, description="of hashmod: what the hash is divided by"
    )
    target_label: str = Field("", description="the label that is written")
    replacement: str = Field("$1", description="what is written, $1 for the first group")
    action: Literal[
        "replace",
        "keep",
        "drop",
        "keepequal",
        "dropequal",
        "hashmod",
        "lowercase",
        "uppercase",
        "labelmap",
        "labeldrop",
        "labelkeep",
    ] = Field("replace", description="what is done")

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.action in _NEEDS_TARGET and not self.target_label:
            raise ValueError(f"{self.action} writes no label; give target_label")
        if self.action == "hashmod" and self.modulus is None:
            raise ValueError("hashmod divides by nothing; give modulus")
        return self


def relabelled(labels: Mapping[str, str], rules: Iterable[Rule]) -> Labels | None:
    """Apply the rules in their order; None when one leaves the target out."""
    found = dict(labels)
    for rule in rules:
        value = rule.separator.join(found.get(name, "") for name in rule.source_labels)
        if not _STEPS[rule.action](rule, whole(rule.regex), value, found):
            return None
    return {name: value for name, value in found.items() if value}


def _replace(rule: Rule, pattern: WholePattern, value: str, labels: Labels) -> bool:
    groups = pattern.groups(value)
    if groups is None:
        return True
    name = expanded(rule.target_label, groups)
    if _NAME.fullmatch(name):
        labels[name] = expanded(rule.replacement, groups)
    return True


def _keep(_rule: Rule, pattern: WholePattern, value: str, _labels: Labels) -> bool:
    return pattern.groups(value) is not None


def _drop(_rule: Rule, pattern: WholePattern, value: str, _labels: Labels) -> bool:
    return pattern.groups(value) is None


def _keep_equal(rule: Rule, _pattern: WholePattern, value: str, labels: Labels) -> bool:
    return labels.get(rule.target_label, "") == value


def _drop_equal(rule: Rule, _pattern: WholePattern, value: str, labels: Labels) -> bool:
    return labels.get(rule.target_label, "") != value


def _hash(rule: Rule, _pattern: WholePattern, value: str, labels: Labels) -> bool:
    digest = md5(value.encode("utf-8", "replace"), usedforsecurity=False).digest()
    labels[rule.target_label] = str(int.from_bytes(digest[8:], "big") % (rule.modulus or 1))
    return True


def _lower(rule: Rule, _pattern: WholePattern, value: str, labels: Labels) -> bool:
    labels[rule.target_label] = value.lower()
    return True


def _upper(rule: Rule, _pattern: WholePattern, value: str, labels: Labels) -> bool:
    labels[rule.target_label] = value.upper()
    return True


def _map_names(rule: Rule, pattern: WholePattern, _value: str, labels: Labels) -> bool:
    for name, value in list(labels.items()):
        groups = pattern.groups(name)
        if groups is not None:
            labels[expanded(rule.replacement, groups)] = value
    return True


def _drop_names(_rule: Rule, pattern: WholePattern, _value: str, labels: Labels) -> bool:
    for name in [each for each in labels if pattern.groups(each) is not None]:
        del labels[name]
    return True


def _keep_names(_rule: Rule, pattern: WholePattern, _value: str, labels: Labels) -> bool:
    for name in [each for each in labels if pattern.groups(each) is None]:
        del labels[name]
    return True


_STEPS: Mapping[str, Callable[[Rule, WholePattern, str, Labels], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash,
    "lowercase": _lower,
    "uppercase": _upper,
    "labelmap": _map_names,
    "labeldrop": _drop_names,
    "labelkeep": _keep_names,
}


def expanded(template: str, groups: Mapping[str, str]) -> str:
    """Put groups in the place of `$1`, `${1}` and `$name`; one that is not there is empty."""

    def put(found: re.Match[str]) -> str:
        return "$" if found[1] else groups.get(found[2] or found[3], "")

    return _REFERENCE.sub(put, template)
