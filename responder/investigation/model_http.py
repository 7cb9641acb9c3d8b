"""The HTTP client that a model's SDK is given: our key alone, bounded replies, no environment.

It comes with the SDK and is imported as late.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from responder.investigation.model_pace import HEARD

LARGEST_REPLY_BYTES = 4 * 1024 * 1024
CONNECT_SECONDS = 5.0


class ReplyTooLargeError(Exception):
    """A reply grew over the limit and was dropped."""


class Transport(httpx2.AsyncBaseTransport):
    """Sends what the SDK wrote, with the key set here and the reply read up to a limit.

    The SDK never sees the key, so that nothing of its configuration, errors or logs can hold it;
    and none that it finds in the environment is sent to a server it was not meant for.
    """

    def __init__(self, key: Callable[[], str | None], *, limit_bytes: int) -> None:
        """Ask *key* for each request; None sends none."""
        self._key = key
        self._limit_bytes = limit_bytes
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Exchange one request for a whole reply; raises ReplyTooLargeError."""
        reply = await self._inner.handle_async_request(self._sent(request))
        heard = HEARD.get()
        if heard is not None:
            heard.headers = {name.lower(): value[:200] for name, value in reply.headers.items()}
        body = bytearray()
        try:
            async for chunk in reply.aiter_bytes():
                body += chunk
                if len(body) > self._limit_bytes:
                    raise ReplyTooLargeError(f"over {self._limit_bytes} bytes")
        finally:
            await reply.aclose()
        # The body is decoded now, and its length is known.
        told = [
            (name, value)
            for name, value in reply.headers.multi_items()
            if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return httpx2.Response(reply.status_code, headers=told, content=bytes(body))

    def _sent(self, request: httpx2.Request) -> httpx2.Request:
        """Copy the request, so that the one the SDK keeps has no key."""
        headers = httpx2.Headers(request.headers)
        headers.pop("Authorization", None)
        key = self._key()
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        phases = dict(request.extensions.get("timeout") or {})
        # The SDK gives every phase the same time; a connection needs less than an answer.
        phases["connect"] = min(phases.get("connect") or CONNECT_SECONDS, CONNECT_SECONDS)
        return httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "timeout": phases},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def client(key: Callable[[], str | None]) -> httpx2.AsyncClient:
    """Make the client: no proxies of the environment, no redirects."""
    transport = Transport(key, limit_bytes=LARGEST_REPLY_BYTES)
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


def no_client() -> httpx2.Client:
    """Make the blocking client that the SDK wants beside it; it can send nothing."""
    return httpx2.Client(transport=httpx2.BaseTransport(), trust_env=False)
