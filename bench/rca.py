"""The ranking on recorded incidents, beside BARO, N-Sigma and chance.

The recordings are no part of this project: `VIGIE_RCA_CASES` names their folder.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from bench.figure import Figure, Measured
from responder.evaluation.command import Outlet, measured
from responder.evaluation.peers import PACKAGE
from responder.evaluation.result import OWN, Result, Row
from responder.evaluation.table import table

_REACH_AC1, _REACH_AVG5 = 0.83, 0.89
_PEER = "BARO"
_DEFAULT_FOLDER = "../shared/data/rca"


def run(environ: Mapping[str, str]) -> Measured:
    """Print the table; the worst of what is to be reached, each as a share of its reach."""
    folder = Path(environ.get("VIGIE_RCA_CASES") or _DEFAULT_FOLDER)
    outlet = Outlet(say=print, tell=lambda line: print(line, file=sys.stderr))
    result, notes = measured(folder, environ, outlet, get_peers=True)
    print(table(result, notes))
    shares = _shares(result)
    for name, share in shares.items():
        print(f"{name}: {share:.3f} of what is to be reached")
    print(f"peers: {PACKAGE}")
    return Measured(ratio=min(shares.values()), reach=1.0)


def _shares(result: Result) -> Mapping[str, float]:
    if result.pooled is None:
        raise ValueError("no observable case: the figure is about those; label some so")
    own = result.pooled.scores[OWN]
    shares = {
        f"AC@1 {own.ac1:.3f} (reach {_REACH_AC1})": own.ac1 / _REACH_AC1,
        f"Avg@5 {own.avg5:.3f} (reach {_REACH_AVG5})": own.avg5 / _REACH_AVG5,
    }
    return shares | {f"{row.name} beside {_PEER}": _beside(row) for row in result.observable}


def _beside(row: Row) -> float:
    """Give the lesser of a system's two scores as a share of the peer's; at most 1."""
    own, peer = row.scores[OWN], row.scores[_PEER]
    pairs = ((own.ac1, peer.ac1), (own.avg5, peer.avg5))
    return min(min(1.0, mine / theirs) if theirs > 0 else 1.0 for mine, theirs in pairs)


FIGURE = Figure(
    name="rca",
    text="the true cause first on recorded incidents (AC@1 .83, Avg@5 .89, no system below BARO)",
    run=run,
)
