"""Each call of a model: reserved in the store before it is made, settled after it.

A call that does not fit under a ceiling is not made. What a call cost that nothing was heard of
(a timeout, a cut answer, a killed process) counts as what it likely did.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog

from responder.ceilings import ALL, Ceilings, Reached, Spent, reached
from responder.investigation.analyst import AnalystError, CeilingError
from responder.spend import PriceTable, Usage
from responder.store import spending
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.spending import Wish
from responder.store.store import Store

__all__ = ["Books", "Ledger", "Planned", "Slip", "StoredBooks", "UnsharedBooks"]

log = structlog.get_logger(__name__)

BYTES_PER_TOKEN = 4
"""Of what is sent, about; a token of text is never less than one."""
TEMPLATE_TOKENS = 500
"""What a server may put around what is sent: roles, the tools' framing."""
GRACE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A call that is to be made: how much is sent, and how much may come back."""

    incident_id: str
    model: str
    sent_bytes: int
    output_tokens: int
    longest_seconds: float


@dataclass(kw_only=True, slots=True)
class Slip:
    """What came of a call: its usage, or that it cost nothing; neither where nobody knows."""

    usage: Usage | None = None
    is_unspent: bool = False


class Books(Protocol):
    """Where calls are written down."""

    async def reserve(self, call_id: str, wish: Wish, ceilings: Ceilings) -> Reached | None:
        """Reserve, or give the ceiling that is in the way; raises StoreUnavailableError."""
        ...

    async def close(self, call_id: str, slip: Slip, price: float | None) -> None:
        """Put down what came of it; raises StoreUnavailableError."""
        ...


class StoredBooks:
    """The books in the store, which all replicas share."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        """Keep them."""
        self._store = store
        self._clock = clock

    async def reserve(self, call_id: str, wish: Wish, ceilings: Ceilings) -> Reached | None:
        """Reserve in one transaction."""
        now = self._clock()
        return await self._store.write(
            lambda database: spending.reserve(database, call_id, wish, ceilings, now)
        )

    async def close(self, call_id: str, slip: Slip, price: float | None) -> None:
        """Settle, release or assume."""
        now = self._clock()

        def close(connection: Connection) -> None:
            if slip.usage is not None:
                tokens = slip.usage.prompt_tokens, slip.usage.output_tokens
                spending.settle(connection, call_id, tokens, price, now)
            elif slip.is_unspent:
                spending.release(connection, call_id, now)
            else:
                spending.assume(connection, call_id, now)

        await self._store.write(close)


class UnsharedBooks:
    """The books of one investigation by hand, which has no store: its own calls alone count."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._rows: dict[str, tuple[Wish, Spent]] = {}

    async def reserve(self, call_id: str, wish: Wish, ceilings: Ceilings) -> Reached | None:
        """Reserve."""
        wanted = Spent(tokens=wish.prompt_tokens + wish.output_tokens, price=wish.price or 0.0)
        sums: dict[tuple[str, str], Spent] = {}
        for made, spent in self._rows.values():
            windows = ["day", "month"] + ["incident"] * (made.incident_id == wish.incident_id)
            for key in [(window, whose) for window in windows for whose in (ALL, made.model)]:
                sums[key] = sums.get(key, Spent()) + spent
        crossed = reached(ceilings, sums, wish.model, wanted)
        if crossed is None:
            self._rows[call_id] = (wish, wanted)
        return crossed

    async def close(self, call_id: str, slip: Slip, price: float | None) -> None:
        """Settle, release or assume."""
        wish, _ = self._rows[call_id]
        if slip.usage is not None:
            tokens = slip.usage.prompt_tokens + slip.usage.output_tokens
        else:
            tokens = 0 if slip.is_unspent else wish.likely_prompt_tokens + wish.output_tokens
            price = 0.0 if slip.is_unspent else wish.likely_price
        self._rows[call_id] = (wish, Spent(tokens=tokens, price=price or 0.0))


class Ledger:
    """Lets calls be made as long as the ceilings allow them."""

    def __init__(
        self, books: Books, *, refused: Callable[[str, str], None] = lambda _window, _model: None
    ) -> None:
        """Keep the books; *refused* is told of each call that is not made: window and whose."""
        self._books = books
        self._refused = refused
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def call(
        self, planned: Planned, ceilings: Ceilings, table: PriceTable
    ) -> AsyncIterator[Slip]:
        """Reserve, let the call be made, settle what the slip says of it by then.

        Raises CeilingError where it does not fit, AnalystError where it cannot be written down.
        """
        call_id = uuid.uuid4().hex
        try:
            await self._reserve(call_id, planned, ceilings, table)
        except asyncio.CancelledError:  # it may be reserved all the same, and no call follows
            self._close_soon(call_id, Slip(is_unspent=True), None)
            raise
        slip = Slip()
        try:
            yield slip
        finally:
            self._close_soon(call_id, slip, table.cost(slip.usage) if slip.usage else None)

    def _close_soon(self, call_id: str, slip: Slip, price: float | None) -> None:
        """Close in a task of its own, which a deadline that has passed neither waits for nor ends.

        The store keeps the order of what it is handed.
        """
        task = asyncio.create_task(self._close(call_id, slip, price))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Wait until every call is written down."""
        await asyncio.gather(*self._closing)

    async def _reserve(
        self, call_id: str, planned: Planned, ceilings: Ceilings, table: PriceTable
    ) -> None:
        try:
            crossed = await self._books.reserve(call_id, wish(planned, table), ceilings)
        except StoreUnavailableError as error:
            raise AnalystError(f"its cost cannot be reserved ({error})") from None
        if crossed is not None:
            self._refused(crossed.window, crossed.model)
            raise CeilingError(f"the ceiling of {crossed.text} is reached")

    async def _close(self, call_id: str, slip: Slip, price: float | None) -> None:
        try:
            await self._books.close(call_id, slip, price)
        except StoreUnavailableError as error:  # it expires, and counts as what it likely cost
            log.warning("a call's cost was not written down", problem=str(error))


def wish(planned: Planned, table: PriceTable) -> Wish:
    """Say what a call may cost at most, a token a byte, and what it likely will."""
    most = planned.sent_bytes + TEMPLATE_TOKENS
    likely = planned.sent_bytes // BYTES_PER_TOKEN + 1
    return Wish(
        incident_id=planned.incident_id,
        model=planned.model,
        prompt_tokens=most,
        output_tokens=planned.output_tokens,
        price=_price(planned, most, table),
        likely_prompt_tokens=likely,
        likely_price=_price(planned, likely, table),
        currency=table.currency,
        longest_seconds=planned.longest_seconds + GRACE_SECONDS,
    )


def _price(planned: Planned, prompt_tokens: int, table: PriceTable) -> float | None:
    return table.cost(
        Usage(model=planned.model, prompt_tokens=prompt_tokens, output_tokens=planned.output_tokens)
    )
