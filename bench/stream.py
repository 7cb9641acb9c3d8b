"""`stream`: the error of chunk times and of the first token, many streams at once on one core.

The reader has core 0, the server core 1; all streams start at once. Three rounds, the sides in
turn; the median of each quantile.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from bench.figure import Figure, Measured
from bench.streaming import CHUNKS, EACH_SECONDS, FIRST_SECONDS
from lab.certificates import CA_FILE, issue, open_authority

_ROUNDS = 3
_REACH_SECONDS = {"plain": 0.0001, "TLS": 0.003}
_FIGURE_STREAMS = 400


@dataclass(kw_only=True, slots=True)
class _Side:
    """One row: who reads how many streams, and what each round came to, in seconds."""

    who: str
    streams: int
    code: str
    rounds: list[Mapping[str, Any]] = field(default_factory=list)

    def off_seconds(self, what: str, share: float) -> float:
        """Give the median of the rounds' quantiles."""
        return statistics.median(_quantile(each[what], share) for each in self.rounds)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def _child(core: int, code: str, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [
            "taskset",
            "-c",
            str(core),
            sys.executable,
            "-c",
            f"from bench.streaming import *; {code}",
        ],
        stdout=subprocess.PIPE,
        env=dict(environ),
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait(30)


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _certificate(folder: Path) -> Path:
    now = dt.datetime.now(dt.UTC)
    pem, _ = issue(open_authority(folder, now), ["127.0.0.1"], now, days=1)
    path = folder / "server.pem"
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path


def _sides(plain: str, secure: str, ca_file: str) -> list[_Side]:
    sides = [
        _Side(who="plain", streams=streams, code=f"ours({plain}, {streams})")
        for streams in (1, 50, 200, _FIGURE_STREAMS)
    ]
    sides += [
        _Side(who="TLS", streams=streams, code=f"ours({secure}, {streams}, {ca_file!r})")
        for streams in (50, _FIGURE_STREAMS)
    ]
    return [*sides, _Side(who="mistralai", streams=10, code=f"theirs({plain}, 10)")]


def _show(sides: Sequence[_Side]) -> None:
    print(
        f"first token after {FIRST_SECONDS * 1e3:g} ms, {CHUNKS} tokens {EACH_SECONDS * 1e3:g} ms"
        f" apart; ms off; mistralai {version('mistralai')} over plain HTTP"
    )
    print("           streams   first p50     p99  chunks p50     p99    gaps p50     p99  merged")
    for side in sides:
        shown = [
            side.off_seconds(what, share) * 1e3
            for what in ("first", "chunks", "gaps")
            for share in (0.5, 0.99)
        ]
        merged = statistics.median(each["merged"] for each in side.rounds)
        cells = "{:11.3f} {:7.3f} {:11.3f} {:7.3f} {:11.3f} {:7.3f}".format(*shown)
        print(f"{side.who:10s} {side.streams:7d} {cells} {merged:7g}")


def _measure(environ: Mapping[str, str]) -> Measured:
    there = {**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = _certificate(folder)
        ports = [
            _line(stack.enter_context(_child(1, f"answer({given!r})", there)))
            for given in ("", str(certificate))
        ]
        sides = _sides(ports[0], ports[1], str(folder / CA_FILE))
        for _ in range(_ROUNDS):
            for side in sides:
                with _child(0, side.code, there) as child:
                    side.rounds.append(orjson.loads(_line(child)))
    _show(sides)
    ratio = max(
        side.off_seconds("chunks", 0.99) / _REACH_SECONDS[side.who]
        for side in sides
        if side.streams == _FIGURE_STREAMS
    )
    return Measured(ratio=ratio, reach=1, bound="at most")


FIGURE = Figure(
    name="stream",
    text="error of chunk times p99 at 400 streams on one core, over what is wanted"
    " (0.1 ms plain, 3 ms TLS), beside the mistralai SDK at 10",
    run=_measure,
)
