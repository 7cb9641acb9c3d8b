"""The ledger of a model's calls: reserved before one is made, settled after it.

What counts against a ceiling is in `prompt_tokens`, `output_tokens` and `price`: while a call is
open the most that it may cost, then what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.ceilings import ALL, Ceilings, Reached, Spent, Sums, reached, starts
from responder.store.engine import serialise_spending
from responder.store.tables import model_calls

OPEN = "open"
SETTLED = "settled"
ASSUMED = "assumed"
"""Nothing said what it cost: what it likely did counts."""
RELEASED = "released"
"""It never reached the model, or was refused by it."""

_KEPT_SECONDS = 62 * 86400.0
"""A month that is not over, and the one before it, are always there."""
_MOST_DIGITS = 2_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A call that is to be made, and the most that it may cost; prices None where not known.

    The likely ones are what counts when nothing is ever said of it.
    """

    incident_id: str
    model: str
    prompt_tokens: int
    output_tokens: int
    price: float | None
    likely_prompt_tokens: int
    likely_price: float | None
    currency: str
    longest_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One call of the ledger."""

    id: str
    incident_id: str
    model: str
    state: str
    reserved_at: float
    settled_at: float | None
    prompt_tokens: int
    output_tokens: int
    price: float | None
    currency: str


def reserve(
    connection: Connection, call_id: str, wish: Wish, ceilings: Ceilings, now: float
) -> Reached | None:
    """Reserve what a call may cost; gives the ceiling that it does not fit under, then nothing is.

    Reservations that have expired, whose process is dead, count from now on as what they likely
    cost. Replicas do this one after the other.
    """
    serialise_spending(connection)
    expire(connection, now)
    wanted = Spent(tokens=wish.prompt_tokens + wish.output_tokens, price=wish.price or 0.0)
    crossed = reached(ceilings, sums(connection, now, wish.incident_id), wish.model, wanted)
    if crossed is not None:
        return crossed
    row = {
        "id": call_id,
        "incident_id": wish.incident_id,
        "model": wish.model,
        "state": OPEN,
        "reserved_at": now,
        "expires_at": now + wish.longest_seconds,
        "prompt_tokens": min(wish.prompt_tokens, _MOST_DIGITS),
        "output_tokens": min(wish.output_tokens, _MOST_DIGITS),
        "price": wish.price,
        "likely_prompt_tokens": min(wish.likely_prompt_tokens, _MOST_DIGITS),
        "likely_price": wish.likely_price,
        "currency": wish.currency,
    }
    connection.execute(sa.insert(model_calls), row)
    return None


def settle(
    connection: Connection, call_id: str, tokens: tuple[int, int], price: float | None, now: float
) -> None:
    """Put what a call cost in the place of what it had reserved, expired or not."""
    prompt, output = (min(max(each, 0), _MOST_DIGITS) for each in tokens)
    change = {"state": SETTLED, "prompt_tokens": prompt, "output_tokens": output, "price": price}
    _update(connection, call_id, change, now)


def release(connection: Connection, call_id: str, now: float) -> None:
    """Give back what a call had reserved: it cost nothing."""
    change = {"state": RELEASED, "prompt_tokens": 0, "output_tokens": 0, "price": 0.0}
    _update(connection, call_id, change, now)


def assume(connection: Connection, call_id: str, now: float) -> None:
    """Count of a call of which nothing was heard what it likely cost."""
    is_open = sa.and_(model_calls.c.id == call_id, model_calls.c.state == OPEN)
    connection.execute(sa.update(model_calls).where(is_open).values(_likely(now)))


def expire(connection: Connection, now: float) -> int:
    """Count of every call that is open for too long what it likely cost; tell how many."""
    is_old = sa.and_(model_calls.c.state == OPEN, model_calls.c.expires_at < now)
    return connection.execute(sa.update(model_calls).where(is_old).values(_likely(now))).rowcount


def _likely(now: float) -> dict[str, object]:
    return {
        "state": ASSUMED,
        "prompt_tokens": model_calls.c.likely_prompt_tokens,
        "price": model_calls.c.likely_price,
        "settled_at": now,
    }


def _update(connection: Connection, call_id: str, change: dict[str, object], now: float) -> None:
    chosen = sa.update(model_calls).where(model_calls.c.id == call_id)
    connection.execute(chosen.values({**change, "settled_at": now}))


def sums(connection: Connection, now: float, incident_id: str | None = None) -> Sums:
    """Sum up what is spent or reserved this day and month, and for an incident."""
    found: dict[tuple[str, str], Spent] = {}
    for window, start in starts(now).items():
        found |= _summed(connection, window, model_calls.c.reserved_at >= start)
    if incident_id is not None:
        chosen = model_calls.c.incident_id == incident_id
        found |= _summed(connection, "incident", chosen)
    return found


def _summed(
    connection: Connection, window: str, chosen: sa.ColumnElement[bool]
) -> dict[tuple[str, str], Spent]:
    tokens = model_calls.c.prompt_tokens + model_calls.c.output_tokens
    query = (
        sa.select(
            model_calls.c.model,
            # Of many calls the sum is past 32 bits; as a float it is exact far beyond any bill.
            sa.func.sum(sa.cast(tokens, sa.Float(53))).label("tokens"),
            sa.func.sum(model_calls.c.price).label("price"),
            sa.func.count().label("calls"),
        )
        .where(chosen)
        .group_by(model_calls.c.model)
    )
    whole, found = Spent(), {}
    for row in connection.execute(query):
        spent = Spent(tokens=int(row.tokens), price=row.price or 0.0, calls=row.calls)
        found[window, row.model] = spent
        whole += spent
    return {**found, (window, ALL): whole}


def entries(connection: Connection, limit: int) -> Sequence[Entry]:
    """Give the last calls, the newest first."""
    query = (
        sa.select(*(model_calls.c[name] for name in Entry.__dataclass_fields__))
        .order_by(model_calls.c.reserved_at.desc(), model_calls.c.id)
        .limit(limit)
    )
    return [Entry(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - its name


def old(connection: Connection, before: float, limit: int) -> Sequence[str]:
    """Give calls of so long ago that no ceiling looks at them any more."""
    is_old = model_calls.c.reserved_at < before - _KEPT_SECONDS
    query = sa.select(model_calls.c.id).where(is_old, model_calls.c.state != OPEN).limit(limit)
    return list(connection.execute(query).scalars())


def delete(connection: Connection, call_ids: Sequence[str]) -> None:
    """Delete calls."""
    connection.execute(sa.delete(model_calls).where(model_calls.c.id.in_(call_ids)))
