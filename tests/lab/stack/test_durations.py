"""Durations, alone and inside PromQL: the grammar, and that only durations change."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.stack.durations import (
    LEAST_SCRAPES,
    format_duration,
    parse_duration,
    scale_duration,
    scale_expression,
)

MILLISECONDS = st.integers(min_value=0, max_value=10 * 365 * 86_400_000)
FACTORS = st.floats(min_value=0.01, max_value=1000, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("15s", 15_000),
        ("1m30s", 90_000),
        ("500ms", 500),
        ("1h0m5s", 3_605_000),
        ("1y2w3d", 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000),
    ],
)
def test_durations_are_read_as_prometheus_reads_them(text: str, milliseconds: int) -> None:
    """Every unit of the grammar counts what Prometheus makes of it."""
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "5", "1.5h", "s", "30s1m", "1m1m", "-5m", " 5m", "5m ", "\u0665m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Numbers, fractions, signs, blanks and units out of order are refused, with the right form."""
    with pytest.raises(ValueError, match=r"write it like 30s"):
        parse_duration(text)


@given(MILLISECONDS)
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    """Writing and reading are inverse."""
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(MILLISECONDS, MILLISECONDS, FACTORS)
def test_scaling_keeps_order(one: int, other: int, factor: float) -> None:
    """A timeout that fits its interval still fits once both are scaled."""
    low, high = sorted((one, other))
    scaled = [parse_duration(scale_duration(format_duration(each), factor)) for each in (low, high)]
    assert scaled[0] <= scaled[1]


@given(MILLISECONDS, FACTORS, st.integers(min_value=1, max_value=60_000))
def test_a_scaled_duration_is_right_to_half_a_millisecond_above_its_floor(
    milliseconds: int, factor: float, floor: int
) -> None:
    """Nothing but zero becomes zero, and nothing else goes below the floor."""
    text = scale_duration(format_duration(milliseconds), factor, floor_milliseconds=floor)
    scaled = parse_duration(text)
    if milliseconds == 0:
        assert scaled == 0
    elif scaled > floor:
        assert abs(scaled - milliseconds / factor) <= 0.5 + milliseconds * 1e-12
    else:
        assert scaled == floor


def test_a_factor_that_is_not_above_zero_is_refused() -> None:
    """A factor of zero would make every duration endless."""
    with pytest.raises(ValueError, match="above zero"):
        scale_duration("1m", 0)


CASES = [
    ("up == 0", "up == 0"),
    ("rate(x_total[5m])", "rate(x_total[20s])"),
    ("rate(x_total[ 1h30m ])", "rate(x_total[ 6m ])"),
    ("rate(x_total[1m])", "rate(x_total[4s])"),
    ("rate(x_total[15s])", "rate(x_total[4s])"),
    ("max_over_time(up[1h:1m])", "max_over_time(up[4m:4s])"),
    ("max_over_time(up[1h:])", "max_over_time(up[4m:])"),
    ("max_over_time(up[ 1h : 30s ])", "max_over_time(up[ 4m : 2s ])"),
    ("x offset 1h", "x offset 4m"),
    ("x OFFSET -1h", "x OFFSET -4m"),
    ("x offset\n  # then\n  1d", "x offset\n  # then\n  1h36m"),
    ("rate(x[5m] offset 1w)", "rate(x[20s] offset 11h12m)"),
    ("x @ 1609746000 offset 5m", "x @ 1609746000 offset 20s"),
    ('x{window="5m", q=~"[5m]"}', 'x{window="5m", q=~"[5m]"}'),
    (r'x{q="a\"[5m]"}', r'x{q="a\"[5m]"}'),
    (r"x{q='a\'[5m]'} + rate(y[5m])", r"x{q='a\'[5m]'} + rate(y[20s])"),
    (
        'label_replace(x, "w", `[5m] offset 5m`, "", "")',
        'label_replace(x, "w", `[5m] offset 5m`, "", "")',
    ),
    ("x > 5 # over [5m] offset 5m", "x > 5 # over [5m] offset 5m"),
    ("predict_linear(x[1h], 4 * 3600) > 1e3", "predict_linear(x[4m], 4 * 3600) > 1e3"),
    ("time() - x > 86400", "time() - x > 86400"),
    ("job:x:rate5m > 5", "job:x:rate5m > 5"),
    ("kafka_offset > 5", "kafka_offset > 5"),
    ("sum by (offset) (x) > 300", "sum by (offset) (x) > 300"),
    ("", ""),
]


@pytest.mark.parametrize(("expression", "scaled"), CASES)
def test_only_ranges_steps_and_offsets_change(expression: str, scaled: str) -> None:
    """Divided by fifteen at a scrape each 15 s, all else stays to the byte."""
    assert scale_expression(expression, 15, scrape_interval="15s") == scaled


@pytest.mark.parametrize("expression", [scaled for _, scaled in CASES if scaled])
def test_a_scaled_expression_is_still_promql(expression: str) -> None:
    """An independent parser takes what comes out."""
    assert promql_parser.parse(expression) is not None


@pytest.mark.parametrize("expression", ["x[300]", "x[5m * 2]", "x[$__range]", "x[]", "x[1.5h]"])
def test_a_range_that_is_no_plain_duration_is_refused(expression: str) -> None:
    """It is never passed on unscaled."""
    with pytest.raises(ValueError, match="write it like"):
        scale_expression(expression, 15, scrape_interval="15s")


UNTOUCHED = st.sampled_from(
    ["up", " + ", "foo:rate5m", "1e3", "0x1f", "5", "@ 1700000000", "(", ")", "\n", " "]
) | st.text(alphabet="[]5m#offset \\'{}").map(lambda text: '"' + text.replace("\\", "\\\\") + '"')


@given(
    st.lists(st.one_of(UNTOUCHED, st.integers(min_value=1, max_value=10**9)), max_size=12),
    st.sampled_from(["1s", "15s", "1m"]),
)
def test_whatever_stands_between_ranges_is_kept(
    pieces: list[str | int], scrape_interval: str
) -> None:
    """Any mixture of strings, names and numbers around ranges comes through as it was."""
    least = LEAST_SCRAPES * parse_duration(scale_duration(scrape_interval, 15))
    expression = expected = ""
    for piece in pieces:
        if isinstance(piece, str):
            expression += f" {piece}"
            expected += f" {piece}"
        else:
            expression += f"[{format_duration(piece)}]"
            expected += f"[{format_duration(max(least, round(piece / 15)))}]"
    assert scale_expression(expression, 15, scrape_interval=scrape_interval) == expected
