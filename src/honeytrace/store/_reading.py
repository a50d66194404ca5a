"""Queries of the SQLite store; each function reads with the given connection."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson

from .._record.record import OBJECTS, Record
from . import _changefeed, _plan, _zone_map
from ._query import COLUMN_OF, NEWEST, Arrivals, Field, Outline, Query
from ._statistics import FACETS, Figure, faceted

__all__ = [
    "JSON",
    "arrived",
    "changed",
    "count",
    "facets",
    "figures",
    "find_ids",
    "get",
    "id_of",
    "listed",
    "longest",
    "outline",
    "values",
]

JSON = frozenset(("children_ids", *OBJECTS))
_IDS = 900
"""Number of ids in one statement; SQLite before 3.32 accepts at most 999 values."""

_SELECTED = ", ".join(f"CAST({name} AS BLOB)" if name in JSON else name for name in Record._fields)
_SELECT = f"SELECT {_SELECTED} FROM events"
_NEWEST_FIRST = "ORDER BY start_time DESC, event_id DESC"
_OUTLINED = (
    "event_id, parent_id, event_type, event_name, status, start_time, duration,"
    # In SQLite, substr ends at a NUL.
    " CASE WHEN instr(error, char(0)) THEN error ELSE substr(error, 1, 200) END, children_ids"
)


def get(conn: sqlite3.Connection, event_id: str) -> Record | None:
    """Return the record of this id."""
    row = conn.execute(f"{_SELECT} WHERE event_id = ?", (event_id,)).fetchone()
    return None if row is None else Record._make(row)


def listed(conn: sqlite3.Connection, query: Query) -> list[Record]:
    """Return the newest sessions that match a query."""
    rows: list[Record] = []
    near = _plan.near(conn, query)
    if near is not None:
        rows = _listed(conn, near)
        if len(rows) == query.limit:
            return rows
        rows = []
    for part in _parts(conn, query):
        rows += _listed(conn, part._replace(limit=query.limit - len(rows)))
        if len(rows) == query.limit:
            break
    return rows


def _listed(conn: sqlite3.Connection, query: Query) -> list[Record]:
    rows: list[Record] = []
    for condition, values in _plan.listing(conn, query):
        sql = f"{_SELECT} WHERE {condition} {_NEWEST_FIRST} LIMIT ?"
        rows = [Record._make(row) for row in conn.execute(sql, (*values, query.limit))]
        if len(rows) == query.limit:
            break
    return rows


def figures(conn: sqlite3.Connection, query: Query, newest: int) -> list[Figure]:
    """Return figures of the newest sessions that match a query, each with its row as key."""
    found: list[Figure] = []
    for part in _parts(conn, query._replace(before=None)):
        table, condition, values = _plan.counting(conn, part)
        # Use only the time index and its columns, which avoids fetching every row.
        sql = (
            f"SELECT event_name, start_time, duration, status, id FROM {table}"
            f" WHERE {condition} ORDER BY start_time DESC"
        )
        # No LIMIT: without an index to follow, SQLite would sort row by row.
        found += islice(conn.execute(sql, values), newest - len(found))
        if len(found) == newest:
            break
    return found


def count(conn: sqlite3.Connection, query: Query, most: int | None) -> int:
    """Return the number of sessions that match a query, or `most` if there are more."""
    found = 0
    for part in _parts(conn, query._replace(before=None)):
        table, condition, values = _plan.counting(conn, part)
        if most is None:
            sql = f"SELECT count(*) FROM {table} WHERE {condition}"
        else:
            sql = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition}"
            sql += f" LIMIT {most - found})"
        found += conn.execute(sql, values).fetchone()[0]
        if found == most:
            break
    return found


def longest(conn: sqlite3.Connection, query: Query) -> list[Record]:
    """Return the sessions with the longest durations, longest first."""
    enough = _zone_map.long_ones(conn, query, query.limit)
    if enough is not None and enough > (query.min_duration or 0):
        found = _longest(conn, query._replace(min_duration=enough))
        if len(found) == query.limit:
            return found
    return _longest(conn, query)


def _longest(conn: sqlite3.Connection, query: Query) -> list[Record]:
    rows: list[tuple[float, int]] = []
    for part in _parts(conn, query._replace(before=None)):
        table, condition, values = _plan.counting(conn, part)
        # The time index holds the duration, so only the longest rows are fetched.
        sql = (
            f"SELECT duration, id FROM {table} WHERE {condition} AND duration IS NOT NULL"
            " ORDER BY duration DESC LIMIT ?"
        )
        rows += conn.execute(sql, (*values, query.limit))
    top = heapq.nlargest(query.limit, rows)
    found = (conn.execute(f"{_SELECT} WHERE id = ?", (row,)).fetchone() for _, row in top)
    return [Record._make(row) for row in found]


def facets(conn: sqlite3.Connection, query: Query, newest: int) -> dict[Field, dict[str, int]]:
    """Return the number of sessions per value of each field, of the newest sessions."""
    columns = ", ".join(COLUMN_OF[field] for field in FACETS)
    left, rows = newest, list[tuple[Any, ...]]()
    for part in _parts(conn, query._replace(before=None)):
        table, condition, values = _plan.counting(conn, part)
        sql = (
            f"SELECT {columns}, count(*) FROM (SELECT {columns} FROM {table} WHERE {condition}"
            f" ORDER BY start_time DESC LIMIT {left}) GROUP BY {columns}"
        )
        found = conn.execute(sql, values).fetchall()
        rows += found
        left -= sum(row[-1] for row in found)
        if left <= 0:
            break
    return faceted(rows)


def _parts(conn: sqlite3.Connection, query: Query) -> Iterable[Query]:
    """Return the query, divided into the periods that may contain a match."""
    if not _plan.is_derived(query):
        return _zone_map.narrowed(conn, query)
    # Values in the JSON have an index of their own; it should be searched once, not once per
    # period.
    whole = _zone_map.spanned(conn, query)
    return [] if whole is None else [whole]


def id_of(conn: sqlite3.Connection, row: int) -> str | None:
    """Return the id of the session in this row; None if it was deleted."""
    found = conn.execute("SELECT event_id FROM events WHERE id = ?", (row,)).fetchone()
    return None if found is None else str(found[0])


def trees(conn: sqlite3.Connection, root_ids: Sequence[str], most: int) -> list[Record]:
    """Return the sessions of these trees."""
    found: list[Record] = []
    for at in range(0, len(root_ids), _IDS):
        some = root_ids[at : at + _IDS]
        marks = ", ".join("?" * len(some))
        sql = f"{_SELECT} WHERE root_id IN ({marks}) LIMIT ?"
        found += map(Record._make, conn.execute(sql, (*some, most - len(found))))
    return found


def find_ids(conn: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Return ids with this beginning, in order."""
    sql = "SELECT event_id FROM events WHERE event_id >= ? AND event_id < ? ORDER BY 1 LIMIT ?"
    return [found for (found,) in conn.execute(sql, (prefix, prefix + "\U0010ffff", limit))]


def outline(conn: sqlite3.Connection, root_id: str) -> list[Outline]:
    """Return the tree with this root, in order of start."""
    rows = conn.execute(
        f"SELECT {_OUTLINED} FROM events WHERE root_id = ? ORDER BY start_time, event_id",
        (root_id,),
    )
    return [
        Outline._make((*row, error and error[:200], orjson.loads(children)))
        for *row, error, children in rows
    ]


def arrived(conn: sqlite3.Connection, after: int | None, limit: int) -> Arrivals:
    """Return the rows after this one, in order of arrival; None asks for the last place."""
    (last,) = conn.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    if after is None or after > last:  # The newest rows were deleted, so their numbers are reused.
        return Arrivals([], last)
    sql = f"SELECT id, {_SELECTED} FROM events WHERE id > ? ORDER BY id LIMIT ?"
    return _placed(conn.execute(sql, (after, limit)), after)


def changed(conn: sqlite3.Connection, after: int | None, limit: int) -> Arrivals:
    """Return the rows that were changed after this place, in that order; None asks for the present
    place."""
    if _changefeed.is_behind(conn):  # The store is read-only or busy, so no changes are known.
        return Arrivals([], after or 0)
    last = _changefeed.last(conn)
    if after is None or after > last:  # A different store has replaced the one that was followed.
        return Arrivals([], last)
    sql = (
        f"SELECT number, {_SELECTED} FROM changes CROSS JOIN events USING (id)"
        " WHERE number > ? ORDER BY number LIMIT ?"
    )
    return _placed(conn.execute(sql, (after, limit)), after)


def _placed(rows: Iterable[tuple[Any, ...]], after: int) -> Arrivals:
    """Return a page of rows that begin with their place."""
    found = list(rows)
    return Arrivals([Record._make(row[1:]) for row in found], found[-1][0] if found else after)


def values(conn: sqlite3.Connection, field: Field) -> list[str]:
    """Return the distinct values of a field among the newest sessions, in order."""
    column = COLUMN_OF[field]
    newest = f"SELECT {column} FROM events ORDER BY start_time DESC LIMIT {NEWEST}"
    return [value for (value,) in conn.execute(f"SELECT DISTINCT * FROM ({newest}) ORDER BY 1")]
