"""Hourly sums, so that figures of a month need not read a month of sessions.

Like the other indexes, the tables are created by the first query and updated in advance; inserts
never pay for them. Rows are added in their order of arrival. An update or deletion of an added row
marks its hour, which is summed again before the sums are used. `_hourly_reading` answers queries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from ._spending import tokens_in, user_in
from .trends import HOUR, Sums, Tokens

__all__ = [
    "DAILY",
    "DAY",
    "catch_up",
    "exists",
    "is_behind",
    "is_near",
    "left",
    "read",
    "stale",
    "summed",
    "sums_of",
]

CATCH_UP = 10_000
"""Number of rows that one transaction adds, in a tenth of a second."""

NEAR = 20_000
"""Number of rows that a reader waits for, a fifth of a second."""

DAY = 24
"""Hours of a day. Days get sums of their own, because a month has 720 hours."""

DAILY = "/day"
"""Suffix of the kind of a daily sum."""

_MS = int(HOUR)


_DAYS = ("name" + DAILY, "user" + DAILY)

_LAST = "(SELECT coalesce(max(id), 0) FROM events)"
_SPENT = " OR ".join(
    f"instr({column}, '{word}')"
    for column, words in (
        ("outputs", ("usage", "Usage")),
        ("metadata", ("token", "usage", "cost", "Token")),
        ("metrics", ("token", "usage", "cost", "Token")),
    )
    for word in words
)
"""A condition that is true for rows that may contain tokens; other rows are not parsed."""

_ROWS = f"""
    SELECT id, event_name, project, parent_id IS NULL, start_time, duration, status = 'error',
        event_type, user_properties,
        CASE WHEN {_SPENT} THEN '[' || coalesce(config, '{{}}') || ',' || coalesce(metadata, '{{}}')
            || ',' || coalesce(metrics, '{{}}') || ',' || coalesce(outputs, '{{}}') || ']' END
    FROM events WHERE """
_COUNTED = (
    *("event_name", "project", "parent_id", "start_time", "duration", "status", "event_type"),
    *("user_properties", "config", "metadata", "metrics", "outputs"),
)
_OLD, _NEW = (", ".join(f"{row}.{name}" for name in _COUNTED) for row in ("old", "new"))

_CREATE = (
    """
    CREATE TABLE hourly (hour INTEGER, kind TEXT, key TEXT, project TEXT, top INTEGER,
        calls INTEGER, errors INTEGER, durations BLOB, slowest REAL, slowest_row INTEGER,
        tokens TEXT, PRIMARY KEY (kind, hour, key, project, top)) WITHOUT ROWID
    """,
    "CREATE TABLE hourly_held (upto INTEGER NOT NULL)",
    "INSERT INTO hourly_held VALUES (0)",
    "CREATE TABLE hourly_stale (hour INTEGER PRIMARY KEY)",
    f"""
    CREATE TRIGGER hourly_update AFTER UPDATE ON events
    WHEN ({_OLD}) IS NOT ({_NEW}) AND old.id <= (SELECT upto FROM hourly_held)
    BEGIN
        INSERT OR IGNORE INTO hourly_stale VALUES (CAST(old.start_time / {_MS} AS INTEGER));
        INSERT OR IGNORE INTO hourly_stale VALUES (CAST(new.start_time / {_MS} AS INTEGER));
    END
    """,
    # Row numbers of the newest rows are reused after a deletion.
    f"""
    CREATE TRIGGER hourly_delete AFTER DELETE ON events
    BEGIN
        INSERT OR IGNORE INTO hourly_stale SELECT CAST(old.start_time / {_MS} AS INTEGER)
            FROM hourly_held WHERE old.id <= upto;
        UPDATE hourly_held SET upto = {_LAST} WHERE upto > {_LAST};
    END
    """,
)

Cell = tuple[int, str, str, str, int]
"""Hour, kind, key, project, and a flag for calls that ran inside no other."""


def is_near(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` has so little work that a reader may wait for it."""
    waiting = left(conn) if exists(conn) else _number(conn, f"SELECT {_LAST}")
    return waiting <= NEAR


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` has work to do."""
    return not exists(conn) or bool(stale(conn)) or left(conn) > 0


def catch_up(conn: sqlite3.Connection) -> None:
    """Create the tables if missing, and add the next rows; runs within a transaction."""
    if not exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    upto = summed(conn)
    for hour in stale(conn)[:1]:
        conn.execute("DELETE FROM hourly_stale WHERE hour = ?", (hour,))
        first = hour // DAY * DAY
        # The sums are written kind by kind, in the order of the table.
        for kind, start in (("name", hour), ("user", hour), *((k, first) for k in _DAYS)):
            conn.execute("DELETE FROM hourly WHERE kind = ? AND hour = ?", (kind, start))
        condition = "start_time >= ? AND start_time < ? AND id <= ?"
        _write(conn, sums_of(conn, condition, (hour * HOUR, (hour + 1) * HOUR, upto)))
        _write(conn, _day(conn, first))
        return
    last = min(_number(conn, f"SELECT {_LAST}"), upto + CATCH_UP)
    found = sums_of(conn, "id > ? AND id <= ?", (upto, last))
    for (hour, kind, key, project, top), sums in list(found.items()):
        day = (hour // DAY * DAY, kind + DAILY, key, project, top)
        if day not in found:
            found[day] = Sums()
        found[day].add(sums)
    for cell, sums in found.items():
        known = _known(conn, cell)
        if known is not None:
            sums.add(known)
    _write(conn, found)
    conn.execute("UPDATE hourly_held SET upto = ?", (last,))


def sums_of(conn: sqlite3.Connection, condition: str, values: Iterable[Any]) -> dict[Cell, Sums]:
    """Return the sums of the rows that meet a condition, read one by one."""
    found: dict[Cell, Sums] = {}
    for row, name, project, top, start, took, failed, kind, user, spent in conn.execute(
        _ROWS + condition, tuple(values)
    ):
        hour = int(start // HOUR)
        tokens = tokens_in(orjson.loads(spent), kind) if spent else None
        keys: list[tuple[str, str]] = [("name", name)]
        if user and (who := user_in(user)):
            keys.append(("user", who))
        for by, key in keys:
            cell = (hour, by, key, project, top)
            sums = found.get(cell)
            if sums is None:
                sums = found[cell] = Sums()
            sums.count(failed=bool(failed), duration=took, key=row)
            if tokens:
                sums.spend(*tokens)
    return found


def _day(conn: sqlite3.Connection, day: int) -> dict[Cell, Sums]:
    """Return the sums of a day, from the sums of its hours."""
    found: dict[Cell, Sums] = {}
    columns = "kind, key, project, top, calls, errors, durations, slowest, slowest_row, tokens"
    for by in ("name", "user"):
        for kind, key, project, top, *row in conn.execute(
            f"SELECT {columns} FROM hourly WHERE kind = ? AND hour >= ? AND hour < ?",
            (by, day, day + DAY),
        ):
            cell: Cell = (day, kind + DAILY, key, project, top)
            if cell not in found:
                found[cell] = Sums()
            found[cell].add(read(row))
    return found


def _known(conn: sqlite3.Connection, cell: Cell) -> Sums | None:
    row = conn.execute(
        "SELECT calls, errors, durations, slowest, slowest_row, tokens FROM hourly"
        " WHERE hour = ? AND kind = ? AND key = ? AND project = ? AND top = ?",
        cell,
    ).fetchone()
    return None if row is None else read(row)


def read(row: Sequence[Any]) -> Sums:
    """Return the sums in a row of the table, from `calls` on."""
    sums = Sums()
    sums.calls, sums.errors, packed, sums.slowest, sums.slowest_id, tokens = row
    # The lowest classes are usually empty; the first four bytes hold their number.
    low = int.from_bytes(packed[:4], "little")
    sums.durations = int.from_bytes(packed[4:], "little") << (low * 32)
    if tokens:
        sums.tokens = {
            (model, provider): Tokens(*figures)
            for model, provider, *figures in orjson.loads(tokens)
        }
    return sums


def _write(conn: sqlite3.Connection, found: Mapping[Cell, Sums]) -> None:
    conn.executemany(
        "INSERT OR REPLACE INTO hourly VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*cell, *_packed(sums)) for cell, sums in found.items()],
    )


def _packed(sums: Sums) -> tuple[Any, ...]:
    durations = sums.durations
    low = ((durations & -durations).bit_length() - 1) // 32 if durations else 0
    durations >>= low * 32
    packed = low.to_bytes(4, "little") + durations.to_bytes(
        -(-durations.bit_length() // 8), "little"
    )
    tokens = [[*model, *each] for model, each in sums.tokens.items()]
    text = orjson.dumps(tokens).decode() if tokens else None
    return sums.calls, sums.errors, packed, sums.slowest, sums.slowest_id, text


def summed(conn: sqlite3.Connection) -> int:
    """Return the number of the last row that is in the sums."""
    return _number(conn, "SELECT upto FROM hourly_held")


def left(conn: sqlite3.Connection) -> int:
    """Return how many rows are not in the sums."""
    return _number(conn, f"SELECT {_LAST} - upto FROM hourly_held")


def stale(conn: sqlite3.Connection) -> list[int]:
    """Return the hours whose sums do not hold any more."""
    return [hour for (hour,) in conn.execute("SELECT hour FROM hourly_stale")]


def _number(conn: sqlite3.Connection, sql: str) -> int:
    (found,) = conn.execute(sql).fetchone()
    return int(found)


def exists(conn: sqlite3.Connection) -> bool:
    """Return whether the tables and triggers are there."""
    names = "('hourly', 'hourly_held', 'hourly_stale', 'hourly_update', 'hourly_delete')"
    return _number(conn, f"SELECT count(*) FROM sqlite_master WHERE name IN {names}") == 5
