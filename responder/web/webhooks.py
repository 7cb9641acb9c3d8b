"""The two webhooks: bodies with a limit and a deadline, and the few answers they may get."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from responder.config import LARGEST_BODY_BYTES
from responder.intake import Intake, OverloadedError, Taken
from responder.metrics import Metrics
from responder.web.signatures import BODY, vouched
from toolkit.secrets import Secret
from toolkit.web import bearer_guard

log = structlog.get_logger(__name__)

_RETRY_AFTER_SECONDS = 5
_PREFIX = "/webhook/"


class _TooLargeError(Exception):
    """A body is over the size limit."""


class _TooSlowError(Exception):
    """A body did not arrive within its deadline."""


class _BrokenError(Exception):
    """A body cannot be unpacked; `read` is what had come until then."""

    def __init__(self, read: bytes, problem: str) -> None:
        super().__init__(problem)
        self.read = read


class Webhooks:
    """Answers 200 once a post is on disk, 503 when it should come again, 413 when it never can."""

    def __init__(
        self,
        intake: Intake,
        metrics: Metrics,
        *,
        tokens: Callable[[], Sequence[Secret]],
        body_deadline_seconds: Callable[[], float],
    ) -> None:
        """Keep what they work with; *tokens* and the deadline are read anew for each post."""
        self._intake = intake
        self._metrics = metrics
        self._tokens = tokens
        self._body_deadline_seconds = body_deadline_seconds

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*, and the count of what they refuse."""
        guard = bearer_guard(self._tokens)
        app.router.add_post(f"{_PREFIX}alertmanager", guard(self._alertmanager))
        signed = bearer_guard(self._tokens, vouched)
        app.router.add_post(f"{_PREFIX}change", signed(self._change))
        app.on_response_prepare.append(self._count)

    async def _alertmanager(self, request: web.Request) -> web.StreamResponse:
        async def take(body: bytes) -> None:
            taken = await self._intake.alerts(body)
            self._metrics.deliveries.inc()
            self._metrics.alerts.inc(len(taken.alerts))
            self._count_quarantined(taken)

        return await self._answer(request, "alertmanager", take)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        async def take(body: bytes) -> None:
            taken = await self._intake.change(body)
            self._metrics.changes.inc(taken.changes)
            self._count_quarantined(taken)

        return await self._answer(request, "change", take)

    async def _answer(
        self, request: web.Request, kind: str, take: Callable[[bytes], Awaitable[None]]
    ) -> web.StreamResponse:
        try:
            body = await _body(request, self._body_deadline_seconds())
            await take(body)
        except _TooLargeError:
            return _too_large(request)
        except _TooSlowError:
            return _again("the body did not arrive in time")
        except _BrokenError as error:
            return await self._broken(kind, error)
        except OverloadedError as error:
            log.warning("post not taken", kind=kind, problem=str(error))
            return _again("not stored")
        return web.Response(text="stored\n")

    async def _broken(self, kind: str, error: _BrokenError) -> web.StreamResponse:
        try:
            taken = await self._intake.broken(kind, error.read, str(error))
        except OverloadedError:
            return _again("not stored")
        self._count_quarantined(taken)
        response = web.Response(text="stored\n")
        response.force_close()
        return response

    def _count_quarantined(self, taken: Taken) -> None:
        if taken.problem is not None:
            self._metrics.quarantined.inc()

    async def _count(self, request: web.Request, response: web.StreamResponse) -> None:
        if request.path.startswith(_PREFIX) and response.status >= 400:
            self._metrics.refused.labels(str(response.status)).inc()


async def _body(request: web.Request, deadline_seconds: float) -> bytes:
    if BODY in request:
        return request[BODY]
    if (request.content_length or 0) > LARGEST_BODY_BYTES:
        raise _TooLargeError
    read = bytearray()
    try:
        async with asyncio.timeout(deadline_seconds):
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > LARGEST_BODY_BYTES:
                    raise _TooLargeError
    except TimeoutError:
        raise _TooSlowError from None
    except (HttpProcessingError, web.RequestPayloadError) as error:
        raise _BrokenError(bytes(read), f"the body is broken ({type(error).__name__})") from None
    return bytes(read)


def _too_large(request: web.Request) -> web.StreamResponse:
    size = request.content_length
    log.error("post refused for its size", path=request.path, size_bytes=size)
    response = web.Response(status=413, text=f"larger than {LARGEST_BODY_BYTES} bytes\n")
    response.force_close()
    return response


def _again(problem: str) -> web.StreamResponse:
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    response = web.Response(status=503, text=f"{problem}; send it again\n", headers=headers)
    response.force_close()
    return response
