"""`stream`: the error of chunk times and of the first token, many streams at once on one core.

The prober has core 0, the server core 1. The server writes into each chunk when it wrote it, by the
monotonic clock, which is one for the whole machine: what a time is off by is known to the
microsecond, and the server's own lateness is no error of the prober's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import orjson
import uvloop

from bench.figure import Figure, Measured

_FIRST_SECONDS = 0.05
_EACH_SECONDS = 0.02
_CHUNKS = 50
_STREAMS = (1, 50, 200, 400)
_FIGURE_STREAMS = 400
_REACH_SECONDS = 0.0001
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Streaming(asyncio.Protocol):
    """Answers a request with events that hold the time at which they were written."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._sent = 0

    def data_received(self, data: bytes) -> None:
        """Begin once the request's head is there."""
        if b"\r\n\r\n" in data:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + _FIRST_SECONDS
            self._transport.write(_HEAD)
            loop.call_at(self._due, self._next)

    def _next(self) -> None:
        self._sent += 1
        is_last = self._sent == _CHUNKS
        end = b"data: [DONE]\n\n" if is_last else b""
        content = b'{"choices":[{"delta":{"content":"%.7f "}%s}]}' % (
            time.monotonic(),
            b',"finish_reason":"stop"' if is_last else b"",
        )
        self._say(b"data: " + content + b"\n\n" + end)
        if is_last:
            self._transport.write(b"0\r\n\r\n")
            self._transport.close()
            return
        self._due += _EACH_SECONDS
        asyncio.get_running_loop().call_at(self._due, self._next)

    def _say(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


def answer() -> None:
    """Serve until killed; prints the port."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Streaming, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    uvloop.run(serve())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Errors:
    """What times were off by, in seconds: of first tokens, of all chunks, and of gaps."""

    first: Sequence[float]
    chunks: Sequence[float]
    gaps: Sequence[float]


def listen(port: int, streams: int) -> None:
    """Ask for so many streams at once; prints the errors as JSON."""
    from exporter.completion import read_stream  # noqa: PLC0415 - in its own process
    from exporter.probe import probe_of  # noqa: PLC0415
    from exporter.probes.openai_chat import OpenAIChat  # noqa: PLC0415
    from exporter.sse import events  # noqa: PLC0415
    from exporter.target import Exchange  # noqa: PLC0415
    from exporter.transport import open_transport  # noqa: PLC0415

    def judged(exchange: Exchange) -> tuple[float, list[float], list[float]]:
        said = read_stream(events(exchange.chunks))
        told = [float(each) for each in "".join(said.answer).split()]
        assert len(told) == len(said.token_times) == _CHUNKS, exchange.detail
        off = [at - truth for at, truth in zip(said.token_times, told, strict=True)]
        gaps = [after - before for before, after in itertools.pairwise(off)]
        return off[0], off, gaps

    async def run() -> None:
        target = OpenAIChat(name="t", url=f"http://127.0.0.1:{port}", model="m", timeout=30)
        probe, question = probe_of(target), target.questions()[0]
        async with open_transport() as transport:
            await probe.collect(question, transport)  # what is made once is made
            made = await asyncio.gather(
                *(probe.collect(question, transport) for _ in range(streams))
            )
        found = [judged(exchange) for exchange in made]
        print(
            orjson.dumps(
                {
                    "first": [abs(first) for first, _, _ in found],
                    "chunks": [abs(each) for _, off, _ in found for each in off],
                    "gaps": [abs(each) for _, _, gaps in found for each in gaps],
                }
            ).decode()
        )

    uvloop.run(run())


@contextmanager
def _child(core: int, code: str, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        ["taskset", "-c", str(core), sys.executable, "-c", code],
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


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _measure(environ: Mapping[str, str]) -> Measured:
    there = {**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    worst = 0.0
    print(
        f"first token after {_FIRST_SECONDS * 1e3:g} ms, {_CHUNKS} {_EACH_SECONDS * 1e3:g} ms apart"
    )
    print("streams   first token p50    p99    chunks p50    p99    gaps p50    p99   (ms off)")
    with ExitStack() as stack:
        server = stack.enter_context(_child(1, "from bench.stream import answer; answer()", there))
        port = int(_line(server))
        for streams in _STREAMS:
            code = f"from bench.stream import listen; listen({port}, {streams})"
            with _child(0, code, there) as child:
                errors = _Errors(**orjson.loads(_line(child)))
            shown = [
                _quantile(each, share) * 1e3
                for each in (errors.first, errors.chunks, errors.gaps)
                for share in (0.5, 0.99)
            ]
            print(
                "{:7d}   {:15.3f} {:6.3f} {:13.3f} {:6.3f} {:11.3f} {:6.3f}".format(streams, *shown)
            )
            if streams == _FIGURE_STREAMS:
                worst = _quantile(errors.chunks, 0.99)
    return Measured(ratio=worst / _REACH_SECONDS, reach=1, bound="at most")


FIGURE = Figure(
    name="stream",
    text="error of chunk times p99 at 400 streams on one core, over the 0.1 ms that is wanted",
    run=_measure,
)
