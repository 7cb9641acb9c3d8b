"""`python -m lab.demo`: the whole loop on real servers, one fault or all of them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import aiohttp
from rich.console import Console
from rich.table import Table

from lab.compounds import load as load_compounds
from lab.demo.compound import played
from lab.demo.recording import record
from lab.demo.run import Narrator, Scene
from lab.demo.verdict import Verdict
from lab.demo.watch import TIMEOUT
from lab.installation import EXPORTER, MISTRAL, RESPONDER, Installation, Plan
from lab.mistral.server import ANSWERING
from lab.report_checker import check
from lab.stack.cache import cache_root
from lab.stack.errors import StackError
from lab.stack.progress import Progress
from lab.stack.provide import provide
from lab.stack.runner import ALERTMANAGER, PROMETHEUS
from lab.truth import load as load_truth

BASELINE_SECONDS = 25.0
CALM_SECONDS = 12.0
EACH = "each"
"""In the place of a persona: all that answer, one after the other."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; 0 when each first cause named was the fault that was set."""
    faults = tuple(name for name, truth in load_truth().items() if truth.alone)
    arguments = _parser(faults).parse_args(argv)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    try:
        return asyncio.run(_run(arguments, _chosen(arguments, faults), console))
    except StackError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _chosen(arguments: argparse.Namespace, faults: Sequence[str]) -> Sequence[str]:
    if arguments.compounds:
        return tuple(load_compounds())
    return (*faults, *load_compounds()) if arguments.all else (arguments.fault,)


async def _run(arguments: argparse.Namespace, faults: Sequence[str], console: Console) -> int:
    _stop_on_sigterm()
    console.print("[bold]the stack[/]: Prometheus and Alertmanager, found, unpacked or built")
    programs = provide(
        flavour=arguments.flavour,
        root=cache_root(os.environ),
        environ=os.environ,
        progress=Progress(sys.stderr),
    )
    with _work_folder(keep=arguments.keep) as folder:
        plan = Plan(
            folder=folder,
            programs={name: program.path for name, program in programs.items()},
            environ=os.environ,
            analyst=_analyst(arguments.analyst),
        )
        console.print("[bold]starting[/]: lab, exporter, responder, Prometheus, Alertmanager")
        async with Installation(plan) as place, aiohttp.ClientSession(timeout=TIMEOUT) as session:
            scene = Scene(
                place=place,
                session=session,
                narrator=Narrator(console=console),
                baseline_seconds=BASELINE_SECONDS,
                record=arguments.record,
            )
            await _persona(scene, None if arguments.persona == EACH else arguments.persona)
            return await _show(scene, faults, arguments, console)


async def _show(
    scene: Scene, faults: Sequence[str], arguments: argparse.Namespace, console: Console
) -> int:
    scene.narrator.say("lab", f"running; {BASELINE_SECONDS:g} s of health first, as a baseline")
    verdicts: list[Verdict] = []
    for number, fault in enumerate(faults):
        await scene.until_healthy()
        if arguments.persona == EACH:
            await _persona(scene, ANSWERING[number % len(ANSWERING)])
        if fault in load_compounds():
            verdicts += await _compound(scene, fault, console)
        else:
            verdicts.append(await _single(scene, fault, console, clear=len(faults) > 1))
        scene.baseline_seconds = CALM_SECONDS
    if len(verdicts) > 1:
        console.print(table(verdicts))
    _print_verdict(verdicts, console)
    if not arguments.once and not arguments.all and not arguments.compounds:
        _print_addresses(scene.place, console)
        await _watch_on(scene)
    return 0 if all(verdict.right and verdict.holds for verdict in verdicts) else 1


async def _single(scene: Scene, fault: str, console: Console, *, clear: bool) -> Verdict:
    verdict, incident = await scene.play(fault)
    if incident is not None:
        verdict = await _read_again(scene, verdict, incident, console)
    if clear:
        await scene.clear(fault)
    return verdict


async def _read_again(
    scene: Scene, verdict: Verdict, incident: Mapping[str, Any], console: Console
) -> Verdict:
    """Print the report, and hold each number, link and row of it against the evidence."""
    if scene.record is not None:
        path = await record(scene, scene.record, verdict.truth, incident)
        scene.narrator.say("lab", f"recorded: {path.name}")
    await _print_report(scene, incident["id"], console)
    checked = await check(incident, scene.session, scene.place.source_kinds())
    for problem in checked.problems:
        console.print(f"NOT FOUND: {problem}", style="red", markup=False)
    return replace(verdict, checked=checked)


async def _compound(scene: Scene, name: str, console: Console) -> Sequence[Verdict]:
    async with played(scene, load_compounds()[name]) as told:
        return [
            verdict if incident is None else await _read_again(scene, verdict, incident, console)
            for verdict, incident in zip(told.verdicts, told.incidents, strict=True)
        ]


async def _watch_on(scene: Scene) -> None:
    while True:
        await scene.tell()
        await asyncio.sleep(1)


async def _persona(scene: Scene, persona: str | None) -> None:
    if persona is None:
        return
    url = f"{scene.place.url(MISTRAL)}/persona"
    async with scene.session.put(url, json={"name": persona}) as response:
        if response.status != 200:
            problem = f"{persona}: refused with {response.status}"
            raise StackError("persona", problem, "python -m lab.mistral --help lists them")
    scene.narrator.say("lab", f"the model is {persona}")


async def _print_report(scene: Scene, incident: str, console: Console) -> None:
    url = f"{scene.place.url(RESPONDER)}/incidents/{incident}/report.txt"
    async with scene.session.get(url) as response:
        text = await response.text()
    console.rule()
    console.print(text, markup=False)
    console.rule()


def _print_verdict(verdicts: Sequence[Verdict], console: Console) -> None:
    for verdict in verdicts:
        truth = verdict.truth
        was = f"{truth.component}, {truth.cause_kind}"
        mark = "right" if verdict.right else "WRONG"
        named = f"{verdict.component}, {verdict.cause_kind}"
        text = f"{truth.fault}: set {was}; first cause named {named}: {mark}"
        if verdict.checked is not None:
            text += f" ({verdict.checked})"
        console.print(text, style="green" if verdict.right else "red", markup=False)


def table(verdicts: Sequence[Verdict]) -> Table:
    """Lay out one row per fault: the truth, what the report named, and how long it took."""
    found = sum(verdict.right for verdict in verdicts)
    rows = Table(title=f"first cause right in {found} of {len(verdicts)}")
    names = ("fault", "true cause", "first cause", "confidence", "read again", "seconds", "")
    for column in names:
        rows.add_column(column)
    for each in verdicts:
        rows.add_row(
            each.truth.fault,
            f"{each.truth.component} {each.truth.cause_kind}",
            f"{each.component} {each.cause_kind}",
            each.confidence,
            "-" if each.checked is None else "found" if each.holds else "NOT FOUND",
            f"{each.seconds:.1f}",
            "right" if each.right else "WRONG",
        )
    return rows


def _print_addresses(place: Installation, console: Console) -> None:
    console.print("open these, and end with Ctrl-C:")
    # The two servers' APIs: a Prometheus that was unpacked or built here has no pages.
    for what, name, path in (
        ("reports", RESPONDER, "/"),
        ("targets", EXPORTER, "/"),
        ("Prometheus", PROMETHEUS, "/api/v1/alerts"),
        ("Alertmanager", ALERTMANAGER, "/api/v2/alerts"),
    ):
        console.print(f"  {what:<13}{place.url(name)}{path}", markup=False)


def _analyst(wanted: str | None) -> Literal["embedded", "stand-in", "mistral"]:
    key = bool(os.environ.get("MISTRAL_API_KEY"))
    if wanted == "mistral" or (wanted is None and key):
        return "mistral" if key else "stand-in"
    return "embedded"


@contextlib.contextmanager
def _work_folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="vigie-demo-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _parser(faults: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.demo",
        description="Breaks the lab and shows what the programs make of it.",
    )
    names = (*faults, *load_compounds())
    parser.add_argument("--fault", choices=names, default="hang", help="what to break")
    parser.add_argument("--all", action="store_true", help="every fault and compound, and a table")
    parser.add_argument("--compounds", action="store_true", help="every compound, and a table")
    parser.add_argument("--once", action="store_true", help="stop after the report")
    parser.add_argument("--keep", action="store_true", help="keep the work folder with its logs")
    parser.add_argument("--analyst", choices=("embedded", "mistral"), help="who writes the report")
    parser.add_argument(
        "--persona",
        help=f"how the model's stand-in behaves, such as hang; {EACH}: another for each fault",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="write what the responder knew of each incident, for `vigie-responder eval reports`",
    )
    parser.add_argument("--flavour", choices=("any", "debian", "current"), default="any")
    return parser


if __name__ == "__main__":
    sys.exit(main())
