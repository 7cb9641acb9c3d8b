"""The numbers of the pictures: lengths are proportional to times."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.drawing import LEFT, PLOT_HEIGHT, ROW, WIDTH, picture
from exporter.history import Way
from exporter.target import Times

WHOLE = Times(
    begin=0.0,
    end=4.0,
    resolve_begin=0.0,
    resolve_end=0.4,
    connect_begin=0.4,
    connect_end=0.8,
    tls_begin=0.8,
    tls_end=1.6,
    written=1.7,
    first_byte=3.0,
)


def test_phases_are_to_scale() -> None:
    """Each bar begins where its phase did, and is as long, 130 units a second here."""
    drawn = picture(Way(times=WHOLE, complete=True))
    expected = {
        "resolve": (0.0, 0.4),
        "connect": (0.4, 0.8),
        "tls": (0.8, 1.6),
        "request": (1.6, 1.7),
        "first byte": (1.7, 3.0),
        "transfer": (3.0, 4.0),
    }
    assert [bar.span.name for bar in drawn.bars] == list(expected)
    assert [bar.y for bar in drawn.bars] == [ROW * row for row in range(6)]
    for bar in drawn.bars:
        begin, end = expected[bar.span.name]
        assert bar.span.done
        assert bar.x == pytest.approx(LEFT + 130 * begin, abs=0.01)
        assert bar.width == pytest.approx(130 * (end - begin), abs=0.01)
    assert drawn.ticks == tuple((LEFT + 130 * at, at) for at in (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("times", "named"),
    [
        (Times(begin=0, end=2, resolve_begin=0), "resolve"),
        (Times(begin=0, end=2, connect_begin=0), "connect"),
        (Times(begin=0, end=2, connect_begin=0, connect_end=1, tls_begin=1), "tls"),
        (Times(begin=0, end=2, connect_begin=0, connect_end=1), "request"),
        (Times(begin=0, end=2, written=1), "first byte"),
        (Times(begin=0, end=2, written=0.5, first_byte=1), "transfer"),
    ],
)
def test_phase_that_the_run_ended_in_is_not_done(times: Times, named: str) -> None:
    """It is drawn up to the end, and told apart from those before it."""
    bars = picture(Way(times=times)).bars
    assert [bar.span.name for bar in bars if not bar.span.done] == [named]
    assert bars[-1].span.end == 2
    assert bars[-1].x + bars[-1].width == pytest.approx(LEFT + WIDTH)


def test_what_went_before_a_redirect_has_its_own_bar() -> None:
    """The hops before are no phase of the last one."""
    times = Times(begin=0, end=2, connect_begin=1.5, connect_end=1.6, written=1.6, first_byte=2)
    bars = picture(Way(times=times, redirects=1, complete=True)).bars
    assert [bar.span.name for bar in bars][:2] == ["before", "connect"]
    assert bars[0].width == pytest.approx(WIDTH * 0.75)
    kept = Times(begin=0, end=2, written=1.6, first_byte=2)
    bars = picture(Way(times=kept, redirects=1, reused=True, complete=True)).bars
    assert [bar.span.name for bar in bars] == ["before", "first byte", "transfer"]


def test_chunks_are_drawn_on_the_same_scale() -> None:
    """The first at the bottom, the last at the top, each at its time; the longest wait marked."""
    points = ((1, 3.0), (2, 3.1), (3, 3.9), (5, 4.0))
    drawn = picture(Way(times=WHOLE, points=points, chunks=5))
    assert [x for x, _ in drawn.dots] == pytest.approx([LEFT + 130 * at for _, at in points])
    assert [y for _, y in drawn.dots] == [PLOT_HEIGHT, PLOT_HEIGHT * 0.75, PLOT_HEIGHT * 0.5, 0]
    assert drawn.wait is not None
    assert drawn.wait.span.name == "after chunk 2"
    assert drawn.wait.x == pytest.approx(LEFT + 130 * 3.1)
    assert drawn.wait.width == pytest.approx(130 * 0.8)


def test_nothing_is_drawn_of_nothing() -> None:
    """An exchange that took no time and came nowhere is no division by zero."""
    drawn = picture(Way(times=Times(begin=0, end=0)))
    assert (drawn.bars, drawn.dots, drawn.wait) == ((), (), None)


@example([5e-324] * 9, True)
@given(st.lists(st.floats(0, 1e5), min_size=9, max_size=9), st.booleans())
def test_all_marks_are_inside(moments: list[float], complete: bool) -> None:  # noqa: FBT001
    """Whatever the times are, no bar leaves its column, and the axis has two to eight marks."""
    at = sorted(moments)
    times = Times(
        begin=0.0,
        resolve_begin=at[0],
        resolve_end=at[1],
        connect_begin=at[1],
        connect_end=at[2],
        tls_begin=at[3],
        tls_end=at[4],
        written=at[5],
        first_byte=at[6],
        end=at[8],
    )
    way = Way(times=times, points=((1, at[6]), (2, at[7])), chunks=2, complete=complete)
    drawn = picture(way)
    for bar in (*drawn.bars, drawn.wait):
        assert bar is not None
        assert bar.x >= LEFT
        assert bar.width >= 0
        assert bar.x + bar.width <= LEFT + WIDTH + 0.02
    assert all(LEFT <= x <= LEFT + WIDTH + 0.01 for x, _ in drawn.ticks)
    assert 2 <= len(drawn.ticks) <= 8
