"""What `stream` runs in processes of their own: a server that tells when it wrote, and two readers.

The server writes into each chunk when it wrote it, by the monotonic clock, which is one for the
whole machine: what a time is off by is known to the microsecond, and the server's own lateness is
no error of the reader's.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import orjson
import uvloop

FIRST_SECONDS = 0.05
EACH_SECONDS = 0.02
CHUNKS = 50
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = (
    b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"%.7f "},"finish_reason":%s}]}'
)


class _Streaming(asyncio.Protocol):
    """Answers a request with events that hold the time at which they were written."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        self._sent = 0

    def data_received(self, data: bytes) -> None:
        """Begin once the request's head is there."""
        if b"\r\n\r\n" in data:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + FIRST_SECONDS
            self._transport.write(_HEAD)
            loop.call_at(self._due, self._next)

    def _next(self) -> None:
        self._sent += 1
        is_last = self._sent == CHUNKS
        content = _CHUNK % (time.monotonic(), b'"stop"' if is_last else b"null")
        self._say(b"data: " + content + b"\n\n" + (b"data: [DONE]\n\n" if is_last else b""))
        if is_last:
            self._transport.write(b"0\r\n\r\n")
            self._transport.close()
            return
        self._due += EACH_SECONDS
        asyncio.get_running_loop().call_at(self._due, self._next)

    def _say(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


def answer(certificate: str = "") -> None:
    """Serve until killed, over TLS where a certificate is given; prints the port."""

    async def serve() -> None:
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Streaming, "127.0.0.1", 0, backlog=1024, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    uvloop.run(serve())


def _tell(found: Sequence[tuple[Sequence[float], Sequence[float]]], merged: int) -> None:
    """Print what times were off by, as JSON; *found* is each stream's times and the truth."""
    off = [[at - truth for at, truth in zip(*each, strict=True)] for each in found]
    assert all(len(each) == CHUNKS for each in off), [len(each) for each in off]
    told = {
        "first": [abs(each[0]) for each in off],
        "chunks": [abs(error) for each in off for error in each],
        "gaps": [abs(two - one) for each in off for one, two in itertools.pairwise(each)],
        "merged": merged,
    }
    print(orjson.dumps(told).decode())


def ours(port: int, streams: int, ca_file: str = "") -> None:
    """Ask for so many streams at once with the exporter's probe."""
    from exporter.completion import read_stream  # noqa: PLC0415 - in its own process
    from exporter.probe import probe_of  # noqa: PLC0415
    from exporter.probes.openai_chat import OpenAIChat  # noqa: PLC0415
    from exporter.sse import events  # noqa: PLC0415
    from exporter.transport import open_transport  # noqa: PLC0415

    async def run() -> None:
        scheme, tls = ("https", {"ca_file": Path(ca_file)}) if ca_file else ("http", None)
        target = OpenAIChat.model_validate(
            {
                "name": "t",
                "url": f"{scheme}://127.0.0.1:{port}",
                "model": "m",
                "timeout": "30s",
                "tls": tls,
            }
        )
        probe, question = probe_of(target), target.questions()[0]
        async with open_transport() as transport:
            await probe.collect(question, transport)  # what is made once is made
            made = await asyncio.gather(
                *(probe.collect(question, transport) for _ in range(streams))
            )
        read = [read_stream(events(exchange.chunks)) for exchange in made]
        found = [
            (each.token_times, [float(word) for word in "".join(each.answer).split()])
            for each in read
        ]
        _tell(found, sum(exchange.merged_reads for exchange in made))

    uvloop.run(run())


def theirs(port: int, streams: int) -> None:
    """Ask for so many streams at once with the mistralai SDK."""
    from mistralai.client import Mistral  # noqa: PLC0415 - in its own process
    from mistralai.client.models import UserMessage  # noqa: PLC0415

    async def one(client: Mistral) -> tuple[list[float], list[float]]:
        times, truth = [], []
        stream = await client.chat.stream_async(model="m", messages=[UserMessage(content="hello")])
        async for event in stream:
            times.append(time.monotonic())
            truth.append(float(str(event.data.choices[0].delta.content)))
        return times, truth

    async def run() -> None:
        async with Mistral(api_key="none", server_url=f"http://127.0.0.1:{port}") as client:
            await one(client)
            _tell(await asyncio.gather(*(one(client) for _ in range(streams))), 0)

    uvloop.run(run())
