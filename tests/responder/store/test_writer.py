"""The writer: what shares a commit, what is handed over together, and whose fault a fault is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import partial

import pytest
import sqlalchemy as sa

from responder.store.engine import Connection, StoreRefusedError, open_engine
from responder.store.store import Store
from tests.responder.store.test_store import count, store_post


class Calls:
    """Stores posts by their numbers, and notes which were handed over at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self.seen: list[list[int]] = []

    def keep(self, connection: Connection, numbers: Sequence[int]) -> Sequence[int | Exception]:
        """Store posts; those above a hundred are refused alone, zero spoils the whole call."""
        self.seen.append(list(numbers))
        if 0 in numbers:
            raise ValueError("zero")
        for number in numbers:
            if number <= 100:
                store_post(number, connection)
        return [ValueError("large") if number > 100 else 2 * number for number in numbers]


async def gathered(store: Store, *jobs: object) -> list[object]:
    """Have *jobs* wait for one commit: the writer is busy until all are handed over."""
    begun, held = threading.Event(), threading.Event()

    def hold(_database: Connection) -> None:
        begun.set()
        held.wait(10)

    first = asyncio.ensure_future(store.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    tasks = [asyncio.ensure_future(job) for job in jobs]  # type: ignore[call-overload]
    await asyncio.sleep(0.05)
    held.set()
    await first
    results: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
    return results


async def test_what_is_of_one_kind_is_one_call(store: Store) -> None:
    """In the order of arrival, with other writes between; each gets its own result or fault."""
    calls = Calls()
    kind = calls.keep
    results = await gathered(
        store,
        store.write_together(kind, 1),
        store.write_together(kind, 101),
        store.write(partial(store_post, 50)),
        store.write_together(kind, 3),
    )
    assert calls.seen == [[1, 101, 3]]
    assert (results[0], results[2], results[3]) == (2, None, 6)
    assert str(results[1]) == "large"
    assert await count(store) == 3


async def test_a_call_that_fails_is_tried_piece_by_piece(store: Store) -> None:
    """One piece that spoils the call fails alone; the others are stored, once."""
    calls = Calls()
    kind = calls.keep
    pieces = [store.write_together(kind, number) for number in (1, 0, 3)]
    results = await gathered(store, *pieces)
    assert calls.seen == [[1, 0, 3], [1], [0], [3]]
    assert (results[0], str(results[1]), results[2]) == (2, "zero", 6)
    assert await count(store) == 2


async def test_what_the_database_does_not_take_is_no_outage(store: Store) -> None:
    """A second post of one id is refused for ever, and what shares its commit is stored."""
    await store.write(partial(store_post, 1))
    results = await gathered(store, *(store.write(partial(store_post, n)) for n in (2, 1, 3)))
    assert (results[0], results[2]) == (None, None)
    assert isinstance(results[1], StoreRefusedError)
    assert "INSERT" not in str(results[1])
    assert await count(store) == 3


@pytest.mark.parametrize("code", ["54000", "22P05", "23514"])
async def test_what_passes_a_limit_of_the_database_is_no_outage(store: Store, code: str) -> None:
    """A row that a server refuses for what it holds fails alone; the batch around it is stored."""

    def too_long(connection: Connection) -> None:
        if connection.dialect.name != "postgresql":
            raise sa.exc.DataError("", None, ValueError("string or blob too big"))
        raised = f"BEGIN RAISE EXCEPTION 'too long' USING ERRCODE = '{code}'; END"
        connection.execute(sa.text(f"DO $$ {raised} $$"))

    around = [store.write(partial(store_post, number)) for number in (1, 2)]
    results = await gathered(store, around[0], store.write(too_long), around[1])
    assert (results[0], results[2]) == (None, None)
    assert isinstance(results[1], StoreRefusedError)
    with pytest.raises(StoreRefusedError):
        await store.write(too_long)
    assert await count(store) == 2


class Collides:
    """Fails as a server does that undoes a transaction for another's sake, so many times."""

    def __init__(self, times: int) -> None:
        """Fail so many times."""
        self.left = times

    def __call__(self, connection: Connection) -> str:
        """Fail, or succeed."""
        if not self.left:
            return "done"
        self.left -= 1
        if connection.dialect.name == "postgresql":
            code = "BEGIN RAISE EXCEPTION 'collided' USING ERRCODE = '40P01'; END"
            connection.execute(sa.text(f"DO $$ {code} $$"))
        return "done"


async def test_a_collision_is_tried_again(store: Store) -> None:
    """A transaction that was undone for another one's sake succeeds without its caller's doing."""
    assert await store.write(Collides(2)) == "done"
    results = await gathered(store, store.write(Collides(1)), store.write(partial(store_post, 1)))
    assert results == ["done", None]


def test_a_password_shows_in_no_failure() -> None:
    """Neither that of a server that is not there, nor what the engine says of itself."""
    url = "postgresql://someone:hush@127.0.0.1:1/vigie"
    engine = open_engine(url)
    with pytest.raises(sa.exc.OperationalError) as failure, engine.connect():
        pass
    assert "hush" not in f"{failure.value!r} {failure.value} {engine!r} {engine.url}"
    engine.dispose()
