"""Onset, levels and ranking: robust against gaps, units, noise and odd topologies."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from responder.investigation.chart import chart
from responder.investigation.evidence import Floats, Frame
from responder.investigation.onset import departure, find
from responder.investigation.suspects import levels, rank, reachable

TIMES: Floats = 1000.0 + np.arange(100, dtype=np.float64)


def frame(*columns: Floats, names: tuple[str, ...] = (), unit: str = "") -> Frame:
    """Make a frame of anonymous series, one component each unless named."""
    labels = tuple(
        {
            "__name__": "errors",
            "__role__": "other",
            "__unit__": unit,
            "component": names[index] if names else f"c{index}",
        }
        for index in range(len(columns))
    )
    return Frame(times=TIMES, values=np.column_stack(columns), labels=labels)


def step(at: int, before: float = 1.0, after: float = 5.0, noise: float = 0.05) -> Floats:
    """Make a series that steps up at a sample."""
    values = np.where(np.arange(100) < at, before, after)
    return values + noise * np.random.default_rng(at).standard_normal(100)


@given(st.integers(40, 90), st.floats(5, 50), st.sampled_from([1.0, -0.15]))
def test_a_step_is_found_where_it_is(at: int, size: float, way: float) -> None:
    """Up or down, the change point of a step is within a sample of it."""
    values = step(at, 10.0, 10.0 + way * size)
    found = departure(TIMES, values, 1000.0 + min(at + 8, 99))
    assert found is not None
    assert abs(found - (1000.0 + at)) <= 1


@given(hnp.arrays(np.float64, 100, elements=st.floats(-1e12, 1e12) | st.just(np.nan)))
def test_no_series_breaks_the_analysis(values: Floats) -> None:
    """Gaps, constants and wild values: an answer within the window or none, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = departure(TIMES, values, 1090.0)
        assert found is None or 1000.0 <= found <= 1090.0
        made = frame(values, step(80))
        got = levels(made, 1080.0, 8.0)
        ranked = rank(made, got, symptom="c1", calls=(("c1", "c0"), ("c0", "c1")), onset_at=1080.0)
    assert np.isfinite(got.harm).all()
    assert {each.component for each in ranked} == {"c0", "c1"}


def test_a_ramp_begins_where_it_leaves_the_noise() -> None:
    """An average over minutes climbs: its onset is the foot of the climb."""
    values = np.concatenate([np.zeros(70), np.linspace(0.1, 3.0, 30)])
    found = departure(TIMES, values, 1085.0)
    assert found is not None
    assert abs(found - 1070.0) <= 2


def test_without_a_departure_the_alert_itself_stands() -> None:
    """A calm series, or none at all, leaves the alert's time, and says how uncertain it is."""
    for given_frame in (None, frame(step(200))):
        onset = find(given_frame, 1090.0, 30.0)
        assert onset.at == 1090.0
        assert onset.uncertainty_seconds >= 300


@given(st.floats(1e-6, 1e6))
def test_ranking_does_not_depend_on_units(scale: float) -> None:
    """The same series in other units score the same."""
    columns = [step(80), step(200), step(85, 3.0, 4.0)]
    one = levels(frame(*columns), 1080.0, 5.0).harm
    other = levels(frame(*(each * scale for each in columns)), 1080.0, 5.0).harm
    assert np.allclose(one, other, rtol=1e-6, atol=1e-9)


def test_the_component_that_moved_ranks_first_and_order_of_columns_does_not_matter() -> None:
    """A permutation of the columns gives the same ranking."""
    columns = [step(200), step(80), step(200, noise=0.3), step(300)]
    names = ("a", "b", "c", "d")
    straight = frame(*columns, names=names)
    turned = frame(*columns[::-1], names=names[::-1])
    rankings = [
        [
            (each.component, each.score)
            for each in rank(
                made, levels(made, 1080.0, 5.0), symptom="b", calls=(), onset_at=1080.0
            )
        ]
        for made in (straight, turned)
    ]
    assert rankings[0] == rankings[1]
    assert rankings[0][0][0] == "b"


def test_a_callers_symptom_is_discounted_by_its_callees() -> None:
    """Both moved alike, the callee first: it ranks above its caller."""
    made = frame(step(82), step(80), names=("caller", "callee"))
    found = levels(made, 1080.0, 5.0)
    ranked = rank(made, found, symptom="caller", calls=(("caller", "callee"),), onset_at=1080.0)
    assert ranked[0].component == "callee"


def test_what_had_moved_long_before_is_no_suspect() -> None:
    """A series that stepped long before the onset scores next to nothing."""
    made = frame(step(50), step(80))
    harm = levels(made, 1080.0, 5.0).harm
    assert harm[0] < 0.1 * harm[1]


def test_one_spike_is_not_a_movement() -> None:
    """A single wild sample after the onset weighs little beside a lasting change."""
    spike = step(200)
    spike[90] = 100.0
    made = frame(spike, step(80))
    found = levels(made, 1080.0, 5.0)
    assert np.isnan(found.moved_at[0]) or found.harm[0] <= found.harm[1]


def test_cycles_and_strangers_in_the_topology_are_no_trouble() -> None:
    """Reachability ends, whoever calls whom."""
    edges = (("a", "b"), ("b", "a"), ("b", "c"), ("x", "y"))
    assert reachable("a", edges) == {"a", "b", "c"}
    assert reachable("nobody", edges) == {"nobody"}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a" onload="x', "]]>&"])
def test_a_chart_is_plain_svg_whatever_the_names(name: str) -> None:
    """It parses as XML, holds no script, style or link, and marks the onset."""
    drawn = chart(
        TIMES, [(name, step(80)), ("b", step(20))], title=name, unit="seconds", onset_at=1080.0
    )
    root = ET.fromstring(drawn)
    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert tags <= {"svg", "title", "rect", "text", "line", "polyline"}
    attributes = {attribute for each in root.iter() for attribute in each.attrib}
    assert not {each for each in attributes if each.startswith("on") or "href" in each}
    assert "style" not in attributes
    assert "stroke-dasharray" in attributes


def test_nothing_to_draw_is_no_chart() -> None:
    """No finite sample, no picture."""
    nothing = np.full(100, np.nan)
    assert chart(TIMES, [("a", nothing)], title="a", unit="", onset_at=None) == ""
