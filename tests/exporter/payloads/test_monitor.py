"""A stream counted window by window: what alarms, how soon, what does not, and hostile rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.payloads.counters import counter_of
from exporter.payloads.monitor import MOST_UNKNOWN, StreamMonitor
from exporter.payloads.piece import Answered, Columns, Malformed, Rows, Side, Unanswered
from exporter.payloads.reference import (
    MOST_CATEGORIES,
    Reference,
    ReferenceFileError,
    dumped,
    learn,
    load,
)

HOUR = {"1h": 3600.0}
RNG = np.random.default_rng(7)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        """Begin at a whole hour."""
        self.now = 1_700_006_400.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def rows(count: int, rng: np.random.Generator = RNG, **more: Any) -> list[dict[str, Any]]:
    """Make rows of an amount, a colour and a constant."""
    amounts, places = rng.lognormal(3, 1, count), rng.integers(0, 3, count)
    made: list[dict[str, Any]] = [
        {"amount": float(a), "colour": ("red", "green", "blue")[p], "unit": "EUR"}
        for a, p in zip(amounts, places, strict=True)
    ]
    return [{**each, **more} for each in made]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Learn from a day of hours."""
    rng = np.random.default_rng(3)
    return learn([rows(1000, rng) for _ in range(24)], 0.0)


def after_an_hour(
    reference: Reference, given: Sequence[Mapping[str, Any]], hours: int = 1
) -> dict[tuple[str, str], Any]:
    """Count the same rows in each of some hours; give the readings by feature and measure."""
    clock = Clock()
    monitor = StreamMonitor(reference, clock=clock, windows=HOUR)
    for _ in range(hours):
        for start in range(0, len(given), 256):
            part = given[start : start + 256]
            monitor.count([Rows(at=clock.now, side=Side.REQUEST, rows=part)])
        clock.now += 3600
        found = monitor.readings()
    return {(each.feature, each.judged.measure): each for each in found}


def alarms(found: Mapping[tuple[str, str], Any]) -> set[tuple[str, str]]:
    """Give what is over its threshold."""
    return {key for key, each in found.items() if each.judged.is_over}


def test_healthy_rows_alarm_nobody(reference: Reference) -> None:
    """Each measure has its value and its threshold all the same."""
    found = after_an_hour(reference, rows(1000))
    assert alarms(found) == set()
    assert {measure for _, measure in found} == {
        "missing", "invalid", "out_of_range", "unseen", "stuck", "drift",
    }  # fmt: skip
    assert found["amount", "drift"].judged.threshold >= 0.1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda row: {**row, "amount": row["amount"] * 1.65}, {("amount", "drift")}),
        (lambda row: {**row, "amount": row["amount"] * 1000}, {("amount", "out_of_range")}),
        (lambda row: {k: v for k, v in row.items() if k != "colour"}, {("colour", "missing")}),
        (lambda row: {**row, "colour": "violet"}, {("colour", "unseen")}),
        (lambda row: {**row, "amount": 20.5}, {("amount", "stuck")}),
        (lambda row: {**row, "amount": str(row["amount"])}, {("amount", "invalid")}),
        (lambda row: {**row, "amount": math.nan}, {("amount", "missing")}),
        (lambda row: {**row, "amount": math.inf}, {("amount", "invalid")}),
        (lambda row: {**row, "colour": ["red"]}, {("colour", "invalid")}),
    ],
)
def test_each_fault_is_found_in_its_first_window(
    reference: Reference, change: Any, expected: set[tuple[str, str]]
) -> None:
    """A shift of half a deviation, another unit, a missing column, a new category, and types."""
    found = after_an_hour(reference, [change(each) for each in rows(1500)])
    assert expected <= alarms(found)
    assert {feature for feature, _ in alarms(found)} == {feature for feature, _ in expected}


def test_a_rise_of_missing_values_from_one_to_five_percent_is_found() -> None:
    """With a thousand rows an hour, in the first hour."""
    rng = np.random.default_rng(5)

    def some(count: int, ratio: float) -> list[dict[str, Any]]:
        holes = rng.random(count) < ratio
        made = rows(count, rng)
        return [
            {**row, "amount": None} if hole else row for row, hole in zip(made, holes, strict=True)
        ]

    reference = learn([some(1000, 0.01) for _ in range(24)], 0.0)
    assert alarms(after_an_hour(reference, some(1000, 0.01))) == set()
    assert alarms(after_an_hour(reference, some(1000, 0.05))) == {("amount", "missing")}


def test_windows_in_a_row_are_counted(reference: Reference) -> None:
    """So that a rule can ask for two; a good one begins anew."""
    shifted = [{**each, "amount": each["amount"] * 3} for each in rows(1000)]
    assert after_an_hour(reference, shifted, hours=3)["amount", "drift"].in_a_row == 3


def test_a_required_column_that_is_gone_is_told_after_twenty_rows(reference: Reference) -> None:
    """Of everything else too little is known then, and nothing is said."""
    found = after_an_hour(reference, [{"colour": "red", "unit": "EUR"}] * 20)
    assert alarms(found) == {("amount", "missing")}
    assert set(found) == {("amount", "missing")}


def test_too_few_rows_are_kept_for_the_next_window(reference: Reference) -> None:
    """Half enough twice is enough; nothing at all leaves nothing to read."""
    clock = Clock()
    monitor = StreamMonitor(reference, clock=clock, windows=HOUR)
    for _ in range(2):
        monitor.count([Rows(at=clock.now, side=Side.REQUEST, rows=rows(150))])
        clock.now += 3600
        found = monitor.readings()
    assert {each.judged.measure for each in found} >= {"missing", "stuck"}
    clock.now += 3600
    assert monitor.readings() == ()


def test_columns_count_as_rows_do(reference: Reference) -> None:
    """The same values, given as arrays."""
    given = rows(1000)
    clock = Clock()
    by_row, by_column = (StreamMonitor(reference, clock=clock, windows=HOUR) for _ in range(2))
    columns = {name: np.asarray([each[name] for each in given]) for name in given[0]}
    by_row.count([Rows(at=1.0, side=Side.REQUEST, rows=given)])
    by_column.count([Columns(at=1.0, side=Side.REQUEST, size=1000, columns=columns)])
    clock.now += 3600
    assert by_row.readings() == by_column.readings()


def test_tallies_of_two_replicas_add_up(reference: Reference) -> None:
    """Half of the rows here and half there are the whole."""
    given = rows(1000)
    for feature in reference.features:
        counter = counter_of(feature)
        values = [each[feature.name] for each in given]
        whole, half = counter.count(values), counter.count(values[:500])
        half.add(counter.count(values[500:]))
        assert np.array_equal(whole.bins, half.bins)
        assert (whole.rows, whole.varies, whole.first) == (half.rows, half.varies, half.first)


def test_what_comes_besides_rows_is_counted(reference: Reference) -> None:
    """Answers, requests without one, and what cannot be read, by rule."""
    monitor = StreamMonitor(reference, clock=Clock())
    monitor.count(
        [
            Answered(at=1.0, seconds=0.5),
            Unanswered(at=2.0, requests=3),
            Malformed(at=3.0, rule="json", detail="x"),
        ]
    )
    totals = monitor.totals
    assert (totals.answered, totals.answer_seconds, totals.unanswered) == (1, 0.5, 3)
    assert (totals.invalid["json"], totals.last_at) == (1, 3.0)


def test_ten_thousand_new_features_take_no_more_room(reference: Reference) -> None:
    """So many names are kept and no more; all of them are counted."""
    monitor = StreamMonitor(reference, clock=Clock())
    flood = {f"f{number}": 1 for number in range(10_000)}
    monitor.count([Rows(at=1.0, side=Side.REQUEST, rows=[flood])])
    assert len(monitor.totals.unknown) == MOST_UNKNOWN
    assert monitor.totals.unknown_values == 10_000


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), [[1]], {"a": 1}, "x" * 10_000, True, 1e308, math.inf],
    ids=["large", "small", "nested", "map", "long", "true", "huge", "infinite"],
)
def test_odd_values_break_nothing(reference: Reference, value: Any) -> None:
    """Whatever stands where a number or a word should."""
    found = after_an_hour(reference, [{"amount": value, "colour": value, "unit": value}] * 300)
    assert ("amount", "missing") in found


def test_sixty_days_of_rhythm_alarm_no_more_than_is_borne() -> None:
    """Day and night, weeks, and values that hang together: one alarm a month is borne, two seen.

    An alarm is two windows in a row, as the rules have it. Ten features, 500 rows an hour.
    """
    rng = np.random.default_rng(11)
    clock, features = Clock(), [f"f{number}" for number in range(10)]
    drifts = np.zeros(len(features))

    def hour(number: int) -> list[dict[str, float]]:
        nonlocal drifts
        drifts = 0.8 * drifts + 0.05 * rng.normal(size=len(features))
        day, week = math.sin(number / 24 * 2 * math.pi), math.sin(number / 168 * 2 * math.pi)
        values = rng.normal(0.4 * day + 0.3 * week + drifts, 1.0, (500, len(features)))
        return [dict(zip(features, each, strict=True)) for each in values.tolist()]

    reference = learn([hour(number) for number in range(2 * 168)], 0.0)
    monitor = StreamMonitor(reference, clock=clock, windows=HOUR, false_alarms_a_month=1.0)
    raised = 0
    for number in range(2 * 168, 2 * 168 + 60 * 24):
        monitor.count([Rows(at=clock.now, side=Side.REQUEST, rows=hour(number))])
        clock.now += 3600
        raised += sum(each.in_a_row == 2 for each in monitor.readings())
    assert raised <= 2


def test_a_reference_is_read_as_it_was_written(reference: Reference, tmp_path: Path) -> None:
    """Its hash is of what it says."""
    path = tmp_path / "reference.json"
    path.write_bytes(dumped(reference))
    assert load(path) == reference
    assert load(path).digest() == reference.digest()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "Invalid JSON"), (b"[]", "make it with"), (b'{"version": 2}', "version")],
)
def test_what_is_no_reference_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """With its path, the place in it, and how to make one."""
    path = tmp_path / "reference.json"
    path.write_bytes(content)
    with pytest.raises(ReferenceFileError, match=problem):
        load(path)
    with pytest.raises(ReferenceFileError, match="vigie-exporter reference"):
        load(tmp_path / "none.json")


def test_what_is_learnt_of_each_kind() -> None:
    """Many numbers are a number, few values a list; of a long list the most frequent ones."""
    words = [
        {"n": float(i), "few": i % 5, "flag": i % 2 == 0, "word": f"w{i % 60}"} for i in range(600)
    ]
    by_name = {each.name: each for each in learn([words], 0.0).features}
    assert {name: each.kind for name, each in by_name.items()} == {
        "n": "numeric",
        "few": "categorical",
        "flag": "categorical",
        "word": "categorical",
    }
    word = by_name["word"]
    assert word.kind == "categorical"
    assert (len(word.categories), len(word.others)) == (MOST_CATEGORIES, 40)
    with pytest.raises(ValueError, match="no rows"):
        learn([[]], 0.0)
