"""Who is blamed: by size, direction, likeness, cost and topology, whatever the units and gaps."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from responder.ranking.blame import Blamed, blame
from responder.ranking.departures import departures
from responder.ranking.panel import Floats, Panel
from responder.ranking.tuning import DEFAULT
from tests.responder.ranking.panels import CUT, ROWS, calm, moved, panel


def first(found: tuple[Blamed, ...]) -> str:
    """Name the likeliest culprit."""
    return found[0].component


def score_of(found: tuple[Blamed, ...], component: str) -> float:
    """Give one component's score."""
    return next(each.score for each in found if each.component == component)


def test_the_one_that_moved_is_blamed_and_its_loudest_series_named() -> None:
    """One of three uses more processor: it is first, with that series first."""
    made = panel(
        {
            "a|cpu": calm("a cpu"),
            "b|cpu": moved("b cpu", 20.0),
            "b|mem": calm("b mem"),
            "c|cpu": calm("c cpu"),
        }
    )
    found = blame(made)
    assert first(found) == "b"
    assert found[0].columns[0] == 1


def test_less_of_what_only_harms_upwards_is_no_fault() -> None:
    """A fall of latency is no trouble; a fall of traffic is a sign, if a weak one."""
    made = panel(
        {
            "a|latency": moved("a", -8.0),
            "b|rps": moved("b", -8.0),
            "c|latency": calm("c"),
        }
    )
    found = blame(made)
    assert first(found) == "b"
    assert score_of(found, "a") == 0


@given(st.floats(1e-9, 1e9))
def test_units_decide_nothing(scale: float) -> None:
    """Every series of a metric in other units: the same scores."""
    series = {
        "a|cpu": moved("a cpu", 5.0),
        "b|cpu": np.zeros(ROWS),
        "a|latency": moved("a lat", 30.0),
        "b|latency": moved("b lat", 4.0),
    }
    plain = panel(series)
    scaled = panel({name: scale * values for name, values in series.items()})
    scores = [[(each.component, each.score) for each in blame(p)] for p in (plain, scaled)]
    assert [name for name, _ in scores[0]] == [name for name, _ in scores[1]]
    assert np.allclose([s for _, s in scores[0]], [s for _, s in scores[1]], rtol=1e-4)


@given(
    hnp.arrays(np.float64, (ROWS, 3), elements=st.floats(-1e12, 1e12) | st.just(np.nan)),
    st.integers(0, ROWS - 1),
)
def test_no_series_breaks_it(values: Floats, cut: int) -> None:
    """Gaps, constants, wild values, a cut anywhere: finite scores of all, and no warning."""
    base = panel(
        {"a|latency": calm("a"), "a|rps": calm("r"), "b|errors": calm("b")},
        calls=(("a", "b"), ("b", "a"), ("b", "b")),
        target="a|latency",
    )
    made = replace(base, values=values, base_end=max(cut, 1), late=max(cut, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = blame(made)
    assert {each.component for each in found} == {"a", "b"}
    assert all(np.isfinite(each.score) and each.score >= 0 for each in found)


def test_equal_components_are_in_the_order_of_their_names() -> None:
    """No luck of the columns decides: same series, same score, sorted."""
    values = moved("same", 9.0)
    names = ("b", "c", "a")
    found = blame(panel({f"{name}|cpu": values for name in names}))
    assert [each.component for each in found] == ["a", "b", "c"]
    assert len({each.score for each in found}) == 1


def test_a_spike_weighs_less_than_a_shift() -> None:
    """One wild sample is no fault."""
    spike = calm("spike")
    spike[CUT + 5] += 1000
    found = blame(panel({"a|cpu": spike, "b|cpu": moved("b", 5.0), "c|cpu": calm("c")}))
    assert first(found) == "b"


def test_what_had_moved_long_before_is_no_suspect() -> None:
    """A series that has been high for a while has another story."""
    found = blame(panel({"a|cpu": moved("a", 20.0, at=CUT - 25), "b|cpu": moved("b", 5.0)}))
    assert first(found) == "b"


def test_a_resource_must_be_sizable_beside_its_peers() -> None:
    """Twice next to nothing is less than a third more of much."""
    found = blame(
        panel(
            {
                "tiny|cpu": moved("tiny", 0.001, level=0.001),
                "big|cpu": moved("big", 10.0, level=20.0),
                "other|cpu": calm("other", 15.0),
                "another|cpu": calm("another", 10.0),
            }
        )
    )
    assert first(found) == "big"


def test_errors_where_there_were_never_any_count() -> None:
    """A silent series lends itself the least noise of its peers, whatever theirs is."""
    silent = np.zeros(ROWS)
    silent[CUT:] = 0.03
    noisy = np.abs(calm("noisy", 0.2, noise=0.5))
    found = blame(panel({"quiet|errors": silent, "noisy|errors": noisy, "x|errors": 0 * silent}))
    assert first(found) == "quiet"


CHAIN = (("front", "middle"), ("middle", "back"))


def test_a_callers_delay_is_explained_by_its_callee() -> None:
    """All three are slow by the same: the last of the chain is to blame."""
    found = blame(
        panel(
            {f"{name}|latency_avg": moved(name, 100.0) for name in ("front", "middle", "back")},
            calls=CHAIN,
        )
    )
    assert first(found) == "back"


def test_a_callee_that_is_slow_by_less_explains_less() -> None:
    """Most of the delay arises in the middle: its callee's share does not excuse it."""
    found = blame(
        panel(
            {
                "front|latency_avg": moved("front", 100.0),
                "middle|latency_avg": moved("middle", 100.0),
                "back|latency_avg": moved("back", 3.0),
            },
            calls=CHAIN,
        )
    )
    assert first(found) == "middle"


def test_a_callers_errors_are_explained_by_a_slow_callee() -> None:
    """Timeouts are errors of the caller alone, and its callee's fault."""
    errors = np.zeros(ROWS)
    errors[CUT:] = 0.3
    made = {
        "front|errors": errors,
        "back|errors": np.zeros(ROWS),
        "front|latency_avg": moved("front", 100.0),
        "back|latency_avg": moved("back", 100.0),
    }
    assert first(blame(panel(made, calls=(("front", "back"),)))) == "back"
    assert first(blame(panel(made))) == "front"


def test_time_lost_counts_not_latency() -> None:
    """A rarely called service may be much slower and yet cost less than a busy one."""
    made = panel(
        {
            "rare|latency_avg": moved("rare", 300.0),
            "rare|rps": calm("rare rps", 1.0),
            "busy|latency_avg": moved("busy", 100.0),
            "busy|rps": calm("busy rps", 100.0),
        }
    )
    assert first(blame(made)) == "busy"


def test_a_service_that_hangs_is_weighed_by_the_traffic_it_had() -> None:
    """Nothing is served any more: the cost is of what was asked before."""
    stopped = calm("stopped", 100.0)
    stopped[CUT:] = 0.0
    made = panel(
        {
            "hung|latency_avg": moved("hung", 100.0),
            "hung|rps": stopped,
            "rare|latency_avg": moved("rare", 100.0),
            "rare|rps": calm("rare rps", 1.0),
        }
    )
    assert first(blame(made)) == "hung"


def test_what_the_alerting_service_cannot_reach_weighs_less() -> None:
    """Two that moved alike: the one that the alerting service depends on is first."""
    made = panel(
        {
            "front|latency": moved("front", 50.0),
            "near|cpu": moved("same", 10.0),
            "away|cpu": moved("same", 10.0),
        },
        calls=(("front", "near"), ("stranger", "away")),
        target="front|latency",
    )
    found = blame(made)
    assert score_of(found, "near") > score_of(found, "away")


def test_what_goes_along_with_the_alert_weighs_more() -> None:
    """Two that moved as far: the one whose course is the alert's is first."""
    wave = np.zeros(ROWS)
    wave[CUT:] = 30 + 20 * np.sin(np.arange(ROWS - CUT))
    still = moved("front", 0.0) + wave
    made = panel(
        {
            "front|latency": still,
            "along|cpu": calm("same") + wave,
            "apart|cpu": calm("same") + np.concatenate([wave[:CUT], wave[CUT:][::-1]]),
        },
        target="front|latency",
    )
    found = blame(made)
    assert score_of(found, "along") > score_of(found, "apart")


def test_symptoms_off_the_alerts_line_weigh_less() -> None:
    """An alert about errors, its service no slower: somebody's latency is hardly its cause."""
    errors = np.zeros(ROWS)
    errors[CUT:] = 0.2
    series = {
        "front|errors": errors,
        "front|latency": calm("front"),
        "failing|errors": errors,
        "slow|latency": moved("slow", 100.0),
        "slow|errors": np.zeros(ROWS),
    }
    found = blame(panel(series, target="front|errors"))
    assert score_of(found, "failing") > 2 * score_of(found, "slow")


def test_what_is_no_suspect_is_measured_and_blames_nobody() -> None:
    """A column so marked leaves its component out, and the rest as it is."""
    made = panel({"a|cpu": moved("a", 50.0), "b|cpu": moved("b", 5.0)})
    marked = replace(made, columns=(replace(made.columns[0], is_suspect=False), made.columns[1]))
    assert [each.component for each in blame(marked)] == ["b"]
    assert departures(marked, DEFAULT).reach[0] > 10


def test_under_the_least_deviation_nothing_matters() -> None:
    """A very regular series that rose by less than what matters has no weight."""
    made = panel({"a|latency": moved("a", 5.0)})
    marked = replace(made, columns=(replace(made.columns[0], least=100.0),))
    assert score_of(blame(made), "a") > 0
    assert score_of(blame(marked), "a") == 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_samples_before_say_nothing(rows: int) -> None:
    """What is usual takes some samples to know."""
    made = panel({"a|cpu": moved("a", 50.0)})
    early: Panel = replace(made, values=made.values[CUT - rows :], base_end=rows, late=rows)
    assert score_of(blame(early), "a") == 0
