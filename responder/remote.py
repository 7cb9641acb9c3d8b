"""One bounded question over HTTP: a deadline, a size limit, no redirects, and no exceptions."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson
from yarl import URL

from responder.guard import line, mask_secrets
from responder.investigation.evidence import Status
from toolkit.secrets import SecretError

LONGEST_PROBLEM = 300
_READ_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: `body` is parsed JSON when `status` is ok; `problem` says what went wrong.

    `failed`: the far end answered, but not with what was asked. `unavailable`: no answer.
    `ahead_seconds` is how far its clock is before ours, by its Date header (RFC 9110, 6.6.1), to
    the second; 0 where it says nothing.
    """

    status: Status
    body: Any = None
    problem: str = ""
    seconds: float = 0.0
    ahead_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """One server, asked until `until` (the running loop's time); answers up to `limit_bytes`."""

    url: str
    session: aiohttp.ClientSession
    until: float
    limit_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | bool = True

    @property
    def left_seconds(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self.until - asyncio.get_running_loop().time())

    @property
    def identity(self) -> Hashable:
        """Whose answers these are: the same address, asked with the same credentials and limit."""
        return self.url, tuple(sorted(self.headers.items())), self.limit_bytes

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask with GET, the parameters in the address; never raises for what the far end does."""
        return await self._ask("GET", path, params)

    async def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """Ask with POST, the parameters as a form: for queries too long for an address."""
        return await self._ask("POST", path, form)

    async def _ask(self, method: str, path: str, params: Mapping[str, str] | None) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout_at(self.until):
                answer = await self._exchange(method, path, params)
        except TimeoutError:
            answer = unavailable("no answer within the deadline")
        except aiohttp.ClientConnectorCertificateError as error:
            answer = unavailable(f"its certificate is not trusted: {error.certificate_error}")
        except aiohttp.ClientConnectorError as error:
            answer = unavailable(f"cannot connect ({type(error.os_error).__name__})")
        except (aiohttp.ClientError, OSError, SecretError) as error:
            answer = unavailable(f"{type(error).__name__}: {error}")
        except (ValueError, RecursionError) as error:
            answer = failed(f"the answer cannot be read: {error}")
        return Answer(
            status=answer.status,
            body=answer.body,
            problem=answer.problem,
            seconds=loop.time() - began,
            ahead_seconds=answer.ahead_seconds,
        )

    async def _exchange(self, method: str, path: str, params: Mapping[str, str] | None) -> Answer:
        url = URL(self.url.rstrip("/") + path)
        as_form = method == "POST"
        async with self.session.request(
            method,
            url,
            params=None if as_form else params,
            data=params if as_form else None,
            headers=self.headers,
            allow_redirects=False,
            ssl=self.tls,
        ) as response:
            if 300 <= response.status < 400:
                to = line(response.headers.get("Location", "nowhere"), 200)
                return failed(f"redirects ({response.status}) to {to}; set the final address")
            raw = await _read(response.content, self.limit_bytes)
            if raw is None:
                return failed(f"the answer is larger than {self.limit_bytes} bytes")
            if response.status != 200:
                return failed(f"answered {response.status}: {raw[:400].decode(errors='replace')}")
        ahead = _ahead_seconds(response.headers.get("Date", ""))
        return Answer(status=Status.OK, body=orjson.loads(raw), ahead_seconds=ahead)


def _ahead_seconds(date: str) -> float:
    try:
        at = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return at - time.time()


async def _read(content: aiohttp.StreamReader, limit_bytes: int) -> bytes | None:
    read = bytearray()
    while chunk := await content.read(_READ_BYTES):
        read += chunk
        if len(read) > limit_bytes:
            return None
    return bytes(read)


def failed(problem: str) -> Answer:
    """Give the answer of a far end that did not do what was asked."""
    return Answer(status=Status.FAILED, problem=mask_secrets(line(problem, LONGEST_PROBLEM)))


def unavailable(problem: str) -> Answer:
    """Give the answer of a far end that gave none."""
    return Answer(status=Status.UNAVAILABLE, problem=mask_secrets(line(problem, LONGEST_PROBLEM)))
