"""The shipped YAML files made to fit: only durations and addresses change, and only the named."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.stack.durations import format_duration, scale_duration
from lab.stack.scale import (
    EXPORTER_KEYS,
    RESPONDER_KEYS,
    map_addresses,
    rewrite,
    scale_alertmanager,
    scale_keys,
    scale_prometheus,
    scale_rules,
    scrape_interval_of,
)

PROMETHEUS = """\
# Kept: 15s
global:
  scrape_interval: 15s  # each quarter of a minute
  scrape_timeout: "10s"
  evaluation_interval: 15s
  external_labels: {scrape_interval: 15s}
scrape_configs:
  - job_name: a
    scrape_interval: 1m
    static_configs: [{targets: ["exporter:10917"], labels: {for: 5m}}]
alerting:
  alertmanagers:
    - timeout: 10s
"""


def test_prometheus_scales_scrapes_and_evaluations_alone() -> None:
    """Intervals and timeouts of scrapes change; comments and others' durations do not."""
    expected = (
        PROMETHEUS.replace("scrape_interval: 15s  #", "scrape_interval: 1s  #")
        .replace('"10s"', '"667ms"')
        .replace("evaluation_interval: 15s", "evaluation_interval: 1s")
        .replace("scrape_interval: 1m", "scrape_interval: 4s")
    )
    assert scale_prometheus(PROMETHEUS, 15) == expected


def test_the_scrape_interval_is_read_with_prometheus_own_default() -> None:
    """A file without one has Prometheus's minute."""
    assert scrape_interval_of(PROMETHEUS) == "15s"
    assert scrape_interval_of("scrape_configs: []\n") == "1m"


def test_alertmanager_scales_routes_and_resolve_timeout_alone() -> None:
    """Every route's waits change, at any depth; receivers, matchers and inhibitions do not."""
    text = """\
global: {resolve_timeout: 5m, smtp_hello: 5m}
route:
  group_wait: 15s
  group_interval: 1m
  repeat_interval: 4h
  match: {group_wait: 15s}
  routes:
    - {group_wait: 5s, matchers: ['severity="5m"'], routes: [{repeat_interval: 2m}]}
receivers:
  - name: r
    webhook_configs: [{url: "http://responder:10918/", timeout: 10s}]
"""
    scaled = yaml.safe_load(scale_alertmanager(text, 15))
    expected = yaml.safe_load(text)
    expected["global"]["resolve_timeout"] = "20s"
    expected["route"] |= {"group_wait": "1s", "group_interval": "4s", "repeat_interval": "16m"}
    expected["route"]["routes"][0]["group_wait"] = "333ms"
    expected["route"]["routes"][0]["routes"][0]["repeat_interval"] = "8s"
    assert scaled == expected


RULES = """\
groups:
  - name: g
    interval: 30s
    rules:
      - alert: Plain
        expr: rate(x[5m]) > 0.5
        for: 2m
        labels: {severity: warning, for: 5m, interval: 5m}
        annotations:
          expr: not [5m] this one
          summary: "{{ $value }} over 5m"
      - alert: Block
        keep_firing_for: 5m
        for: 0s
        expr: |-
          # the ratio over [5m]
          sum(rate(x{w="5m"}[5m]))
            / sum(rate(y[5m] offset 1h))
      - record: r
        expr: >-
          avg_over_time(x[1h])
            > 5
      - record: quoted
        expr: 'x{a="it''s [5m]"} + rate(y[5m])'
      - record: double
        expr: "rate(x{a=\\"\\u00e9\\"}[5m])"
"""


def test_rules_scale_in_every_way_yaml_writes_an_expression() -> None:
    """Plain, quoted, literal and folded expressions change inside; labels and texts do not."""
    expected = yaml.safe_load(RULES)
    expected["groups"][0]["interval"] = "2s"
    rules = expected["groups"][0]["rules"]
    rules[0] |= {"expr": "rate(x[20s]) > 0.5", "for": "8s"}
    rules[1]["keep_firing_for"] = "20s"
    rules[1]["expr"] = (
        '# the ratio over [5m]\nsum(rate(x{w="5m"}[20s]))\n  / sum(rate(y[20s] offset 4m))'
    )
    rules[2]["expr"] = rules[2]["expr"].replace("[1h]", "[4m]")
    rules[3]["expr"] = 'x{a="it\'s [5m]"} + rate(y[20s])'
    rules[4]["expr"] = 'rate(x{a="é"}[20s])'
    assert yaml.safe_load(scale_rules(RULES, 15, scrape_interval="15s")) == expected


def test_an_anchored_duration_is_scaled_once_for_all_its_uses() -> None:
    """An alias follows its anchor; scaling does not compound."""
    text = "groups: [{name: g, interval: &i !!str 30s, rules: [{alert: A, expr: up, for: *i}]}]\n"
    scaled = scale_rules(text, 15, scrape_interval="15s")
    assert scaled == text.replace("30s", "2s")


def test_programs_settings_scale_by_key_at_any_depth() -> None:
    """Exactly the keys named change, wherever they stand, and only where they are durations."""
    text = """\
defaults: {interval: 30s, timeout: 30s}
targets:
  - {name: a, interval: 1m, max_ttft: 2s, labels: {timeout: never}}
  - checks: [{timeout: {env: T}}]
"""
    assert scale_keys(text, EXPORTER_KEYS, 15) == text.replace("30s", "2s").replace("1m,", "4s,")
    text = "quiet: 15s\nmemory: {refresh: 1m, horizon: 5m}\nincidents: {join_within: 2m}\n"
    expected = "quiet: 1s\nmemory: {refresh: 4s, horizon: 5m}\nincidents: {join_within: 8s}\n"
    assert scale_keys(text, RESPONDER_KEYS, 15) == expected


TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(min_value=1, max_value=10**8).map(format_duration)
    | st.text(max_size=20)
    | st.integers()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["interval", "timeout", "name", "for"]), inner)
    ),
    max_leaves=12,
)


def _scale_tree(tree: Any, key: str = "") -> Any:
    if isinstance(tree, dict):
        return {name: _scale_tree(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_scale_tree(value) for value in tree]
    if key in EXPORTER_KEYS and isinstance(tree, str):
        try:
            return scale_duration(tree, 15)
        except ValueError:
            return tree
    return tree


FORMS = [
    {"default_flow_style": flow, "default_style": style, "allow_unicode": style is None}
    for flow in (True, False)
    for style in (None, "'", '"')
]


@given(TREES, st.sampled_from(FORMS))
def test_editing_the_text_equals_changing_the_tree(tree: Any, form: dict[str, Any]) -> None:
    """However PyYAML writes a document, the edited text reads as the changed tree."""
    text = yaml.safe_dump(tree, **form)
    assert yaml.safe_load(scale_keys(text, EXPORTER_KEYS, 15)) == _scale_tree(tree)


@given(TREES)
def test_a_document_without_the_keys_keeps_its_bytes(tree: Any) -> None:
    """Nothing is rewritten that was not asked for."""
    text = yaml.safe_dump(tree)
    assert scale_keys(text, frozenset({"absent"}), 15) == text


def test_a_text_that_is_not_yaml_is_refused() -> None:
    """The error says what it is."""
    with pytest.raises(ValueError, match="not YAML"):
        scale_prometheus("global: [", 15)


def test_a_document_that_holds_itself_ends() -> None:
    """A recursive alias is walked once."""
    text = "a: &a {interval: 30s, again: *a}\n"
    assert scale_keys(text, EXPORTER_KEYS, 15) == text.replace("30s", "2s")


def test_rewrite_gives_each_scalar_its_path() -> None:
    """Sequence items are written as a star, keys by their name; keys themselves are not given."""
    seen: list[tuple[tuple[str, ...], str]] = []

    def look(path: tuple[str, ...], value: str) -> str:
        seen.append((path, value))
        return value

    rewrite("a: 1\nb:\n  - c: 'x'\n  - y\n", look)
    assert seen == [(("a",), "1"), (("b", "*", "c"), "x"), (("b", "*"), "y")]


def test_addresses_are_mapped_whole_and_once() -> None:
    """A name inside a longer one is another address, and what was put in is not mapped again."""
    addresses = {
        "chat:8000": "127.0.0.1:41234",
        "my-chat:8000": "embeddings:8001",
        "embeddings:8001": "127.0.0.1:41235",
    }
    text = "http://chat:8000/x my-chat:8000 vllm-chat:8000 a.chat:8000 chat:80001 'chat:8000'"
    expected = (
        "http://127.0.0.1:41234/x embeddings:8001 vllm-chat:8000 a.chat:8000 chat:80001"
        " '127.0.0.1:41234'"
    )
    assert map_addresses(text, addresses) == expected
    assert map_addresses(text, {}) == text


NAMES = st.from_regex(r"[a-z]{1,6}:[1-9][0-9]{3}", fullmatch=True)


@given(st.dictionaries(NAMES, NAMES, max_size=6), st.lists(NAMES, max_size=8))
def test_every_known_address_is_mapped_and_no_other(
    addresses: dict[str, str], written: list[str]
) -> None:
    """Each address stands for itself, even where the new ones look like old ones."""
    text = json.dumps([f"http://{name}/" for name in written])
    expected = [f"http://{addresses.get(name, name)}/" for name in written]
    assert json.loads(map_addresses(text, addresses)) == expected
