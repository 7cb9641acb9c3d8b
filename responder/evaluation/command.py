"""`eval ranking`: the ranking beside published ones on recorded incidents, as a table or JSON."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from responder.evaluation import peers
from responder.evaluation.cases import read_cases
from responder.evaluation.result import CHANCE, OWN, Result, evaluate
from responder.evaluation.table import as_json, table


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlet:
    """Where the result goes and where what differs from run to run goes."""

    say: Callable[[str], object]
    tell: Callable[[str], object]


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `eval`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder eval", description="Measures on recorded incidents."
    )
    made.add_argument(
        "what",
        choices=("ranking", "reports"),
        help="ranking: suspects, without a model; reports: an analyst (see `eval reports --help`)",
    )
    made.add_argument("folder", type=Path, metavar="DIR", help="labels_*.json and the recordings")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument(
        "--get-peers",
        action="store_true",
        help="install the published rankers in an environment of their own, in the cache",
    )
    return made


def run(namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet) -> int:
    """Evaluate the cases of a folder; raises EvaluationError."""
    result, notes = measured(namespace.folder, environ, outlet, get_peers=namespace.get_peers)
    outlet.say(as_json(result, notes) if namespace.json else table(result, notes))
    return 0


def measured(
    folder: Path, environ: Mapping[str, str], outlet: Outlet, *, get_peers: bool
) -> tuple[Result, tuple[str, ...]]:
    """Give what an evaluation came to, and the notes that belong beside it."""
    cases = read_cases(folder)
    environment = peers.environment(environ)
    if get_peers:
        peers.install(environment, outlet.tell)
    has_peers = peers.is_there(environment)
    orders = peers.orders(environment, cases) if has_peers else {}
    result = evaluate(cases, orders)
    seconds = sorted(result.seconds)
    outlet.tell(
        f"{OWN}: {statistics.median(seconds):.4f} s a case (median), {seconds[-1]:.4f} s at most"
    )
    return result, _notes(has_peers=has_peers)


def _notes(*, has_peers: bool) -> tuple[str, ...]:
    notes = [
        f"Ties count against {OWN}. {CHANCE}: expected of a guess among the case's components.",
        "systems, observable: cases whose fault shows in metrics; all: the others as well.",
    ]
    if has_peers:
        published = f"{', '.join(peers.NAMES)}: as published in {peers.PACKAGE}."
        return (*notes, published)
    missing = f"{', '.join(peers.NAMES)}: not installed; --get-peers gets them (about 500 MB)."
    return (*notes, missing)
