"""The store: commits shared and refused, migrations, the outbox's order."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
import sqlalchemy as sa

from responder.store.deliveries import Raw, keep
from responder.store.engine import (
    Connection,
    StoreUnavailableError,
)
from responder.store.store import Store
from responder.store.tables import metadata


def raw(number: int) -> Raw:
    """Make a post."""
    return Raw(id=str(number), kind="alertmanager", received_at=number, body=b"x")


def store_post(number: int, connection: Connection) -> None:
    """Store a post."""
    keep(connection, raw(number))


async def count(store: Store) -> int:
    """Count the posts."""
    found: int = await store.read(
        lambda database: database.execute(sa.text("SELECT count(*) FROM deliveries")).scalar_one()
    )
    return found


async def test_one_bad_write_does_not_cost_the_others(store: Store) -> None:
    """Among writes that share a commit, the one that fails fails alone."""

    def bad(_database: Connection) -> None:
        raise ValueError("bad")

    writes = [store.write(partial(store_post, n)) for n in range(50)]
    results = await asyncio.gather(*writes, store.write(bad), return_exceptions=True)
    assert [each for each in results if each is not None] == [results[-1]]
    assert isinstance(results[-1], ValueError)
    assert await count(store) == 50


async def test_too_many_waiting_writes_are_refused(url: str) -> None:
    """What would wait beyond the limit is refused at once, the rest is written."""
    with Store(url, waiting_limit=3) as store:
        writes = [store.write(partial(store_post, n)) for n in range(50)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        refused = [each for each in results if isinstance(each, StoreUnavailableError)]
        assert refused
        assert await count(store) == 50 - len(refused)


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_what_refers_to_a_row_is_found_by_an_index(table: sa.Table) -> None:
    """Else each row that is deleted costs a look at all that might refer to it."""
    heads = {next(iter(index.columns)).name for index in table.indexes}
    heads |= {next(iter(table.primary_key.columns)).name}
    heads |= {column.name for column in table.columns if column.unique}
    assert {each.parent.name for each in table.foreign_keys} <= heads
