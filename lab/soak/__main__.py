"""`python -m lab.soak`: thousands of endpoints, one in twenty broken, and what is said of them."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from lab.soak import endpoints
from lab.soak.faults import FAULTS, FAULTY_EACH
from lab.soak.plan import MOST_TARGETS, Plan
from lab.soak.run import ROOT, Setting, soak
from lab.soak.verdict import Verdict, judge
from lab.stack.errors import StackError
from toolkit import logging
from toolkit.lifecycle import run

_LONG, _FEWEST = Plan(), FAULTY_EACH * len(FAULTS)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.soak", description=__doc__)
    parser.add_argument("--targets", type=int, default=_LONG.targets)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long it is watched")
    parser.add_argument("--interval", type=float, default=_LONG.interval_seconds, metavar="SECONDS")
    parser.add_argument("--timeout", type=float, default=_LONG.timeout_seconds, metavar="SECONDS")
    parser.add_argument("--keep", action="store_true", help="keep the healthy ones' connections")
    parser.add_argument(
        "--scrape", type=float, default=15.0, metavar="SECONDS", help="0: at the end alone"
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the folder of the exporter's code (this one)"
    )
    parser.add_argument("--folder", type=Path, help="where logs are left (a new one below /tmp)")
    parser.add_argument("--serve", type=int, nargs=2, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if not _FEWEST <= asked.targets <= MOST_TARGETS:
        parser.error(f"--targets: use {_FEWEST} (each fault once) to {MOST_TARGETS}")
    if asked.seconds < 3 * asked.interval:
        parser.error("--seconds: three intervals are the least that says something")
    return asked


async def _soak(asked: argparse.Namespace, console: Console) -> int:
    plan = Plan(
        targets=asked.targets,
        interval_seconds=asked.interval,
        timeout_seconds=asked.timeout,
        keep=asked.keep,
    )
    setting = Setting(
        folder=asked.folder or Path(tempfile.mkdtemp(prefix="vigie-soak-")),
        environ=os.environ,
        seconds=asked.seconds,
        scrape_seconds=asked.scrape,
        root=asked.root,
    )
    console.print(f"logs are in {setting.folder}", markup=False)
    began = time.monotonic()

    def tell(line: str) -> None:
        console.print(f"[{time.monotonic() - began:6.1f} s] {line}", markup=False)

    verdict = judge(await soak(plan, setting, tell))
    _print(verdict, console)
    return 0 if verdict.right else 1


def _print(verdict: Verdict, console: Console) -> None:
    table = Table("soak", "")
    for name, text in verdict.figures.items():
        table.add_row(name, text)
    console.print(table)
    for fault in verdict.faults:
        console.print(f"FAULT: {fault}", markup=False)
    console.print("soak: right" if verdict.right else "soak: WRONG")


def main(argv: Sequence[str] | None = None) -> int:
    """Soak and judge; returns 1 when a promise was not held."""
    logging.configure(level="error", format="logfmt")
    asked, console = _arguments(argv), Console(width=100)
    if asked.serve:
        return run(endpoints.serve(*asked.serve))
    try:
        return asyncio.run(_soak(asked, console))
    except (StackError, aiohttp.ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    except TimeoutError:
        print("exporter: its metrics did not come in time; see its log", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
