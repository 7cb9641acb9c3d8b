"""`python -m bench` lists the figures; `python -m bench NAME ...` measures some, `all` each."""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figure import Figure, Measured, figures

ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One figure's end: what it came to, or why nothing was measured."""

    name: str
    measured: Measured | None = None
    error: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the figure was measured and is good enough."""
        return self.measured is not None and self.measured.is_reached

    def __str__(self) -> str:
        """Give the figure's last line."""
        if self.measured is None:
            return f"{self.name}: not measured ({self.error})"
        return f"{self.name}: {self.measured.ratio:.2f} (reach {self.measured.reach:g})"


def chosen(names: Sequence[str], known: Mapping[str, Figure]) -> Sequence[Figure]:
    """Give the figures of these names in their order, each once; `all` is every one."""
    wanted = dict.fromkeys(each for name in names for each in (known if name == ALL else (name,)))
    return [known[name] for name in wanted]


def in_turn(
    wanted: Sequence[Figure], environ: Mapping[str, str], say: Callable[[str], object]
) -> Sequence[Result]:
    """Measure each, saying its last line; one that fails holds up none after it."""
    results = []
    for figure in wanted:
        if len(wanted) > 1:
            say(f"--- {figure.name}: {figure.text}")
        results.append(_measured(figure, environ, say))
        say(str(results[-1]))
    return results


def _measured(figure: Figure, environ: Mapping[str, str], say: Callable[[str], object]) -> Result:
    try:
        return Result(name=figure.name, measured=figure.run(environ))
    except Exception as error:  # noqa: BLE001 - the other figures are measured all the same
        say(traceback.format_exc())
        return Result(name=figure.name, error=f"{type(error).__name__}: {error}")


def table(results: Sequence[Result]) -> str:
    """Give a line for each: its ratio, what it is to reach, and whether it does."""
    width = max(len(each.name) for each in results)
    lines = [f"{'figure':{width}}  {'ratio':>8}  {'reach':>9}"]
    for each in results:
        if each.measured is None:
            lines.append(f"{each.name:{width}}  {'-':>8}  {'-':>9}  NOT MEASURED: {each.error}")
            continue
        sign = ">=" if each.measured.bound == "at least" else "<="
        reach = f"{sign} {each.measured.reach:.3g}"
        said = "reached" if each.is_reached else "SHORT"
        lines.append(f"{each.name:{width}}  {each.measured.ratio:8.3f}  {reach:>9}  {said}")
    return "\n".join(lines)


def main() -> int:
    """Give 0 when every figure reaches what it should, 1 when any falls short or fails."""
    known = figures()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures figures.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{ALL}, or some of: {', '.join(known)}"
    )
    names = parser.parse_args().names
    for name in names:
        if name != ALL and name not in known:
            parser.error(f"no figure {name!r}; there are {ALL}, {', '.join(known)}")
    if not names:
        width = max(map(len, known), default=0)
        for figure in known.values():
            print(f"{figure.name:{width}}  {figure.text}")
        return 0
    results = in_turn(chosen(names, known), os.environ, lambda line: print(line, flush=True))
    if len(results) > 1:
        print(f"\n{table(results)}")
    return 0 if all(each.is_reached for each in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
