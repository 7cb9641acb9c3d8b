"""Texts that a database would refuse: longer than an index takes, or of no character at all."""

from __future__ import annotations

import asyncio
import json
import random
import string
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store import tables
from responder.store.store import Store
from tests.responder.fakes import alert, post
from tests.responder.test_admission import NOW, Clock, body, intake_on, stored, told


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Open a new database of each kind."""
    with Store(database_url) as opened:
        yield opened


def noise(size: int) -> str:
    """Make a text that no index can pack into less."""
    return "".join(random.Random(size).choices(string.ascii_letters + "äß\U0001f600", k=size))


def indexed_texts() -> Iterator[sa.Column[Any]]:
    """Give the columns of texts that an index, a key or a constraint holds."""
    for table in tables.metadata.tables.values():
        kept = {column for index in table.indexes for column in index.columns}
        kept |= {
            column
            for each in table.constraints
            if isinstance(each, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
            for column in each.columns
        }
        yield from (column for column in kept if isinstance(column.type, sa.String))


def longest_indexed(connection: Connection) -> Mapping[str, int]:
    """Give how many bytes the longest text of each of them has."""
    return {
        str(column): max(
            (
                len(text.encode())
                for text in connection.execute(sa.select(column)).scalars()
                if text
            ),
            default=0,
        )
        for column in indexed_texts()
    }


@pytest.mark.parametrize("where", ["group", "alertname", "target", "label_service", "fingerprint"])
async def test_a_text_of_any_length_is_stored(store: Store, where: str) -> None:
    """However long what an alert is found by: it is taken in with its batch, and found again."""
    clock, text = Clock(), noise(8000)
    intake = intake_on(store, clock)
    long = alert("A", starts_at=NOW - 5, target="" if where == "group" else "chat", host="x")
    group = text if where == "group" else "g"
    if where in {"group", "fingerprint"}:
        long["fingerprint"] = text if where == "fingerprint" else "f"
    else:
        long["labels"][where] = text
    bodies = [body(told(NOW)), orjson.dumps(post(long, group=group)), body(told(NOW))]
    results = await asyncio.gather(*(intake.alerts(each) for each in bodies))
    assert [each.problem for each in results] == [None] * 3
    again = await intake.alerts(bodies[1])
    assert (again.problem, again.has_news) == (None, False)
    kept = sa.select(tables.deliveries.c.body).order_by(tables.deliveries.c.id)
    raw = await store.read(lambda database: database.execute(kept).scalars().all())
    assert list(raw) == [*bodies, bodies[1]]
    other = long | {"fingerprint": "other"}
    assert (await intake.alerts(orjson.dumps(post(other, group=group)))).has_news
    found = await store.read(longest_indexed)
    assert {"episodes.alertname", "incident_keys.key", "episodes.fingerprint"} <= found.keys()
    assert max(found.values()) < 1100
    joined = sa.select(sa.func.count()).where(tables.incident_log.c.event == "joined")
    assert await store.read(lambda database: database.execute(joined).scalar_one()) == 1 + (
        where not in {"group", "target"}
    )


async def test_what_a_database_would_refuse_is_cleaned_before(store: Store) -> None:
    """NUL, lone surrogates and numbers past all bounds cost neither the post nor its batch."""
    clock = Clock()
    intake = intake_on(store, clock)
    odd = told(NOW) | {"fingerprint": "a\x00b", "startsAt": 10**400, "generatorURL": 2**70}
    odd["labels"] |= {"target": "\x00", "alertname": "\ud800\x00", "\x00": "x"}
    whole = post(odd, group="\x00\udfff") | {"truncatedAlerts": 2**80, "receiver": "\ud800"}
    raw = json.dumps(whole).encode()
    results = await asyncio.gather(
        *(intake.alerts(each) for each in (body(told(NOW)), raw, body(told(NOW))))
    )
    assert [each.problem for each in results] == [None] * 3
    assert len(await stored(store)) == 2
