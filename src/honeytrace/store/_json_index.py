"""An index of users and metrics, which stand in the JSON; inserts never pay for it.

Like the text index, the table is made by the first query that needs it, and every query catches it
up. If that is impossible (the store is read-only or busy), the JSON of each row is read instead,
which is slow. Triggers keep the table in step with updates and deletes.

The table has the columns of `events_by_time` beside each value, under the same names, so several
conditions are combined without fetching a row. Under each value it is in order of time.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from ._query import Metric, Query

__all__ = ["TABLE", "Facet", "asked", "catch_up", "is_behind", "numbers"]

TABLE = "json_index"

CATCH_UP = 20_000
"""Rows that one transaction looks through: a fifth of a second."""

_LONGEST = 200
"""Characters of a user's property that is held."""

_IS_USER = "type IN ('text', 'integer')"
_IS_NUMBER = "type IN ('integer', 'real', 'true', 'false')"

_COLUMNS = ("start_time", "id", "duration", "source", "status", "project", "event_name")
_GIVEN = ("error", "parent_id")
"""Columns of which is held whether there is anything: 1 or NULL."""
_READ = ("metrics", "user_properties", *_COLUMNS, *_GIVEN)

Condition = tuple[str, list[object]]


class Facet(NamedTuple):
    """A condition on what is in the JSON."""

    json: Condition
    """On a row of `events`, which is looked into."""
    held: Condition | None
    """On a row of `TABLE`; None where it does not hold the like."""
    timed: bool
    """True if `TABLE` has the rows that meet it in order of time."""
    others: Query
    """The query without it."""


def asked(query: Query) -> list[Facet]:
    """Return the conditions of a query on JSON; first those that `TABLE` has in order of time."""
    found = []
    if query.user is not None:
        found.append(_user(query.user, query._replace(user=None)))
    if query.metric is not None:
        found.append(_metric(query.metric, query._replace(metric=None)))
    return found


def _user(value: str, others: Query) -> Facet:
    """One of the `user_properties` is this."""
    json = (
        "EXISTS (SELECT 1 FROM json_each(user_properties)"
        f" WHERE {_IS_USER} AND CAST(value AS TEXT) = ?)"
    )
    held: Condition = ("name = 'user' AND value = ?", [value])
    return Facet((json, [value]), held if len(value) <= _LONGEST else None, True, others)


def _metric(wanted: Metric, others: Query) -> Facet:
    """The metric of this name compares so."""
    name, operator, value = Metric(*wanted)  # which checks what goes into the SQL
    json = (
        "EXISTS (SELECT 1 FROM json_each(metrics)"
        f" WHERE key = ? AND {_IS_NUMBER} AND value {operator} ?)"
    )
    held: Condition = (f"name = ? AND value {operator} ?", [f"metric {name}", value])
    return Facet((json, [name, value]), held, operator == "=", others)


def _facets(rows: str) -> str:
    """The facets of rows, given as a subquery."""
    columns = ", ".join(
        [f"row.{name}" for name in _COLUMNS]
        + [f"nullif(row.{name} IS NOT NULL, 0)" for name in _GIVEN]
    )
    return f"""
        SELECT 'user', CAST(value AS TEXT), {columns}
        FROM ({rows}) AS row, json_each(row.user_properties)
        WHERE {_IS_USER} AND length(value) <= {_LONGEST}
        UNION ALL
        SELECT 'metric ' || key, value, {columns}
        FROM ({rows}) AS row, json_each(row.metrics)
        WHERE {_IS_NUMBER}
    """


def _row(row: str) -> str:
    """A row of a trigger (`new`), as the subquery that `_facets` takes."""
    return "SELECT " + ", ".join(f"{row}.{name} AS {name}" for name in _READ)


def _values(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in _READ)


_REMOVE = f"DELETE FROM {TABLE} WHERE id = old.id"
_LAST = "(SELECT coalesce(max(id), 0) FROM events)"
_UPTO = f"(SELECT upto FROM {TABLE}_held)"
_CREATE = (
    f"""
    CREATE TABLE {TABLE} (name TEXT NOT NULL, value NOT NULL, start_time REAL NOT NULL,
        id INTEGER NOT NULL, duration REAL, source TEXT NOT NULL, status TEXT NOT NULL,
        project TEXT NOT NULL, event_name TEXT NOT NULL, error INTEGER, parent_id INTEGER,
        PRIMARY KEY (name, value, start_time, id)) WITHOUT ROWID
    """,
    f"CREATE INDEX {TABLE}_by_id ON {TABLE} (id)",
    f"CREATE TABLE {TABLE}_held (upto INTEGER NOT NULL)",
    f"INSERT INTO {TABLE}_held VALUES (0)",
    f"""
    CREATE TRIGGER {TABLE}_update AFTER UPDATE OF {", ".join(_READ)} ON events
    WHEN ({_values("old")}) IS NOT ({_values("new")}) AND old.id <= {_UPTO}
    BEGIN
        {_REMOVE};
        INSERT OR IGNORE INTO {TABLE} {_facets(_row("new"))};
    END
    """,
    # the numbers of the newest rows come again once they are deleted
    f"""
    CREATE TRIGGER {TABLE}_delete AFTER DELETE ON events
    BEGIN
        {_REMOVE};
        UPDATE {TABLE}_held SET upto = {_LAST} WHERE upto > {_LAST};
    END
    """,
)


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` would find something to do."""
    if not _exists(conn):
        return True
    (behind,) = conn.execute(f"SELECT {_UPTO} < {_LAST}").fetchone()
    return bool(behind)


def catch_up(conn: sqlite3.Connection) -> None:
    """Make the table when there is none, and look through the next rows; within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    upto, last = conn.execute(f"SELECT {_UPTO}, min({_LAST}, {_UPTO} + ?)", (CATCH_UP,)).fetchone()
    rows = f"SELECT {', '.join(_READ)} FROM events WHERE id > ? AND id <= ?"
    conn.execute(f"INSERT OR IGNORE INTO {TABLE} {_facets(rows)}", (upto, last) * 2)
    conn.execute(f"UPDATE {TABLE}_held SET upto = ?", (last,))


def numbers(conn: sqlite3.Connection, facet: Facet, columns: Condition) -> Condition | None:
    """The numbers of the rows that meet a facet and what is asked of columns, as a subquery; None
    where only looking into every row tells."""
    if facet.held is None:
        return None
    known = _exists(conn)
    held = _numbers(TABLE, facet.held, columns)
    if known and not is_behind(conn):
        return held
    # in the order of the rows: to look into all of them along the time index takes ten times
    unknown, values = _numbers("events NOT INDEXED", facet.json, columns)
    unknown += f" AND id > {_UPTO if known else 0}"
    return (f"{held[0]} UNION ALL {unknown}", held[1] + values) if known else (unknown, values)


def _numbers(table: str, *conditions: Condition) -> Condition:
    sql = " AND ".join(sql for sql, _ in conditions)
    return f"SELECT id FROM {table} WHERE {sql}", [each for _, some in conditions for each in some]


def _exists(conn: sqlite3.Connection) -> bool:
    names = ", ".join(f"'{TABLE}{part}'" for part in ("", "_held", "_update", "_delete"))
    (count,) = conn.execute(
        f"SELECT count(*) FROM sqlite_master WHERE name IN ({names})"
    ).fetchone()
    return bool(count == 4)
