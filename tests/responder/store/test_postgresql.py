"""What only a database server can do to the store: be away, hang, and come back."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.stack.postgres import Cluster, cluster
from responder.patience import patiently
from responder.store.deliveries import keep
from responder.store.engine import (
    Connection,
    StoreUnavailableError,
    database_now,
    serialise,
    url_of,
)
from responder.store.store import Store
from tests.responder.store.test_store import count, raw


@pytest.fixture
def server() -> Iterator[Cluster]:
    """Run a server of the test's own, which it may stop."""
    with cluster(os.environ) as own:
        yield own


async def test_a_server_that_was_away_is_found_again(server: Cluster) -> None:
    """Writes are refused while it is stopped, and go on by themselves when it is back."""
    with Store(url_of(server.url("vigie"), Path())) as store:
        await store.write(lambda database: keep(database, raw(1)))
        for stop in (server.stop, server.kill):
            stop()
            with pytest.raises(StoreUnavailableError):
                await store.write(lambda database: keep(database, raw(2)))
            with pytest.raises(StoreUnavailableError):
                await count(store)
            server.start()
            assert await count(store) == 1
        await store.write(lambda database: keep(database, raw(2)))
        assert await count(store) == 2


async def test_a_server_that_hangs_is_given_up_in_time(server: Cluster) -> None:
    """A frozen server costs its deadline, not for ever; what comes after it thaws is written."""
    with Store(url_of(server.url("vigie"), Path())) as store:
        await store.write(lambda database: keep(database, raw(1)))
        server.freeze()
        began = time.monotonic()
        try:
            with pytest.raises(StoreUnavailableError):
                await store.write(lambda database: keep(database, raw(2)))
        finally:
            server.thaw()
        assert time.monotonic() - began < 40
        await store.write(lambda database: keep(database, raw(3)))
        assert await count(store) >= 2


async def test_placing_is_one_replica_at_a_time(server: Cluster) -> None:
    """A transaction that places alerts waits for another replica's to end."""
    url = url_of(server.url("vigie"), Path())
    order: list[str] = []
    with Store(url) as one, Store(url) as other:

        def slow(database: object) -> None:
            serialise(database)  # type: ignore[arg-type]
            order.append("begins")
            time.sleep(0.3)
            order.append("ends")

        await asyncio.gather(one.write(slow), other.write(slow))
    assert order == ["begins", "ends", "begins", "ends"]


async def test_the_database_tells_the_time(store: Store) -> None:
    """Its clock is near ours."""
    assert abs(await store.read(database_now) - time.time()) < 60


async def test_a_replica_that_was_stopped_in_a_transaction_holds_up_nobody(
    server: Cluster,
) -> None:
    """Its lock falls in seconds, and what it then tries to commit is not acknowledged."""
    url = url_of(server.url("vigie"), Path())
    goes_on = threading.Event()
    with Store(url) as stopped, Store(url) as other:

        def half(database: Connection) -> None:
            serialise(database)
            keep(database, raw(1))
            goes_on.wait(60)

        caught = asyncio.create_task(stopped.write(half))
        await asyncio.sleep(0.5)

        def whole(database: Connection) -> None:
            serialise(database)
            keep(database, raw(2))

        try:
            await patiently(other, whole)
        finally:
            goes_on.set()
        with pytest.raises(StoreUnavailableError):
            await caught
        assert await count(other) == 1
