"""Goes on asking the store while it cannot be used: what has begun is not given up for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from responder.store.engine import Connection, StoreUnavailableError
from responder.store.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_PATIENCE_SECONDS = 0.1
_LONGEST_PATIENCE_SECONDS = 5.0


async def patiently(store: Store, job: Callable[[Connection], T]) -> T:
    """Write to the store, again and again while it cannot be written."""
    return await _patient(lambda: store.write(job))


async def patiently_read(store: Store, query: Callable[[Connection], T]) -> T:
    """Read from the store, again and again while it cannot be read."""
    return await _patient(lambda: store.read(query))


async def _patient(ask: Callable[[], Awaitable[T]]) -> T:
    patience_seconds = _FIRST_PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except StoreUnavailableError as error:
            log.warning("store cannot be used, trying again", problem=str(error))
        await asyncio.sleep(patience_seconds)
        patience_seconds = min(2 * patience_seconds, _LONGEST_PATIENCE_SECONDS)
