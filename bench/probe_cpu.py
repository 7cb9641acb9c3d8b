"""`probe_cpu`: CPU of one scheduled HTTP probe on a new connection, beside blackbox_exporter's.

The prober has core 0; what is probed, and what asks blackbox_exporter, have core 1. Ours is a whole
run of an agent: request, parsing, verdict and record.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import aiohttp
import uvloop

from bench.figure import Figure, Measured
from lab.stack.cache import cache_root
from lab.stack.progress import Progress
from lab.stack.provide import provide

_ROUNDS = 3
_SECONDS = 2.0
_AT_ONCE = 32
_BODY = b"ok\n"


class _Answering(asyncio.Protocol):
    """Answers each segment that ends a request with the same small page."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        """Answer, and close where that is asked for."""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
            % (len(_BODY), _BODY)
        )
        if b"onnection: close" in data:
            self._transport.close()


def answer() -> None:
    """Serve until killed; prints the port."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    uvloop.run(serve())


def probe(port: int, keep: bool, whole: bool) -> None:  # noqa: FBT001 - from a child's command line
    """Probe for a while; prints CPU microseconds per probe."""
    from exporter.agent import JuniorAgent, Surroundings  # noqa: PLC0415 - in its own process
    from exporter.instruments import Instruments  # noqa: PLC0415
    from exporter.probes.http import Http  # noqa: PLC0415
    from exporter.record import TargetRecord  # noqa: PLC0415
    from exporter.transport import Request, open_transport  # noqa: PLC0415
    from toolkit import logging  # noqa: PLC0415

    logging.configure(level="error", format="logfmt")
    url = f"http://127.0.0.1:{port}/"
    request = Request(method="GET", url=url, timeout_seconds=5, limit_bytes=1 << 20, keep=keep)

    async def run() -> float:
        made = 0
        until = time.monotonic() + _SECONDS
        async with open_transport() as transport:
            around = Surroundings(transport=transport, instruments=Instruments())

            async def one(number: int) -> None:
                nonlocal made
                target = Http(name=f"t{number}", url=url, keep=keep)
                agent = JuniorAgent(TargetRecord(target, now=0.0), around)
                while time.monotonic() < until:
                    if whole:
                        await agent.run_once()
                        last = agent.record.last
                        assert last is not None
                        assert last.success
                    else:
                        assert (await transport.exchange(request)).complete
                    made += 1

            before = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.gather(*(one(number) for number in range(_AT_ONCE)))
            after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return used / made * 1e6

    print(uvloop.run(run()))


@contextmanager
def _child(
    core: int, command: list[str], environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait(30)


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _ours(port: int, environ: Mapping[str, str], *, keep: bool, whole: bool) -> float:
    code = f"from bench.probe_cpu import probe; probe({port}, {keep}, {whole})"
    with _child(0, _python(code), environ) as child:
        return float(_line(child))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, path: str) -> None:
    """Ask for a path over sixteen kept connections for a while; prints how often."""

    async def one(session: aiohttp.ClientSession, until: float) -> int:
        made = 0
        while time.monotonic() < until:
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert "probe_success 1" in await answer.text()
            made += 1
        return made

    async def run() -> int:
        until = time.monotonic() + _SECONDS
        async with aiohttp.ClientSession() as session:
            return sum(await asyncio.gather(*(one(session, until) for _ in range(16))))

    print(uvloop.run(run()))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def _blackbox(environ: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    port = _free_port()
    progress = Progress(sys.stderr)
    found = provide(
        ["blackbox_exporter"],
        flavour="current",
        root=cache_root(environ),
        environ=environ,
        progress=progress,
    )
    program = found["blackbox_exporter"].path
    config = Path(__file__).with_name("blackbox.yml")
    command = [str(program), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    with _child(0, command, {**environ, "GOMAXPROCS": "1"}) as child:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield child.pid, port


def _peer(pid: int, port: int, target: int, environ: Mapping[str, str]) -> float:
    path = f"/probe?module=http_2xx&target=http://127.0.0.1:{target}/"
    code = f"from bench.probe_cpu import ask; ask({port}, {path!r})"
    before = _cpu_seconds(pid)
    with _child(1, _python(code), environ) as child:
        made = int(_line(child))
    return (_cpu_seconds(pid) - before) / made * 1e6


def measure(environ: Mapping[str, str], *, keep: bool, reach: float) -> Measured:
    """Measure both in turn, three times; the ratio is ours over theirs."""
    there = {**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ours, bare, theirs = [], [], []
    with ExitStack() as stack:
        server = stack.enter_context(
            _child(1, _python("from bench.probe_cpu import answer; answer()"), there)
        )
        target = int(_line(server))
        pid, port = stack.enter_context(_blackbox(there))
        for _ in range(_ROUNDS):
            ours.append(_ours(target, there, keep=keep, whole=True))
            bare.append(_ours(target, there, keep=keep, whole=False))
            theirs.append(_peer(pid, port, target, there))
    whole, alone, peer = map(statistics.median, (ours, bare, theirs))
    print(f"an agent's run       {whole:6.1f} us CPU")
    print(f"its exchange alone   {alone:6.1f} us CPU, 1/{peer / alone:.1f} of the peer's")
    print(f"blackbox_exporter    {peer:6.1f} us CPU, a new connection each; 1/{peer / whole:.1f}")
    return Measured(ratio=whole / peer, reach=reach, bound="at most")


FIGURE = Figure(
    name="probe_cpu",
    text="CPU of a scheduled HTTP probe on a new connection, beside blackbox_exporter",
    run=lambda environ: measure(environ, keep=False, reach=1 / 4),
)
