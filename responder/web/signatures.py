"""Senders that cannot send a bearer token: GitHub signs its posts, GitLab has a header of its own.

Forms: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
(X-Hub-Signature-256), https://docs.gitlab.com/user/project/integrations/webhooks/ (X-Gitlab-Token).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from toolkit.secrets import Secret, SecretError

log = structlog.get_logger(__name__)

BODY = web.RequestKey("body", bytes)
"""The body, where it had to be read before it was known who sent it."""
_LARGEST_SIGNED_BYTES = 1 << 20
_DEADLINE_SECONDS = 10.0
_SIGNED = "sha256="


async def vouched(request: web.Request, secrets: Sequence[Secret]) -> bool:
    """Tell whether a post is signed with one of *secrets*, or names it as GitLab does.

    Of an unknown sender no more than a megabyte is read, within ten seconds.
    """
    known = [each for each in map(_revealed, secrets) if each]
    token = request.headers.get("X-Gitlab-Token", "").encode("utf-8", "surrogateescape")
    if token:
        return any(hmac.compare_digest(token, each) for each in known)
    signature = request.headers.get("X-Hub-Signature-256", "")
    if not signature.startswith(_SIGNED):
        return False
    body = await _body(request)
    if body is None:
        return False
    request[BODY] = body
    given = signature.removeprefix(_SIGNED).encode("utf-8", "surrogateescape")
    signed = [hmac.new(each, body, hashlib.sha256).hexdigest().encode() for each in known]
    return any(hmac.compare_digest(given, each) for each in signed)


def _revealed(secret: Secret) -> bytes:
    try:
        return secret.reveal().encode()
    except SecretError as error:
        log.warning("webhook token unreadable", error=str(error))
        return b""


async def _body(request: web.Request) -> bytes | None:
    """Read the body; None where it is too large, too slow or broken."""
    read = bytearray()
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > _LARGEST_SIGNED_BYTES:
                    return None
    except (TimeoutError, HttpProcessingError, web.RequestPayloadError):
        return None
    return bytes(read)
