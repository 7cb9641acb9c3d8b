"""Templates of series: numbers and labels as both formats write them."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.histogram import Histogram
from exporter.metrics import DURATION, FAILURES, RUNS
from exporter.template import escaped, key_of, line, number, template_of

VALUES = (0.0, 1.0, -2.5, 1e-9, 1e22, 2.0**53, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_numbers_come_back(value: float) -> None:
    """A value that is read back is the one that was written, one by one and many at once."""
    assert number(value) in {"NaN", "+Inf", "-Inf", repr(value)}
    template = template_of((key_of(RUNS), key_of(FAILURES)), ())
    pieces = template.pieces([value, 1.0], (), b"a", exemplified=False)
    families = list(parse_text("".join(piece.decode() for piece in pieces)))
    found = families[0].samples[0].value
    assert found == value or (math.isnan(found) and math.isnan(value))
    assert families[1].samples[0].value == 1.0


def test_percent_signs_and_marks_are_only_text() -> None:
    """A label may hold what templates are written with."""
    name = '50%b %s \0 \1 \n"'
    text = line(RUNS, (("x", name),), 1.0, escaped("a%b").encode()).decode()
    (family,) = parse_text(text)
    labels = family.samples[0].labels
    assert labels["target"] == "a%b"
    assert labels["x"] == name.replace("\0", "\ufffd").replace("\1", "\ufffd")


def test_histogram_has_its_own_place() -> None:
    """Its lines are as many as it says, and those of other families stand apart."""
    histogram = Histogram(DURATION.buckets)
    histogram.observe(0.3, 1.0)
    template = template_of((key_of(RUNS), key_of(FAILURES)), ((DURATION, ""),))
    assert set(template.places) == {(RUNS, ""), (FAILURES, ""), (DURATION, "")}
    pieces = dict(
        zip(
            template.places,
            template.pieces([1.0, 2.0], [histogram], b"a", exemplified=True),
            strict=True,
        )
    )
    assert pieces[DURATION, ""].count(b"\n") == histogram.series
    assert template.series == histogram.series + 2
    assert b"run_id" in pieces[DURATION, ""]
