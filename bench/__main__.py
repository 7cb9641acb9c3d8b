"""`python -m bench` lists the figures; `python -m bench NAME` measures one."""

from __future__ import annotations

import argparse
import os

from bench.figure import Figure, figures


def main() -> int:
    """Give 0 when the figure reaches what it should, 1 when it falls short."""
    known = figures()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures a figure.")
    parser.add_argument("name", nargs="?", choices=sorted(known), help="the figure to measure")
    name = parser.parse_args().name
    if name is None:
        width = max(map(len, known), default=0)
        for figure in known.values():
            print(f"{figure.name:{width}}  {figure.text}")
        return 0
    return _measure(known[name])


def _measure(figure: Figure) -> int:
    measured = figure.run(os.environ)
    print(f"{figure.name}: {measured.ratio:.2f} (reach {measured.reach:g})")
    return 0 if measured.is_reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
