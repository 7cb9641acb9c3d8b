"""The fleet's figure: the worst of its figures beside its limit, and none where runs went wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.fleet import LIMIT, configuration, median
from bench.watching import quantile

GOOD = replace(LIMIT, cores=0.2, rss_mebibytes=45.0, lag_seconds=0.0005, runs_per_second=2000.0)


def test_the_worst_figure_counts() -> None:
    """Half of every limit is half; memory at twice its limit is twice."""
    assert GOOD.beside(LIMIT) == pytest.approx(0.5)
    assert replace(GOOD, rss_mebibytes=180.0).beside(LIMIT) == pytest.approx(2.0)
    assert replace(GOOD, lag_seconds=0.006).beside(LIMIT) == pytest.approx(3.0)


def test_wrong_runs_are_no_figure() -> None:
    """A fleet whose runs fail or are left out reaches nothing, however cheap."""
    assert replace(GOOD, wrong=1).beside(LIMIT) == float("inf")


def test_the_median_is_of_each_figure_and_wrong_adds_up() -> None:
    """One noisy round moves no figure; one wrong run in any round shows."""
    rounds = [GOOD, replace(GOOD, cores=9.0, wrong=1), replace(GOOD, cores=0.3)]
    assert median(rounds) == replace(GOOD, cores=0.3, wrong=1)


def test_each_target_has_an_address_of_its_own() -> None:
    """No two of the ten thousand targets share a connection or a name."""
    targets = json.loads(configuration(8000, keep=True))["targets"]
    assert len({each["url"].partition(":8000")[0] for each in targets}) == 10_000
    assert len({each["name"] for each in targets}) == 10_000


def test_quantile() -> None:
    """The 99th of a hundred ordered values, and nothing of nothing."""
    assert quantile([float(value) for value in range(100, 0, -1)], 0.99) == 100.0
    assert quantile([], 0.99) == 0.0
