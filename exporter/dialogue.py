"""A scripted exchange over bare TCP or TLS, by lines; the same record as an exchange over HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from exporter.address import ForbiddenAddressError, family_of, refuse_forbidden
from exporter.pattern import SEARCHED_CHARACTERS, PatternText, compiled
from exporter.peer import NO_ONE, Peer, peer_of
from exporter.target import Chunk, Exchange, Reason, Times
from exporter.transport import Request
from exporter.wire.failure import FailedError
from exporter.wire.tls import context_of
from toolkit.settings import Settings

_LONGEST_LINE_BYTES = SEARCHED_CHARACTERS
Script = tuple["Step", ...]


class Step(Settings):
    """One step: wait for a line, then send one, then change to TLS; each where it is given."""

    expect: PatternText | None = Field(
        None, min_length=1, description="lines are read until one matches; RE2's syntax, e.g. ^220 "
    )
    send: str | None = Field(
        None, max_length=1 << 16, description="sent as it is, with a line break unless it has one"
    )
    starttls: bool = Field(False, description="go on over TLS")

    @model_validator(mode="after")
    def _says_something(self) -> Step:
        if self.expect is None and self.send is None and not self.starttls:
            raise ValueError("an empty step; give expect, send or starttls")
        return self

    def is_met(self, line: bytes) -> bool:
        """Say whether a line is the one that was waited for, its end left out for `$`'s sake."""
        if self.expect is None:
            return False
        text = line.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        return compiled(self.expect).found_in(text)


def unmet(script: Iterable[Step], lines: Sequence[bytes]) -> str | None:
    """Return the first expectation that no line met, in the script's order; None when all were."""
    left = iter(lines)
    for step in script:
        if step.expect is not None and not any(step.is_met(line) for line in left):
            return step.expect
    return None


class _EndedError(Exception):
    """Ends a dialogue with a reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(kw_only=True, slots=True)
class Dialogue:
    """One exchange as far as it has come."""

    request: Request
    clock: Callable[[], float]
    times: dict[str, float] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    read_bytes: int = 0
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    peer: Peer = NO_ONE

    async def hold(self, script: Script) -> Exchange:
        """Connect and follow the script within the request's timeout; raises only if cancelled."""
        self.times["begin"] = self.clock()
        failure: Reason | None = None
        detail = ""
        try:
            async with asyncio.timeout(self.request.timeout_seconds):
                await self._follow(script)
        except (_EndedError, FailedError) as error:
            failure, detail = error.reason, error.detail
        except ForbiddenAddressError as error:
            failure, detail = Reason.FORBIDDEN, str(error)
        except TimeoutError:
            failure, detail = self._late()
        except ssl.SSLCertVerificationError as error:
            failure, detail = Reason.TLS, f"certificate: {error.verify_message or 'not valid'}"
        except ssl.SSLError:
            failure, detail = Reason.TLS, "the TLS handshake failed"
        except OSError:
            failure, detail = self._lost()
        finally:
            if self.writer is not None:
                self.writer.transport.abort()
        return self._finished(failure, detail)

    async def _follow(self, script: Script) -> None:
        parts = urlsplit(self.request.url)
        await self._connect(parts.hostname or "", parts.port or 0)
        if parts.scheme in {"https", "tls"}:
            await self._encrypt(parts.hostname or "")
        self.times["written"] = self.clock()
        for step in script:
            await self._step(step, parts.hostname or "")

    async def _connect(self, host: str, port: int) -> None:
        places = await self._resolve(host, port)
        self.times["connect_begin"] = self.clock()
        for last, (family, address) in enumerate(places, start=1 - len(places)):
            self.peer = Peer(address=address)
            try:
                self.reader, self.writer = await asyncio.open_connection(
                    address, port, family=family, limit=_LONGEST_LINE_BYTES
                )
                break
            except OSError:
                if last == 0:
                    raise _EndedError(Reason.CONNECT, "not connected") from None
        self.times["connect_end"] = self.clock()

    async def _resolve(self, host: str, port: int) -> list[tuple[int, str]]:
        self.times["resolve_begin"] = self.clock()
        loop = asyncio.get_running_loop()
        try:
            family = family_of(self.request.ip_version)
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except OSError:
            raise _EndedError(Reason.DNS, "the name does not resolve") from None
        self.times["resolve_end"] = self.clock()
        for *_, place in found:
            refuse_forbidden(host, str(place[0]), named=self.request.named)
        return [(int(family), str(place[0])) for family, *_, place in found]

    async def _encrypt(self, host: str) -> None:
        tls = self.request.tls
        name = tls.server_name if tls is not None and tls.server_name else host
        context = context_of(tls, protocol="")
        self.times["tls_begin"] = self.clock()
        writer = self._writer()
        try:
            await writer.start_tls(context, server_hostname=name)
        except ConnectionError:
            raise _EndedError(Reason.TLS, "the TLS handshake failed") from None
        self.times["tls_end"] = self.clock()
        self.peer = peer_of(self.peer.address, writer.get_extra_info("ssl_object"))

    async def _step(self, step: Step, host: str) -> None:
        while step.expect is not None:
            line = await self._line()
            if not line:
                raise _EndedError(Reason.PROTOCOL, "closed before the line that was expected")
            if step.is_met(line):
                break
        if step.send is not None:
            text = step.send if step.send.endswith("\n") else f"{step.send}\n"
            self._writer().write(text.encode())
            await self._writer().drain()
        if step.starttls:
            await self._encrypt(host)

    async def _line(self) -> bytes:
        if self.reader is None:
            return b""
        try:
            line = await self.reader.readline()
        except ValueError:  # how asyncio says that the line is over the reader's limit
            text = f"a line is over {_LONGEST_LINE_BYTES} bytes"
            raise _EndedError(Reason.TOO_LARGE, text) from None
        self.read_bytes += len(line)
        if self.read_bytes > self.request.limit_bytes:
            text = f"the answer is over {self.request.limit_bytes} bytes"
            raise _EndedError(Reason.TOO_LARGE, text)
        if line:
            self.times.setdefault("first_byte", self.clock())
            self.chunks.append(Chunk(at=self.clock(), data=line))
        return line

    def _writer(self) -> asyncio.StreamWriter:
        if self.writer is None:
            raise _EndedError(Reason.CONNECT, "not connected")
        return self.writer

    def _late(self) -> tuple[Reason, str]:
        seconds = self.request.timeout_seconds
        if "written" in self.times:
            return Reason.TIMEOUT_TOTAL, f"not finished after {seconds:g} s"
        return Reason.TIMEOUT_CONNECT, f"not connected after {seconds:g} s"

    def _lost(self) -> tuple[Reason, str]:
        lost = Reason.PROTOCOL if "written" in self.times else Reason.CONNECT
        return lost, "the connection was reset"

    def _finished(self, failure: Reason | None, detail: str) -> Exchange:
        return Exchange(
            times=Times(end=self.clock(), **self.times),
            headers=MappingProxyType({}),
            chunks=tuple(self.chunks),
            failure=failure,
            detail=detail,
            complete=failure is None,
            certificate_expiry_timestamp_seconds=self.peer.expiry_timestamp_seconds,
            peer=self.peer,
        )
