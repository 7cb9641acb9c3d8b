"""`probe_cpu`: CPU of one scheduled HTTP probe on a new connection, beside blackbox_exporter's.

The prober has core 0; what is probed, and what asks blackbox_exporter, have core 1. Ours is a whole
run of an agent: request, parsing, verdict and record. Once as fast as can be, once at 200 a second.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figure import Figure, Measured
from bench.floor import compiled
from lab.stack.cache import cache_root
from lab.stack.progress import Progress
from lab.stack.provide import provide

_ROUNDS = 3
_SECONDS = 2.0
_PACED_SECONDS = 5.0
_RATE = 200.0


@contextmanager
def child(
    core: int, command: list[str], environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run a command on one core until the end of the context."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", f"from bench.probing import *; {code}"]


def line(process: subprocess.Popen[str]) -> str:
    """Give the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _told(core: int, command: list[str], environ: Mapping[str, str]) -> float:
    with child(core, command, environ) as running:
        return float(line(running))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def _blackbox(environ: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    port = _free_port()
    found = provide(
        ["blackbox_exporter"],
        flavour="current",
        root=cache_root(environ),
        environ=environ,
        progress=Progress(sys.stderr),
    )["blackbox_exporter"]
    config = Path(__file__).with_name("blackbox.yml")
    flags = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    with child(0, [str(found.path), *flags], {**environ, "GOMAXPROCS": "1"}) as running:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield running.pid, port, found.version


def _sides(
    stack: ExitStack, environ: Mapping[str, str], *, keep: bool
) -> Mapping[str, Callable[[], float]]:
    """Give what is measured, by the name of its row: CPU microseconds per probe."""
    target = int(line(stack.enter_context(child(1, _python("answer()"), environ))))
    pid, port, version = stack.enter_context(_blackbox(environ))
    path = f"/probe?module=http_2xx&target=http://127.0.0.1:{target}/"
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    loop_in_c = compiled(folder, environ)

    def peer(seconds: float, rate: float | None) -> float:
        before = _cpu_seconds(pid)
        made = _told(1, _python(f"ask({port}, {path!r}, {seconds}, {rate})"), environ)
        return (_cpu_seconds(pid) - before) / made * 1e6

    def ours(seconds: float, rate: float | None) -> float:
        return _told(0, _python(f"runs({target}, {seconds}, keep={keep}, rate={rate})"), environ)

    alone = f"exchanges({target}, {_SECONDS}, keep={keep})"
    sides = {
        "an agent's run": lambda: ours(_SECONDS, None),
        "its exchange alone": lambda: _told(0, _python(alone), environ),
        f"blackbox_exporter {version}": lambda: peer(_SECONDS, None),
        "an agent's run, paced": lambda: ours(_PACED_SECONDS, _RATE),
        "blackbox_exporter, paced": lambda: peer(_PACED_SECONDS, _RATE),
    }
    if loop_in_c is None:
        return sides
    floor = [str(loop_in_c), str(target), str(_SECONDS), str(int(keep))]
    return {"the kernel (a C loop)": lambda: _told(0, floor, environ), **sides}


def measure(
    environ: Mapping[str, str], *, keep: bool, reach: float, reach_paced: float
) -> Measured:
    """Measure the sides in turn, three times; of the two ratios the one that is further off."""
    there = {**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with ExitStack() as stack:
        sides = _sides(stack, there, keep=keep)
        rounds = [{name: side() for name, side in sides.items()} for _ in range(_ROUNDS)]
    found = {name: statistics.median(each[name] for each in rounds) for name in sides}
    peers = [used for name, used in found.items() if name.startswith("blackbox")]
    saturated = found["an agent's run"] / peers[0]
    paced = found["an agent's run, paced"] / peers[1]
    for name, used in found.items():
        beside = peers["paced" in name]
        print(f"{name:26s} {used:7.1f} us CPU, 1/{beside / used:.1f} of the peer's")
    print(
        f"saturated {saturated:.3f} (reach {reach:.3f}), at {_RATE:g} a second {paced:.3f}", end=""
    )
    print(f" (reach {reach_paced:.3f})")
    if paced / reach_paced > saturated / reach:
        return Measured(ratio=paced, reach=reach_paced, bound="at most")
    return Measured(ratio=saturated, reach=reach, bound="at most")


FIGURE = Figure(
    name="probe_cpu",
    text="CPU of a scheduled HTTP probe on a new connection, beside blackbox_exporter",
    run=lambda environ: measure(environ, keep=False, reach=1 / 4, reach_paced=1 / 3),
)
