"""`python -m lab.chaos [RUN ...]`: breaks a running responder, and prints the ledger of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.chaos.ground import Ground, Outcome
from lab.chaos.replicas import ROOT
from lab.chaos.runs import RUNS, Run, Size
from lab.chaos.scene import ChaosError
from lab.stack import postgres
from lab.stack.cache import cache_root
from lab.stack.errors import StackError
from lab.stack.progress import Progress
from lab.stack.provide import provide
from toolkit import logging

_LONG = Size()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [run.name for run in RUNS]
    parser = argparse.ArgumentParser(
        prog="python -m lab.chaos",
        description=__doc__,
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="which ones; all without a name")
    parser.add_argument("--kills", type=int, default=_LONG.kills, help="in each run of kills")
    parser.add_argument("--alerts", type=int, default=_LONG.alerts, help="in the storm")
    parser.add_argument("--conditions", type=int, default=_LONG.conditions, help="in the storm")
    parser.add_argument("--within", type=float, default=_LONG.within_seconds, metavar="SECONDS")
    parser.add_argument("--outage", type=float, default=_LONG.outage_seconds, metavar="SECONDS")
    parser.add_argument("--down", type=float, default=_LONG.down_seconds, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1, help="of chance")
    parser.add_argument("--flavour", choices=("any", "debian", "current"), default="any")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the folder of the responder's code (this one)"
    )
    parser.add_argument("--folder", type=Path, help="where logs are left (a new one below /tmp)")
    asked = parser.parse_args(argv)
    for name in asked.runs:
        if name not in names:
            parser.error(f"no run {name!r}; there are {', '.join(names)}")
    return asked


def _listed() -> str:
    """Give each run with its minutes on two processors, and what it does."""
    lines = [f"  {run.name:18}{run.minutes:4g}  {run.play.__doc__}" for run in RUNS]
    total = sum(run.minutes for run in RUNS)
    return "\n".join(["runs, with the minutes that each takes:", *lines, f"  {'all':18}{total:4g}"])


def _size(asked: argparse.Namespace) -> Size:
    return replace(
        _LONG,
        kills=asked.kills,
        alerts=asked.alerts,
        conditions=asked.conditions,
        within_seconds=asked.within,
        outage_seconds=asked.outage,
        down_seconds=asked.down,
    )


async def _played(run: Run, ground: Ground, size: Size, console: Console) -> bool:
    console.rule(run.name)
    began = time.monotonic()

    def tell(line: str) -> None:
        console.print(f"[{time.monotonic() - began:6.1f} s] {line}", markup=False)

    try:
        outcome = await run.play(ground, size, tell)
    except (ChaosError, StackError, TimeoutError, ValueError) as error:
        console.print(f"{run.name}: FAILED: {type(error).__name__}: {error}", markup=False)
        return False
    _print(outcome, console)
    said = "right" if outcome.right else "WRONG"
    console.print(f"{run.name}: {said} after {time.monotonic() - began:.0f} s")
    return outcome.right


def _print(outcome: Outcome, console: Console) -> None:
    table = Table("ledger", "")
    verdict = outcome.verdict
    for name, figure in verdict.figures.items():
        table.add_row(name, str(figure))
    for name, count in sorted(verdict.ends.items()):
        table.add_row(f"  alerts that end in: {name}", str(count))
    for name, text in outcome.figures.items():
        table.add_row(name, text)
    table.add_row("faults", str(len(verdict.faults) + len(outcome.wrong)))
    console.print(table)
    for fault in (*verdict.faults, *outcome.wrong):
        console.print(f"FAULT: {fault}", markup=False)


async def _run(asked: argparse.Namespace, console: Console) -> int:
    wanted = [run for run in RUNS if not asked.runs or run.name in asked.runs]
    programs = provide(
        ["alertmanager"],
        flavour=asked.flavour,
        root=cache_root(os.environ),
        environ=os.environ,
        progress=Progress(sys.stderr),
    )
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="vigie-chaos-"))
    console.print(f"logs are in {folder}")
    with contextlib.ExitStack() as stack:
        ground = Ground(
            folder=folder,
            alertmanager=programs["alertmanager"].path,
            environ=os.environ,
            seed=asked.seed,
            root=asked.root,
        )
        if any(run.needs_postgresql for run in wanted):
            ground.cluster = stack.enter_context(postgres.cluster(os.environ))
        results = {run.name: await _played(run, ground, _size(asked), console) for run in wanted}
    console.rule("all")
    for name, right in results.items():
        console.print(f"{name}: {'right' if right else 'WRONG'}")
    return 0 if all(results.values()) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Play the runs that are asked for; returns 1 when one of them went wrong."""
    logging.configure(level="error", format="logfmt")
    asked, console = _arguments(argv), Console(width=120)
    try:
        return asyncio.run(_run(asked, console))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
