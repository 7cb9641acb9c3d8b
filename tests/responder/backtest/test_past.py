"""Spans of ALERTS become the incidents that they would have been."""

from __future__ import annotations

from responder.absence import Span
from responder.backtest.past import incidents
from responder.incident import Policy

POLICY = Policy()


def span(name: str, start: float, end: float, **labels: str) -> Span:
    """Make a span of an alert on target `chat`."""
    given = {"alertname": name, "severity": "warning", "target": "chat", **labels}
    return Span(labels=given, starts_at=start, ends_at=end)


def test_alerts_that_belong_together_are_one_incident() -> None:
    """Same target within the time that joins; another stands apart, the watchdog nowhere."""
    spans = [
        span("Slow", 1000, 2000),
        span("Failing", 1010, 2000),
        span("Slow", 1005, 2000, target="embeddings"),
        span("VigieWatchdog", 0, 9000),
    ]
    found = incidents(spans, POLICY)
    assert [each.incident.alertnames for each in found] == [("Slow", "Failing"), ("Slow",)]
    assert [each.incident.targets for each in found] == [("chat",), ("embeddings",)]


def test_nothing_of_later_is_in_an_incident() -> None:
    """What joined after the investigation had begun was not known to it."""
    spans = [span("Slow", 1000, 2000), span("Slow", 1100, 2000, replica="b")]
    (found,) = incidents(spans, POLICY)
    assert found.investigated_at == 1000 + POLICY.quiet_seconds
    assert len(found.incident.episodes) == 1


def test_the_critical_is_investigated_at_once() -> None:
    """It does not wait for quiet."""
    (found,) = incidents([span("Down", 1000, 2000, severity="critical")], POLICY)
    assert found.investigated_at == 1000


def test_occurrences_have_no_report_of_their_own() -> None:
    """The same condition again within the horizon was told of by the first report."""
    spans = [span("Slow", 1000, 1100), span("Slow", 2000, 2100), span("Slow", 9000, 9100)]
    assert [each.incident.opened_at for each in incidents(spans, POLICY)] == [1000, 9000]


def test_order_of_the_spans_does_not_matter() -> None:
    """The same past gives the same incidents, with the same names."""
    spans = [span("Slow", 1000, 2000), span("Failing", 1010, 2000), span("Slow", 9000, 9100)]
    assert incidents(spans, POLICY) == incidents(spans[::-1], POLICY)
