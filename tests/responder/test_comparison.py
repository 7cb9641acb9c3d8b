"""What the comparison concludes, part by part; the whole of it runs in tests/e2e."""

from __future__ import annotations

import pytest

from responder.absence import Watch, fingerprint, may_be_same, origin, spans
from responder.relabelling import read_rewriting
from responder.routes import UnsureError, read_matchers, read_routes

TREE = """
route:
  receiver: nobody
  group_wait: 10s
  routes:
    - {receiver: ours, matchers: ['severity=~"critical|warning"', 'team!="x,y"'], continue: true}
    - {receiver: theirs, match: {team: search}, group_interval: 1m}
    - {receiver: late, match_re: {team: "night.*"}, mute_time_intervals: [day]}
"""


def test_fingerprints_are_fnv_1a_over_sorted_labels() -> None:
    """The empty set gives FNV's offset basis; order and empty labels do not count."""
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"b": "2", "a": "1", "c": ""}) == fingerprint({"a": "1", "b": "2"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})


def test_samples_become_spans_that_end_an_interval_after_the_last() -> None:
    """One missed evaluation is no end, two are; a single sample is a span of one interval."""
    found = spans({"alertname": "A"}, [100, 115, 145, 200], 15)
    assert [(each.starts_at, each.ends_at) for each in found] == [(100, 160), (200, 215)]


def test_label_sets_may_be_the_same_unless_they_contradict() -> None:
    """Labels that one lacks do not tell the two apart."""
    assert may_be_same({"alertname": "A"}, {"alertname": "A", "region": "north"})
    assert not may_be_same({"alertname": "A", "target": "a"}, {"alertname": "A", "target": "b"})


@pytest.mark.parametrize(
    ("link", "shared"),
    [
        ("http://prom.example/a/graph?g0.expr=up", "http://prom.example/a"),
        ("http://prom.example/graph", "http://prom.example"),
        ("https://vm.example:8880/vmalert/alert?group_id=1&alert_id=2", "https://vm.example:8880"),
        ("/graph", ""),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_who_raised_an_alert_is_read_from_its_link(link: str, shared: str) -> None:
    """Prometheus's links give its prefix, other programs' their host, and the rest nothing."""
    assert origin(link) == shared


def test_what_lasts_is_counted_from_when_it_was_first_so() -> None:
    """What was interrupted begins anew."""
    watch = Watch()
    watch.look(["a", "b"], 0)
    watch.look(["a"], 5)
    watch.look(["a", "b"], 10)
    assert watch.lasting(10, 10) == {"a"}


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "warning"}, ["ours"]),
        ({"severity": "warning", "team": "search"}, ["ours", "theirs"]),
        ({"severity": "warning", "team": "x,y"}, ["nobody"]),
        ({"team": "nightly"}, ["late"]),
        ({}, ["nobody"]),
    ],
)
def test_alerts_go_where_alertmanager_routes_them(
    labels: dict[str, str], receivers: list[str]
) -> None:
    """The first match ends it but for `continue`; what matches nothing stays at the root."""
    tree = read_routes(TREE)
    assert [each.receiver for each in tree.match(labels)] == receivers


def test_routes_inherit_their_times() -> None:
    """A route waits as long as the one above it, where it does not say."""
    (late,) = read_routes(TREE).match({"team": "nightly"})
    assert (late.wait_seconds, late.interval_seconds, late.is_timed) == (10, 300, True)


@pytest.mark.parametrize("text", ["route: 3", "route: {routes: [3]}", "a: [", "no: route"])
def test_routes_that_are_not_understood_are_unsure(text: str) -> None:
    """Nothing is concluded from them."""
    with pytest.raises(UnsureError):
        read_routes(text)


def test_matchers_may_share_braces_and_hold_escapes() -> None:
    """Quotes protect commas and may be escaped."""
    first, second = read_matchers('{a="x,\\"y\\"", b!~c.*}')
    assert (first.value, second.operator, second.value) == ('x,"y"', "!~", "c.*")


def test_labels_are_rewritten_as_prometheus_does_it() -> None:
    """External labels come first and yield to the alert's own; then each step in turn."""
    rewriting = read_rewriting(
        "global: {external_labels: {region: north, vigie_url: u, own: theirs}}\n"
        "alerting:\n"
        "  alert_relabel_configs:\n"
        "    - {action: labeldrop, regex: vigie_url}\n"
        "    - {source_labels: [region, own], target_label: both, replacement: '$2-${1}',"
        " regex: '(.*);(.*)'}\n"
        "    - {action: drop, source_labels: [quiet], regex: 'yes'}\n"
    )
    expected = {"alertname": "A", "region": "north", "own": "o", "both": "o-north"}
    assert rewriting.apply({"alertname": "A", "own": "o"}) == expected
    assert rewriting.apply({"alertname": "A", "quiet": "yes"}) is None


def test_a_step_that_is_not_followed_is_unsure() -> None:
    """Nothing is concluded from labels that would only be guessed."""
    rewriting = read_rewriting("alerting: {alert_relabel_configs: [{action: hashmod}]}")
    with pytest.raises(UnsureError):
        rewriting.apply({"alertname": "A"})
