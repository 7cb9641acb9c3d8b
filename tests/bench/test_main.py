"""Several figures in one run: each has its line, a failure stops none, and one short is enough."""

from __future__ import annotations

from collections.abc import Mapping

from bench.__main__ import Result, chosen, in_turn, table
from bench.figure import Figure, Measured, figures


def figure(name: str, ratio: float | None) -> Figure:
    """Make a figure that comes to a ratio, or that breaks."""

    def run(_environ: Mapping[str, str]) -> Measured:
        if ratio is None:
            raise OSError("no compiler")
        return Measured(ratio=ratio, reach=1.0)

    return Figure(name=name, text="a figure", run=run)


KNOWN = {each.name: each for each in (figure("a", 2.0), figure("b", None), figure("c", 0.5))}


def test_all_is_every_figure_once() -> None:
    """`all` stands for every name, and a name that is given twice is measured once."""
    assert [each.name for each in chosen(["c", "all", "a"], KNOWN)] == ["c", "a", "b"]


def test_what_fails_holds_up_nothing_after_it() -> None:
    """A figure that raises is told as not measured, and the next one is measured."""
    said: list[str] = []
    results = in_turn(chosen(["all"], KNOWN), {}, said.append)
    assert [each.is_reached for each in results] == [True, False, False]
    assert "b: not measured (OSError: no compiler)" in said
    assert said[-1] == "c: 0.50 (reach 1)"


def test_the_table_has_a_line_for_each() -> None:
    """Reached, short and not measured can be told apart."""
    lines = table(in_turn(chosen(["all"], KNOWN), {}, lambda _line: None)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["a", "b", "c"]
    assert lines[1].endswith("reached")
    assert "NOT MEASURED: OSError" in lines[2]
    assert lines[3].endswith("SHORT")


def test_at_most_is_short_above_its_reach() -> None:
    """A figure that is a limit is short above it."""
    over = Result(name="x", measured=Measured(ratio=1.2, reach=1.0, bound="at most"))
    assert not over.is_reached
    assert "<= 1" in table([over])


def test_the_exporters_five_figures_are_there() -> None:
    """What the exporter is measured by can be asked for by name."""
    assert {"probe_cpu", "probe_cpu_kept", "fleet", "stream", "exposition"} <= set(figures())
