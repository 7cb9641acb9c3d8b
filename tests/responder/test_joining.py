"""What an incident's history says of alerts that join it."""

from __future__ import annotations

from responder.joining import told


def test_alerts_that_join_for_one_reason_are_told_in_one_line() -> None:
    """One is named, several are named and counted, and of many names the first are given."""
    assert told("joined", ["A"], "same target") == "A joined: same target"
    assert told("joined", ["A", "B", "A"], "why") == "A, B (3 alerts) joined: why"
    assert told("reopened", [""], "why") == "an alert fires again: why"
    many = told("joined", list("ABCDEFG"), "why")
    assert many == "A, B, C, D, E and 2 more (7 alerts) joined: why"
