"""Who may ask: bcrypt users and bearer tokens, compared in constant time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps

import bcrypt
import structlog
from aiohttp import web

from toolkit.secrets import Secret, SecretError

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REMEMBERED = 256
_AT_ONCE = 2
_LONGEST_PASSWORD_BYTES = 72  # what bcrypt itself reads
_DEFAULT_COST = 10
_TOKENS = "_bearer_tokens"


class BasicUsers:
    """Checks user and password against bcrypt hashes, off the loop, remembering who was right.

    What is remembered is a digest under a key of this process, never the password.
    """

    def __init__(self) -> None:
        """Start with an empty memory."""
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def are_right(self, header: str | None, users: Mapping[str, str]) -> bool:
        """Tell whether an `Authorization` *header* names one of *users* and its password."""
        given = _basic(header)
        if given is None:
            return False
        user, password = given
        known = users.get(user)
        hashed = known or _nobodys_hash(users)
        digest = self._digest(user, hashed, password)
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        async with self._at_once:
            if digest in self._right:
                return True
            right = await asyncio.to_thread(_matches, password, hashed)
        if not right or known is None:
            return False
        self._remember(digest)
        return True

    def _digest(self, user: str, hashed: str, password: bytes) -> bytes:
        parts = (user.encode(), hashed.encode(), password)
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, hashlib.sha256)

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        while len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)


def user_of(header: str | None) -> str:
    """Give the user that a basic `Authorization` *header* names, right or not; empty for none."""
    given = _basic(header)
    return given[0] if given else ""


def _basic(header: str | None) -> tuple[str, bytes] | None:
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
        user, colon, password = raw.partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _nobodys_hash(users: Mapping[str, str]) -> str:
    """Give a hash that costs as much as the dearest user's, for those who are no user."""
    cost = max((int(hashed.split("$")[2]) for hashed in users.values()), default=_DEFAULT_COST)
    return f"$2b${cost:02d}${'.' * 53}"


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_LONGEST_PASSWORD_BYTES], hashed.encode())
    except ValueError:
        return False


def unauthorized(scheme: str) -> web.Response:
    """Make the 401 that names the *scheme* to come back with."""
    challenge = f'{scheme} realm="vigie"'
    return web.Response(status=401, text="unauthorized\n", headers={"WWW-Authenticate": challenge})


async def _nobody(_request: web.Request, _secrets: Sequence[Secret]) -> bool:
    return False


def bearer_guard(
    secrets: Sequence[Secret] | Callable[[], Sequence[Secret]],
    vouched: Callable[[web.Request, Sequence[Secret]], Awaitable[bool]] = _nobody,
) -> Callable[[Handler], Handler]:
    """Make the decorator of a handler that one of *secrets* must open as a bearer token.

    A request without a right one is let in all the same where *vouched* says so.

    A guarded route asks for no basic user. With no secrets at all the guard is none, and the
    rules of other routes hold. 401 on a wrong token, 503 when a secret cannot be read just now.
    """
    tokens = secrets if callable(secrets) else lambda: secrets

    def guard(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            refused = _refusal(request.headers.get("Authorization"), tokens())
            if refused is not None and await vouched(request, tokens()):
                refused = None
            return refused or await handler(request)

        setattr(guarded, _TOKENS, tokens)
        return guarded

    return guard


def has_own_guard(handler: object) -> bool:
    """Tell whether *handler* asks for a bearer token itself."""
    tokens: Callable[[], Sequence[Secret]] = getattr(handler, _TOKENS, tuple)
    return bool(tokens())


def _refusal(header: str | None, secrets: Sequence[Secret]) -> web.Response | None:
    if not secrets:
        return None
    scheme, _, token = (header or "").partition(" ")
    given = token.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b""
    right, unread = False, False
    for secret in secrets:  # all of them, whichever is right
        try:
            right |= hmac.compare_digest(given, secret.reveal().encode())
        except SecretError as error:
            unread = True
            log.warning("bearer token unreadable", error=str(error))
    if right:
        return None
    if unread and given:
        return web.Response(status=503, text="a token cannot be read\n")
    return unauthorized("Bearer")
