"""Many rows in one statement, on both databases, past the compiler: intake's cost is in here.

SQLite takes one tuple per row. PostgreSQL takes all rows as one JSON parameter, with an array
beside it for what is bytes, since psycopg's own `executemany` costs ten times as much for each row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row

Tuple = tuple[Any, ...]

_BYTES = "bytea"  # JSON has none


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulk:
    """A statement that is run once for each of many rows.

    `columns` are the rows' members and their types on PostgreSQL. `sqlite` has a `?` for each of
    them; `postgresql` reads them from the relation `r`, which stands where it says `{rows}`.
    """

    columns: Mapping[str, str]
    sqlite: str
    postgresql: str

    def run(self, connection: Connection, rows: Sequence[Tuple]) -> None:
        """Run it for *rows*, in their order."""
        if not rows:
            return
        if connection.dialect.name != "postgresql":
            connection.exec_driver_sql(self.sqlite, list(rows))
            return
        in_json = [at for at, kind in enumerate(self.columns.values()) if kind != _BYTES]
        names = tuple(self.columns)
        packed = orjson.dumps([{names[at]: row[at] for at in in_json} for row in rows]).decode()
        beside = [at for at in range(len(names)) if at not in in_json]
        bodies = [[row[at] for row in rows] for at in beside]
        statement = self.postgresql.format(rows=self._relation())
        connection.exec_driver_sql(statement, (packed, *bodies))

    def _relation(self) -> str:
        """Give the relation of the rows: a JSON list, and beside it an array for each of bytes."""
        typed = ", ".join(f"{name} {kind}" for name, kind in self.columns.items() if kind != _BYTES)
        beside = [name for name, kind in self.columns.items() if kind == _BYTES]
        if not beside:
            return f"json_to_recordset(%s::json) AS r({typed})"
        names = [name for name, kind in self.columns.items() if kind != _BYTES] + beside
        arrays = ", unnest(%b::bytea[])" * len(beside)
        rows = f"ROWS FROM (json_to_recordset(%s::json) AS ({typed}){arrays})"
        return f"{rows} AS r({', '.join(names)})"


def inserting(table: str, columns: Mapping[str, str], *, or_ignore: bool = False) -> Bulk:
    """Give the statement that adds rows; with `or_ignore` those that are there already stay."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    tail = " ON CONFLICT DO NOTHING" if or_ignore else ""
    return Bulk(
        columns=columns,
        sqlite=f"INSERT INTO {table} ({names}) VALUES ({marks}){tail}",  # noqa: S608 - names of our own
        postgresql=f"INSERT INTO {table} ({names}) SELECT {names} FROM {{rows}}{tail}",  # noqa: S608 - the same
    )


def rows_among(
    connection: Connection, query: str, values: Collection[str], since: float | None = None
) -> Sequence[Row[Any]]:
    """Give what *query* finds, whose every `{many}` stands for one of *values*.

    What `{since}`, which follows them, stands for is a parameter as well: a text that is the same
    each time need not be compiled again.
    """
    if not values:
        return ()
    times = query.count("{many}")
    more = () if since is None else (since,)
    if connection.dialect.name == "postgresql":
        statement = query.replace("{many}", "= ANY(%s::text[])").replace("{since}", "%s")
        return connection.exec_driver_sql(statement, (list(values),) * times + more).all()
    statement = query.replace("{many}", "IN (SELECT value FROM json_each(?))")
    statement = statement.replace("{since}", "?")
    packed = orjson.dumps(list(values)).decode()
    return connection.exec_driver_sql(statement, (packed,) * times + more).all()


def changing(
    table: str, columns: Mapping[str, str], *, by: str = "id", where: str = "", fixed: str = ""
) -> Bulk:
    """Give the statement that sets columns of the row that *by*, a row's last member, names."""
    condition = f" AND t.{where}" if where else ""
    tail = f", {fixed}" if fixed else ""
    here = ", ".join(f"{name} = ?" for name in columns) + tail
    there = ", ".join(f"{name} = r.{name}" for name in columns) + tail
    head = f"UPDATE {table} AS t SET"
    return Bulk(
        columns={**columns, by: "text"},
        sqlite=f"{head} {here} WHERE t.{by} = ?{condition}",
        postgresql=f"{head} {there} FROM {{rows}} WHERE t.{by} = r.{by}{condition}",
    )
