"""What the figures of CPU per probe run in processes of their own: the probed, ours, who asks."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import aiohttp
import uvloop

_AT_ONCE = 32
_ASKERS = 16
_FIRST_SECONDS = 1.1
_BODY = b"ok\n"


class _Answering(asyncio.Protocol):
    """Answers each segment that ends a request with the same small page."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)

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


async def _used_each(made: Callable[[], int], work: Awaitable[object]) -> float:
    """Give the CPU microseconds of *work*, a probe each."""
    used, before = _used(), made()
    await work
    return (_used() - used) / (made() - before) * 1e6


def _used() -> float:
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime


def exchanges(port: int, seconds: float, *, keep: bool) -> None:
    """Make exchanges alone, as many as can be; prints CPU microseconds apiece."""
    from exporter.transport import Request, open_transport  # noqa: PLC0415 - in its own process

    url = f"http://127.0.0.1:{port}/"
    request = Request(method="GET", url=url, timeout_seconds=5, limit_bytes=1 << 20, keep=keep)

    async def run() -> float:
        made = 0
        until = time.monotonic() + seconds
        async with open_transport() as transport:

            async def one() -> None:
                nonlocal made
                while time.monotonic() < until:
                    assert (await transport.exchange(request)).complete
                    made += 1

            return await _used_each(lambda: made, asyncio.gather(*(one() for _ in range(_AT_ONCE))))

    print(uvloop.run(run()))


def runs(port: int, seconds: float, *, keep: bool, rate: float | None) -> None:
    """Make whole runs, as many as can be or *rate* a second; prints CPU microseconds apiece.

    With a rate there are as many agents, each at its own interval of a second; their first runs,
    which connect and learn, are not counted.
    """
    from exporter.agent import JuniorAgent, Surroundings  # noqa: PLC0415 - in its own process
    from exporter.instruments import Instruments  # noqa: PLC0415
    from exporter.probes.http import Http  # noqa: PLC0415
    from exporter.record import TargetRecord  # noqa: PLC0415
    from exporter.transport import open_transport  # noqa: PLC0415
    from toolkit import logging  # noqa: PLC0415

    logging.configure(level="error", format="logfmt")
    url = f"http://127.0.0.1:{port}/"

    async def run() -> float:
        async with open_transport() as transport:
            around = Surroundings(transport=transport, instruments=Instruments())
            until = time.monotonic() + seconds
            agents = [
                JuniorAgent(TargetRecord(Http(**fields, name=f"t{n}"), now=0.0), around)
                for n in range(_AT_ONCE if rate is None else int(rate))
            ]

            async def one(agent: JuniorAgent) -> None:
                while time.monotonic() < until:
                    await agent.run_once()

            def made() -> int:
                return sum(agent.record.version for agent in agents)  # one more with each run

            async def paced() -> float:
                working = [asyncio.create_task(agent.work()) for agent in agents]
                await asyncio.sleep(_FIRST_SECONDS)
                used = await _used_each(made, asyncio.sleep(seconds))
                for task in working:
                    task.cancel()
                await asyncio.wait(working)
                return used

            saturated = asyncio.gather(*map(one, agents)) if rate is None else None
            used = await (paced() if saturated is None else _used_each(made, saturated))
            assert all(not agent.record.failures for agent in agents)
            assert all(agent.record.last and agent.record.last.success for agent in agents)
            return used

    fields: dict[str, Any] = {"url": url, "keep": keep, "interval": "1s"}
    print(uvloop.run(run()))


def ask(port: int, path: str, seconds: float, rate: float | None) -> None:
    """Ask for a path over kept connections, as fast as can be or *rate* a second; prints how often.

    What is answered must say that the probe succeeded.
    """

    async def one(session: aiohttp.ClientSession, number: int, begin: float) -> int:
        made = 0
        while time.monotonic() < begin + seconds:
            if rate is not None:
                due = begin + (made * _ASKERS + number) / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            async with session.get(f"http://127.0.0.1:{port}{path}") as told:
                assert "probe_success 1" in await told.text()
            made += 1
        return made

    async def run() -> int:
        begin = time.monotonic()
        async with aiohttp.ClientSession() as session:
            return sum(await asyncio.gather(*(one(session, n, begin) for n in range(_ASKERS))))

    print(uvloop.run(run()))
