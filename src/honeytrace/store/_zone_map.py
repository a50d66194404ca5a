"""A map of the periods that may contain sessions with given small columns.

With the map, a condition that few or no sessions meet is not searched for everywhere. A zone is
some thousand rows in their order of arrival. The table holds the combinations of small columns that
occur in each zone, with their starts and durations. The map may contain too much but never too
little: triggers add the values of updates. `SQLiteStore.index` builds the map in advance, so
inserts never pay for it. Rows that are in no zone yet are always read.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator

from ._query import Query

__all__ = ["catch_up", "is_behind", "long_ones", "narrowed", "narrows", "spanned"]

ZONE = 5_000
"""Number of rows in a zone."""

CATCH_UP = 8
"""Number of zones that one transaction adds, in a tenth of a second."""

BEHIND = 20_000
"""Largest number of rows outside zones; reading more of them costs more than the zones save."""

MOST = 500
"""Largest number of combinations of one zone. A zone with more counts as containing any name, or
anything."""

_COLUMNS = ("event_name", "project", "source", "status")


def _combination(row: str) -> str:
    """Return the columns of a row (`events`, `old`, `new`) that the map holds."""
    columns = ", ".join(f"{row}.{name}" for name in _COLUMNS)
    return f"{columns}, {row}.error IS NOT NULL, {row}.parent_id IS NULL"


_HELD = _combination("events").split(", ")

_OLD, _NEW = (f"{_combination(row)}, {row}.start_time, {row}.duration" for row in ("old", "new"))
_LAST = "(SELECT coalesce(max(id), 0) FROM events)"
_UPTO = "(SELECT upto FROM zones_held)"
_LEFT = f"SELECT {_LAST} - upto FROM zones_held"
_FIGURES = "min(start_time), max(start_time), min(duration), max(duration)"
_INSERT = f"INSERT INTO zones VALUES ({', '.join(['?'] * (len(_HELD) + 4))})"
_CREATE = (
    f"""
    CREATE TABLE zones ({", ".join(_COLUMNS)}, failed, top,
        since REAL NOT NULL, until REAL NOT NULL, shortest REAL, longest REAL)
    """,
    "CREATE INDEX zones_by_time ON zones (until)",
    "CREATE TABLE zones_held (upto INTEGER NOT NULL)",
    "INSERT INTO zones_held VALUES (0)",
    f"""
    CREATE TRIGGER zones_update AFTER UPDATE ON events
    WHEN ({_OLD}) IS NOT ({_NEW}) AND old.id <= {_UPTO}
    BEGIN
        INSERT INTO zones VALUES ({_combination("new")},
            new.start_time, new.start_time, new.duration, new.duration);
    END
    """,
    # Row numbers of the newest rows are reused after a deletion.
    f"""
    CREATE TRIGGER zones_delete AFTER DELETE ON events
    BEGIN UPDATE zones_held SET upto = {_LAST} WHERE upto > {_LAST}; END
    """,
)


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` has work to do."""
    return not _exists(conn) or _number(conn, _LEFT) >= ZONE


def catch_up(conn: sqlite3.Connection) -> None:
    """Create the table if missing, and add the next zones to it; runs within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    # Deleted rows need no zone.
    conn.execute("DELETE FROM zones WHERE until < (SELECT min(start_time) FROM events)")
    upto, left = _number(conn, f"SELECT {_UPTO}"), _number(conn, _LEFT)
    if _number(conn, "SELECT count(*) FROM zones") > MOST * (1 + upto // ZONE):
        # Updates added more combinations than the rows can need.
        conn.execute("DELETE FROM zones")
        left, upto = left + upto, 0
    for first in range(upto, upto + min(left // ZONE, CATCH_UP) * ZONE, ZONE):
        upto = first + ZONE
        _add(conn, (first, upto))
    conn.execute("UPDATE zones_held SET upto = ?", (upto,))


def _add(conn: sqlite3.Connection, rows: tuple[int, int]) -> None:
    for left_out in (0, 1, len(_HELD)):
        held = ", ".join(["NULL"] * left_out + _HELD[left_out:])
        every = ", ".join(str(n + 1) for n in range(len(_HELD)))
        found = conn.execute(
            f"SELECT {held}, {_FIGURES} FROM events WHERE id > ? AND id <= ? GROUP BY {every}", rows
        ).fetchall()
        if len(found) <= MOST:
            break
    conn.executemany(_INSERT, found)


def narrows(query: Query) -> bool:
    """Return whether the map may leave out periods for this query."""
    return bool(_conditions(query)[0])


def narrowed(conn: sqlite3.Connection, query: Query) -> Iterator[Query]:
    """Yield the query for each period that may contain a match, newest first."""
    spans = _spans(conn, query)
    if spans is None:
        yield query
        return
    for span in _merged(conn.execute(f"{spans[0]} ORDER BY until DESC", spans[1])):
        yield _within(query, *span)


def spanned(conn: sqlite3.Connection, query: Query) -> Query | None:
    """Return the query for the period from the first to the last possible match; None if nothing
    can match."""
    spans = _spans(conn, query)
    if spans is None:
        return query
    sql = f"SELECT min(since), max(until) FROM ({spans[0]})"
    since, until = conn.execute(sql, spans[1]).fetchone()
    return None if since is None else _within(query, since, until)


def _within(query: Query, since: float, until: float) -> Query:
    end = math.nextafter(until, math.inf)  # The upper bound `until` is inclusive here.
    return query._replace(
        since=since if query.since is None else max(since, query.since),
        until=end if query.until is None else min(end, query.until),
    )


def _spans(conn: sqlite3.Connection, query: Query) -> tuple[str, list[object]] | None:
    """Return the statement for the periods that may contain a match; None if the map cannot
    help."""
    conditions, values = _conditions(query)
    if not conditions or not _exists(conn) or _number(conn, _LEFT) > BEHIND:
        return None
    timed, times = _times(query)
    # Rows outside zones count as a zone that may contain anything.
    sql = (
        f"SELECT since, until FROM zones WHERE {' AND '.join(conditions + timed)}"
        " UNION ALL SELECT min(start_time) AS since, max(start_time) AS until FROM events"
        f" WHERE id > {_UPTO} HAVING count(*)"
    )
    return sql, values + times


def long_ones(conn: sqlite3.Connection, query: Query, number: int) -> float | None:
    """Return a duration that about `number` sessions exceed; None if the map cannot tell. Each zone
    knows its longest, so the longest of all are in few zones."""
    if not _exists(conn) or query.root_id is not None or query.parent_id is not None:
        return None
    conditions, values = _conditions(query)
    timed, times = _times(query)
    where = " AND ".join(["longest IS NOT NULL", *conditions, *timed])
    found = conn.execute(
        f"SELECT longest FROM zones WHERE {where} ORDER BY longest DESC LIMIT 1 OFFSET ?",
        (*values, *times, number - 1),
    ).fetchone()
    return None if found is None else float(found[0])


def _merged(spans: Iterator[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the spans by their end, the latest first, merged so that none overlap."""
    since, until = next(spans, (0.0, -1.0))
    if until < since:
        return
    for earlier, end in spans:
        if end < since:
            yield since, until
            since, until = earlier, end
        since = min(since, earlier)
    yield since, until


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    """Return the conditions on a zone that may contain a match; empty if reading all rows is as
    good."""
    wanted: tuple[tuple[str, object], ...] = (
        ("(project = ? OR project IS NULL)", query.project),
        ("(event_name = ? OR event_name IS NULL)", query.session_name),
        ("(source = ? OR source IS NULL)", query.source),
        ("(status = ? OR status IS NULL)", query.status),
        ("(failed = ? OR failed IS NULL)", query.error),
        ("(top = ? OR top IS NULL)", query.roots_only or None),
        ("longest >= ?", query.min_duration),
        ("shortest <= ?", query.max_duration),
    )
    if query.root_id is not None or query.parent_id is not None:  # These columns have an index.
        return [], []
    given = [(sql, value) for sql, value in wanted if value is not None]
    return [sql for sql, _ in given], [value for _, value in given]


def _times(query: Query) -> tuple[list[str], list[object]]:
    """Return the conditions that leave out periods outside the query."""
    conditions: list[str] = []
    values: list[object] = []
    until = query.until if query.before is None else query.before[0]
    if query.since is not None:
        conditions, values = ["until >= ?"], [query.since]
    if until is not None:
        conditions, values = [*conditions, "since <= ?"], [*values, until]
    return conditions, values


def _number(conn: sqlite3.Connection, sql: str) -> int:
    (found,) = conn.execute(sql).fetchone()
    return int(found)


def _exists(conn: sqlite3.Connection) -> bool:
    names = "('zones', 'zones_held', 'zones_update', 'zones_delete')"
    return _number(conn, f"SELECT count(*) FROM sqlite_master WHERE name IN {names}") == 4
