"""Relabelling rules do what Prometheus's do."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from exporter.relabel import Rule, relabelled

A = {"a": "foo", "b": "bar", "c": "baz"}

# Expected values follow Prometheus's documentation of relabel_config.
TABLE: dict[str, tuple[dict[str, str], list[Rule], dict[str, str] | None]] = {
    "replace": (
        A,
        [Rule(source_labels=("a",), regex="f(.*)", target_label="d", replacement="ch${1}-ch${1}")],
        {**A, "d": "choo-choo"},
    ),
    "several labels": (
        A,
        [Rule(source_labels=("a", "b"), regex="foo;(.*)", target_label="a", replacement="$1")],
        {**A, "a": "bar"},
    ),
    "no match leaves all": (
        A,
        [Rule(source_labels=("a",), regex="oo", target_label="d")],
        A,
    ),
    "an empty value takes the label away": (
        A,
        [Rule(source_labels=("x",), target_label="a", regex="()")],
        {"b": "bar", "c": "baz"},
    ),
    "a name that is none is not written": (
        A,
        [Rule(source_labels=("a",), target_label="${1}-", regex="(.*)")],
        A,
    ),
    "the name from a group": (
        A,
        [Rule(source_labels=("a",), target_label="x_${1}", regex="(.*)", replacement="v")],
        {**A, "x_foo": "v"},
    ),
    "named group": (
        A,
        [Rule(source_labels=("a",), regex="(?P<h>.).*", target_label="d", replacement="${h}$$")],
        {**A, "d": "f$"},
    ),
    "line break in a value": (
        {"a": "x\ny"},
        [Rule(source_labels=("a",), target_label="d")],
        {"a": "x\ny", "d": "x\ny"},
    ),
    "drop": (A, [Rule(source_labels=("a",), regex=".*o.*", action="drop")], None),
    "drop not": (A, [Rule(source_labels=("a",), regex="f", action="drop")], A),
    "keep": (A, [Rule(source_labels=("a",), regex="foo", action="keep")], A),
    "keep not": (A, [Rule(source_labels=("a",), regex="fo", action="keep")], None),
    "keepequal": (
        {"a": "1", "b": "2"},
        [Rule(source_labels=("a",), target_label="b", action="keepequal")],
        None,
    ),
    "dropequal": (
        {"a": "1", "b": "1"},
        [Rule(source_labels=("a",), target_label="b", action="dropequal")],
        None,
    ),
    "hashmod": (
        A,
        [Rule(source_labels=("c",), target_label="d", modulus=1000, action="hashmod")],
        {**A, "d": "976"},
    ),
    "lowercase": (
        {"a": "FoO"},
        [Rule(source_labels=("a",), target_label="b", action="lowercase")],
        {"a": "FoO", "b": "foo"},
    ),
    "uppercase": (
        {"a": "FoO"},
        [Rule(source_labels=("a",), target_label="b", action="uppercase")],
        {"a": "FoO", "b": "FOO"},
    ),
    "labelmap": (
        {"__meta_l_app": "x", "other": "y"},
        [Rule(regex="__meta_l_(.+)", action="labelmap")],
        {"__meta_l_app": "x", "other": "y", "app": "x"},
    ),
    "labeldrop": (A, [Rule(regex="[ab]", action="labeldrop")], {"c": "baz"}),
    "labelkeep": (A, [Rule(regex="[ab]", action="labelkeep")], {"a": "foo", "b": "bar"}),
    "in order": (
        A,
        [
            Rule(source_labels=("a",), target_label="b"),
            Rule(source_labels=("b",), regex="foo", action="keep"),
        ],
        {**A, "b": "foo"},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_rule(name: str) -> None:
    """Each action, and what it leaves alone."""
    labels, rules, expected = TABLE[name]
    before = dict(labels)
    assert relabelled(labels, rules) == expected
    assert labels == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "hashmod", "target_label": "a"}, "give modulus"),
        ({"action": "replace"}, "give target_label"),
        ({"regex": "("}, "not a regular expression"),
        ({"action": "explode"}, "action"),
    ],
)
def test_rule_that_cannot_be_is_refused(given: dict[str, str], said: str) -> None:
    """When it is read, with a remedy."""
    with pytest.raises(ValidationError, match=re.escape(said)):
        Rule.model_validate(given)
