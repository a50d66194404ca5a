"""An index of the users and metrics in the JSON; inserts never pay for it.

Like the text index, the table is created by the first query that needs it, and each query brings it
up to date. If that is impossible (the store is read-only or busy), the JSON of each row is read
instead, which is slow. Triggers keep the table in step with updates and deletes.

Each value is stored with the columns of `events_by_time`, under the same names, so that several
conditions are combined without fetching a row. The rows of one value are in order of time.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from ._query import Metric, Query

__all__ = ["TABLE", "Facet", "asked", "catch_up", "is_behind", "numbers"]

TABLE = "json_index"

CATCH_UP = 20_000
"""Number of rows that one transaction processes, in a fifth of a second."""

_LONGEST = 200
"""Characters of a user property that are indexed."""

_IS_USER = "type IN ('text', 'integer')"
_IS_NUMBER = "type IN ('integer', 'real', 'true', 'false')"

_COLUMNS = ("start_time", "id", "duration", "source", "status", "project", "event_name")
_GIVEN = ("error", "parent_id")
"""Columns that are indexed only as present (1) or absent (NULL)."""
_READ = ("metrics", "user_properties", *_COLUMNS, *_GIVEN)

Condition = tuple[str, list[object]]


class Facet(NamedTuple):
    """A condition on values in the JSON."""

    json: Condition
    """The condition on a row of `events`, whose JSON is read."""
    held: Condition | None
    """The condition on a row of `TABLE`; None if such values are not indexed."""
    timed: bool
    """True if `TABLE` has the matching rows in order of time."""
    others: Query
    """The query without this condition."""


def asked(query: Query) -> list[Facet]:
    """Return the conditions of a query on JSON; those that `TABLE` has in order of time come
    first."""
    found = []
    if query.user is not None:
        found.append(_user(query.user, query._replace(user=None)))
    if query.metric is not None:
        found.append(_metric(query.metric, query._replace(metric=None)))
    return found


def _user(value: str, others: Query) -> Facet:
    """Return the facet: one of the `user_properties` has this value."""
    json = (
        "EXISTS (SELECT 1 FROM json_each(user_properties)"
        f" WHERE {_IS_USER} AND CAST(value AS TEXT) = ?)"
    )
    held: Condition = ("name = 'user' AND value = ?", [value])
    return Facet((json, [value]), held if len(value) <= _LONGEST else None, True, others)


def _metric(wanted: Metric, others: Query) -> Facet:
    """Return the facet: the metric of this name compares like this."""
    name, operator, value = Metric(*wanted)  # `Metric` validates the values that go into the SQL.
    json = (
        "EXISTS (SELECT 1 FROM json_each(metrics)"
        f" WHERE key = ? AND {_IS_NUMBER} AND value {operator} ?)"
    )
    held: Condition = (f"name = ? AND value {operator} ?", [f"metric {name}", value])
    return Facet((json, [name, value]), held, operator == "=", others)


def _facets(rows: str) -> str:
    """Return the facets of the rows of a subquery."""
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
    """Return a row of a trigger (`new`) as the subquery for `_facets`."""
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
    # Row numbers of the newest rows are reused after a deletion.
    f"""
    CREATE TRIGGER {TABLE}_delete AFTER DELETE ON events
    BEGIN
        {_REMOVE};
        UPDATE {TABLE}_held SET upto = {_LAST} WHERE upto > {_LAST};
    END
    """,
)


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` has work to do."""
    if not _exists(conn):
        return True
    (behind,) = conn.execute(f"SELECT {_UPTO} < {_LAST}").fetchone()
    return bool(behind)


def catch_up(conn: sqlite3.Connection) -> None:
    """Create the table if missing, and index the next rows; runs within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    upto, last = conn.execute(f"SELECT {_UPTO}, min({_LAST}, {_UPTO} + ?)", (CATCH_UP,)).fetchone()
    rows = f"SELECT {', '.join(_READ)} FROM events WHERE id > ? AND id <= ?"
    conn.execute(f"INSERT OR IGNORE INTO {TABLE} {_facets(rows)}", (upto, last) * 2)
    conn.execute(f"UPDATE {TABLE}_held SET upto = ?", (last,))


def numbers(conn: sqlite3.Connection, facet: Facet, columns: Condition) -> Condition | None:
    """Return the numbers of the rows that meet a facet and the conditions on columns, as a
    subquery; None if every row has to be read."""
    if facet.held is None:
        return None
    known = _exists(conn)
    held = _numbers(TABLE, facet.held, columns)
    if known and not is_behind(conn):
        return held
    # Read in the order of the rows: reading all of them along the time index takes ten times as
    # long.
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
