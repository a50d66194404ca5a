"""Finding sessions by user and by metric without reading them all; inserts never pay for it.

Like the text index, the table is made by the first query that needs it and caught up by each one;
where it cannot be (the store is read-only or busy), each row's JSON is looked into instead, slowly.
Triggers keep what it holds in step with updates and deletes.
"""

from __future__ import annotations

import sqlite3

from . import Metric

__all__ = ["catch_up", "is_behind", "metric", "user"]

CATCH_UP = 20_000
"""Rows that one transaction looks through: a fifth of a second."""

RARE = 5_000
"""Up to so many matches are fetched and sorted, beyond it the newest rows are tried one by one."""

_LONGEST = 200
"""Characters of a user's property that is held."""

Condition = tuple[str, list[object]]

_IS_USER = "type IN ('text', 'integer')"
_IS_NUMBER = "type IN ('integer', 'real', 'true', 'false')"


def _facets(rows: str) -> str:
    """The facets of rows, given as a subquery."""
    return f"""
        SELECT 'user', CAST(value AS TEXT), row.id
        FROM ({rows}) AS row, json_each(row.user_properties)
        WHERE {_IS_USER} AND length(value) <= {_LONGEST}
        UNION ALL
        SELECT 'metric ' || key, value, row.id
        FROM ({rows}) AS row, json_each(row.metrics)
        WHERE {_IS_NUMBER}
    """


_NEW = "SELECT new.id AS id, new.metrics AS metrics, new.user_properties AS user_properties"
_REMOVE = "DELETE FROM facets WHERE id = old.id"
_LAST = "(SELECT coalesce(max(id), 0) FROM events)"
_UPTO = "(SELECT upto FROM facets_held)"
_HELD = f"old.id <= {_UPTO}"
_CREATE = (
    """
    CREATE TABLE facets (name TEXT NOT NULL, value NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (name, value, id)) WITHOUT ROWID
    """,
    "CREATE INDEX facets_by_id ON facets (id)",
    "CREATE TABLE facets_held (upto INTEGER NOT NULL)",
    "INSERT INTO facets_held VALUES (0)",
    f"""
    CREATE TRIGGER facets_update AFTER UPDATE OF metrics, user_properties ON events
    WHEN (old.metrics IS NOT new.metrics OR old.user_properties IS NOT new.user_properties)
        AND {_HELD}
    BEGIN
        {_REMOVE};
        INSERT OR IGNORE INTO facets {_facets(_NEW)};
    END
    """,
    # the numbers of the newest rows come again once they are deleted
    f"""
    CREATE TRIGGER facets_delete AFTER DELETE ON events
    BEGIN
        {_REMOVE};
        UPDATE facets_held SET upto = {_LAST} WHERE upto > {_LAST};
    END
    """,
)


def is_behind(conn: sqlite3.Connection) -> bool:
    """Whether `catch_up` would find something to do."""
    if not _exists(conn):
        return True
    (behind,) = conn.execute(f"SELECT upto < {_LAST} FROM facets_held").fetchone()
    return bool(behind)


def catch_up(conn: sqlite3.Connection) -> None:
    """Make the table when there is none, and look through the next rows; within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    (upto,) = conn.execute("SELECT upto FROM facets_held").fetchone()
    (last,) = conn.execute(f"SELECT min({_LAST}, ?)", (upto + CATCH_UP,)).fetchone()
    rows = "SELECT id, metrics, user_properties FROM events WHERE id > ? AND id <= ?"
    conn.execute(f"INSERT OR IGNORE INTO facets {_facets(rows)}", (upto, last) * 2)
    conn.execute("UPDATE facets_held SET upto = ?", (last,))


def user(conn: sqlite3.Connection, value: str, *, few_rows: bool = False) -> Condition:
    """The rows one of whose `user_properties` is this; `few_rows`: only few are in question."""
    json = (
        "EXISTS (SELECT 1 FROM json_each(user_properties)"
        f" WHERE {_IS_USER} AND CAST(value AS TEXT) = ?)"
    )
    looked_into: Condition = (json, [value])
    if len(value) > _LONGEST:
        return looked_into
    return _held(conn, "=", ["user", value], few_rows, looked_into)


def metric(conn: sqlite3.Connection, wanted: Metric, *, few_rows: bool = False) -> Condition:
    """The rows whose metric of this name compares so; `few_rows`: only few are in question."""
    name, operator, value = Metric(*wanted)  # which checks what goes into the SQL
    json = (
        "EXISTS (SELECT 1 FROM json_each(metrics)"
        f" WHERE key = ? AND {_IS_NUMBER} AND value {operator} ?)"
    )
    return _held(conn, operator, [f"metric {name}", value], few_rows, (json, [name, value]))


def _held(
    conn: sqlite3.Connection,
    operator: str,
    wanted: list[object],
    few_rows: bool,
    looked_into: Condition,
) -> Condition:
    """The rows by number; by looking into them where the JSON of few is sooner read than many
    numbers, or than rows that the table does not know yet."""
    behind = is_behind(conn)
    if behind and few_rows:
        return looked_into
    numbers, values = f"SELECT id FROM facets WHERE name = ? AND value {operator} ?", wanted
    if behind:
        known = _exists(conn)
        json, more = looked_into
        # in the order of the rows: to look into all of them along the time index takes ten times
        rest = f"SELECT id FROM events WHERE id > {_UPTO if known else 0} AND {json}"
        numbers, values = (f"{numbers} UNION ALL {rest}", wanted + more) if known else (rest, more)
    found = [str(row) for (row,) in conn.execute(f"{numbers} LIMIT ?", (*values, RARE + 1))]
    if len(found) <= RARE:
        return f"id IN ({', '.join(found)})", []
    # the plus keeps SQLite from fetching and sorting every match: it walks the time index instead
    return looked_into if few_rows else (f"+id IN ({numbers})", values)


def _exists(conn: sqlite3.Connection) -> bool:
    names = "('facets', 'facets_held', 'facets_update', 'facets_delete')"
    (count,) = conn.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN {names}").fetchone()
    return bool(count == 4)
