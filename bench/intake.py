"""`intake`: durable acknowledgements a second, beside the same handler parsing but not storing.

The server has core 0, the load generator core 1; PostgreSQL runs where it likes. The mix is that
of the shipped Alertmanager configuration, which groups by target: each post has five alerts never
seen before, of five names, on one target; 19 of 20 posts are on a target with an incident that is
open, the twentieth is on a new one. Re-sends are the same posts a second time.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import uvloop

from bench.figure import Figure, Measured
from bench.load import Tally, drive
from bench.shim import slow_disk
from lab.stack.errors import StackError
from lab.stack.postgres import cluster

_CONNECTIONS = 64
_ALERTS = 5
_TARGETS = 400
_NEW_TARGET_EACH = 20
_ROUNDS = 3
_SECONDS = 2.0
_MOST_POSTS = 8_000
_REACH_SQLITE = 0.6
_REACH_POSTGRESQL = 0.45
_NAMES = (
    "VigieTargetDegraded",
    "VigieTargetSlowFirstToken",
    "VigieCanaryFailing",
    "VigieErrorBudgetBurns",
    "ModelServerQueueGrows",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One way to run the server: `fresh` gives an empty database, None for the peer's none.

    `again`: it is sent what it has seen. `reach`: what it is held to, where it is.
    """

    name: str
    fresh: Callable[[], str | None]
    environ: Mapping[str, str]
    again: bool = False
    reach: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """What one run of one side came to."""

    posts_per_second: float
    cpu_seconds_per_post: float
    p50_seconds: float
    p99_seconds: float


def _alert(target: str, number: int, serial: str, starts_at: str) -> dict[str, object]:
    name = _NAMES[number % len(_NAMES)]
    link = f"http://prometheus.example:9090/graph?g0.expr=vigie_target_state%7Btarget%3D%22{target}"
    return {
        "status": "firing",
        "labels": {
            "alertname": name,
            "target": target,
            "component": f"model-server-{target}",
            "severity": "warning",
            "canary": serial,
            "job": "vigie-exporter",
            "instance": "exporter-0.monitoring:10917",
        },
        "annotations": {
            "summary": f"{target}: the last runs were right but over their limits",
            "description": "The target has answered over its limit for 5 minutes; the slowest of"
            " the last runs took 8.4 s, where 2 s are allowed. What users see: slow answers.",
            "runbook_url": f"http://vigie.example:10918/runbooks/{name}",
            "dashboard_url": f"http://grafana.example:3000/d/vigie-target?var-target={target}",
        },
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": link,
        "fingerprint": uuid.uuid4().hex[:16],
    }


def _post(target: str, serial: str) -> bytes:
    starts_at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    common = {"target": target, "component": f"model-server-{target}"}
    return orjson.dumps(
        {
            "receiver": "vigie",
            "status": "firing",
            "alerts": [_alert(target, number, serial, starts_at) for number in range(_ALERTS)],
            "groupLabels": common,
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager-0.monitoring:9093",
            "version": "4",
            "groupKey": f'{{}}/{{component=~".+"}}:{{target="{target}"}}',
            "truncatedAlerts": 0,
        }
    )


def _posts(count: int) -> list[bytes]:
    lot = uuid.uuid4().hex[:8]
    return [
        _post(
            f"new-{lot}-{number}" if number % _NEW_TARGET_EACH == 0 else f"t{number % _TARGETS}",
            f"{lot}-{number}",
        )
        for number in range(count)
    ]


@contextmanager
def _server(side: _Side) -> Iterator[tuple[int, int]]:
    """Run the server of a side on core 0; gives its process id and port."""
    code = f"from bench.intake_server import main; main({side.fresh()!r})"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=None,
        env={**side.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        text=True,
    )
    try:
        os.sched_setaffinity(server.pid, {0})
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise StackError("intake server", "did not start", "run it by hand", output=code)
        for thread in Path(f"/proc/{server.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {0})
        yield server.pid, int(line)
    finally:
        server.terminate()
        server.wait(30)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measure(side: _Side) -> _Round:
    with _server(side) as (pid, port):
        seen = [_post(f"t{number}", f"warm-{number}") for number in range(_TARGETS)]
        _drive(port, seen)
        bodies = seen * (_MOST_POSTS // _TARGETS) if side.again else _posts(_MOST_POSTS)
        before = _cpu_seconds(pid)
        tally = _drive(port, bodies)
        used = _cpu_seconds(pid) - before
    if tally.refused or not tally.latencies:
        raise StackError("intake server", f"{tally.refused} posts refused", "see why by hand")
    return _Round(
        posts_per_second=len(tally.latencies) / tally.seconds,
        cpu_seconds_per_post=used / len(tally.latencies),
        p50_seconds=tally.quantile_seconds(0.5),
        p99_seconds=tally.quantile_seconds(0.99),
    )


def _drive(port: int, bodies: Sequence[bytes]) -> Tally:
    return uvloop.run(drive(port, bodies, connections=_CONNECTIONS, seconds=_SECONDS))


def _median(rounds: Sequence[_Round]) -> _Round:
    def middle(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in rounds))

    return _Round(**{name: middle(name) for name in _Round.__slots__})


def _print(side: _Side, found: _Round, peer: _Round) -> float:
    ratio = found.posts_per_second / peer.posts_per_second
    cpu = peer.cpu_seconds_per_post / found.cpu_seconds_per_post
    print(
        f"{side.name:34} {found.posts_per_second:7.0f} acks/s"
        f" {found.cpu_seconds_per_post * 1e6:6.0f} us CPU/post"
        f"  p50 {found.p50_seconds * 1e3:6.1f} ms  p99 {found.p99_seconds * 1e3:6.1f} ms"
        f"  {ratio:.2f} of the peer's rate, {cpu:.2f} by CPU",
        flush=True,
    )
    return ratio


def _compare(peer: _Side, sides: Sequence[_Side]) -> Mapping[str, float]:
    """Measure the sides in turn, three times; gives each one's rate over the peer's."""
    rounds: dict[str, list[_Round]] = {side.name: [] for side in (peer, *sides)}
    for _ in range(_ROUNDS):
        for side in (peer, *sides):
            rounds[side.name].append(_measure(side))
    found = {name: _median(each) for name, each in rounds.items()}
    return {side.name: _print(side, found[side.name], found[peer.name]) for side in (peer, *sides)}


def _sqlite(folder: Path) -> Callable[[], str]:
    return lambda: f"sqlite:///{folder / uuid.uuid4().hex}.db"


@contextmanager
def _postgresql(environ: Mapping[str, str]) -> Iterator[Callable[[], str]]:
    """Run a PostgreSQL in a process whose environment is *environ*; gives fresh databases."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", "from bench.intake import keep_postgresql; keep_postgresql()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        text=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    asking, answering = keeper.stdin, keeper.stdout

    def fresh() -> str:
        asking.write("fresh\n")
        asking.flush()
        return answering.readline().strip()

    try:
        yield fresh
    finally:
        asking.close()
        keeper.wait(60)


def keep_postgresql() -> None:
    """Run a PostgreSQL until the input ends; for each line of it, print a fresh database."""
    with cluster({"PATH": os.defpath}) as server:
        for _ in sys.stdin:
            print(server.url(f"bench_{uuid.uuid4().hex}"), flush=True)


def _run(environ: Mapping[str, str]) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="vigie-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        slow = slow_disk(folder, environ)
        if slow is None:
            print("no C compiler (cc): not measured with a slower disk")
        sides = [
            _Side(name="SQLite, new", fresh=_sqlite(folder), environ=environ, reach=_REACH_SQLITE),
            _Side(name="SQLite, re-sent", fresh=_sqlite(folder), environ=environ, again=True),
            *_on_postgresql(stack, "", environ, environ),
        ]
        if slow is not None:
            there = {**environ, **slow}
            sides.append(
                _Side(name="SQLite, new, +2 ms a sync", fresh=_sqlite(folder), environ=there)
            )
            sides += _on_postgresql(stack, ", +2 ms a sync", environ, there)
        return _judged(sides, environ)


def _on_postgresql(
    stack: ExitStack, note: str, environ: Mapping[str, str], there: Mapping[str, str]
) -> list[_Side]:
    fresh = stack.enter_context(_postgresql(there))
    new = _Side(name=f"PostgreSQL, new{note}", fresh=fresh, environ=environ)
    if note:
        return [new]
    again = replace(new, name="PostgreSQL, re-sent", again=True)
    return [replace(new, reach=_REACH_POSTGRESQL), again]


def _judged(sides: Sequence[_Side], environ: Mapping[str, str]) -> Measured:
    size = len(_post("t0", "x"))
    print(f"{_CONNECTIONS} connections, {_ALERTS} alerts and {size} bytes a post; the figure: new")
    peer = _Side(name="parsing, not storing", fresh=lambda: None, environ=environ)
    found = _compare(peer, sides)
    held = [Measured(ratio=found[side.name], reach=side.reach) for side in sides if side.reach]
    for side, each in zip((side for side in sides if side.reach), held, strict=True):
        print(f"{side.name}: {each.ratio:.2f} (reach {each.reach:g})")
    return min(held, key=lambda each: each.ratio / each.reach)


FIGURE = Figure(
    name="intake",
    text="durable acknowledgements a second, beside the same handler that does not store",
    run=_run,
)
