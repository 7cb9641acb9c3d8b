"""What is asked again and again finds its rows by an index, however much is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from responder.store import comparison, views
from responder.store.engine import open_engine
from responder.store.store import Store
from responder.store.views import Place

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "ix_deliveries_truncated": lambda database: comparison.cut_since(database, 1.0),
    "ix_episodes_open": comparison.open_episodes,
    "ix_episodes_first_seen_at": lambda database: views.kept(
        database, 5, since=1.0, after=Place(at=2.0, id="e")
    ),
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give an empty store, on SQLite and on PostgreSQL."""
    with Store(database_url):
        made = open_engine(database_url)
        yield made
        made.dispose()


@pytest.mark.parametrize("index", QUESTIONS)
def test_a_question_uses_its_index(engine: Engine, index: str) -> None:
    """The plan of the statement that is run names it, and no table is gone through."""
    asked: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        if call[2].startswith("SELECT"):
            asked.append((call[2], call[3]))

    with engine.connect() as database:
        sa.event.listen(database, "before_cursor_execute", note)
        QUESTIONS[index](database)
        sa.event.remove(database, "before_cursor_execute", note)
        ((statement, values),) = asked
        plan = _plan(database, statement, values)
    assert index in plan
    assert "Seq Scan" not in plan
    assert "TEMP B-TREE" not in plan


def _plan(database: Connection, statement: str, values: Any) -> str:
    if database.dialect.name == "postgresql":
        # Of tables this small it would read the whole; and a plan must not hang on the values.
        database.exec_driver_sql("SET enable_seqscan = off")
        database.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
    how = "EXPLAIN" if database.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row) for row in database.exec_driver_sql(f"{how} {statement}", values))
