"""Writes to the SQLite store, within the transaction of the given connection."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Final

import orjson

from .._record.fold import fold_updates
from .._record.merge import apply, merge
from .._record.record import Record, Update
from ._reading import get

__all__ = ["apply_or_keep", "insert_new", "insert_or_merge", "waiting"]

_RARE: Final = ("config", "metrics", "feedback", "user_properties")
"""Columns that are rarely filled; a statement without them costs a fifth less."""
_USUAL: Final = tuple(name for name in Record._fields if name not in _RARE)
_FIRST_JSON: Final = 13
_FEW: Final = 32
"""Number of rows of a statement with all columns, for rows with a rare column and the rows after
them."""
_MOST: Final = 256 if sqlite3.sqlite_version_info >= (3, 32) else 32
"""Number of rows of a statement without rare columns. Each statement releases the GIL, and getting
it back takes milliseconds beside busy threads, so statements should be large. But SQLite before
3.32 accepts at most 999 values (https://sqlite.org/limits.html)."""
_MOST_BYTES: Final = 1_000_000
"""Approximate size of the values in one statement, because they are copied while holding the
GIL."""


@cache
def _insert(names: tuple[str, ...], rows: int) -> str:
    values = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    # With OR FAIL and no SQL function, SQLite keeps no copies of changed pages to undo the
    # statement.
    return f"INSERT OR FAIL INTO events ({', '.join(names)}) VALUES {values}"


_INSERT: Final = _insert(Record._fields, 1)
_REPLACE: Final = (
    f"UPDATE events SET ({', '.join(Record._fields)}) = ({', '.join('?' * len(Record._fields))})"
    " WHERE event_id = ?"
)


def insert_new(conn: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Add records, fast. Raises `sqlite3.IntegrityError` if an id is known."""
    at = 0
    while at < len(records):
        names, values = _USUAL, usual_values(records, at, _MOST, _MOST_BYTES)
        if not values:
            some = records[at : at + _FEW]
            names, values = Record._fields, list(chain.from_iterable(map(_row, some)))
        # Powers of two need only a few prepared statements.
        rows = 1 << (len(values) // len(names)).bit_length() - 1
        del values[rows * len(names) :]
        conn.execute(_insert(names, rows), values)
        at += rows
    _apply_pending(conn, records)


def insert_or_merge(conn: sqlite3.Connection, record: Record) -> None:
    """Add a record, or merge it into the one of its id."""
    known = get(conn, record.event_id)
    if known is None:
        conn.execute(_INSERT, _row(record))
    else:
        _replace(conn, known, merge(known, record))
    _apply_pending(conn, [record])


def apply_or_keep(conn: sqlite3.Connection, updates: Sequence[Update]) -> None:
    """Change the records of these ids, or keep the updates until those arrive."""
    by_id: dict[str, list[Update]] = {}
    for update in updates:
        by_id.setdefault(update.event_id, []).append(update)
    for event_id, some in by_id.items():
        record = get(conn, event_id)
        update = fold_updates(some)
        if record is None:
            _keep(conn, update)
        else:
            _replace(conn, record, apply(record, update))


def _row(record: Record) -> tuple[object, ...]:
    """Return the values of a record; JSON is text in the store."""
    parts = [None if part is None else part.decode() for part in record[_FIRST_JSON:]]
    return (*record[:_FIRST_JSON], *parts)


def usual_values(records: Sequence[Record], at: int, most: int, most_bytes: int) -> list[object]:
    """Return the values of the records from `at` on that have no rare column and fit one
    statement."""
    values: list[object] = []
    for record in records[at : at + most]:
        *first, children, config, inputs, outputs, metrics, feedback, metadata, user = record
        if most_bytes < 0 or not config is metrics is feedback is user is None:
            break
        values += first
        for part in (children, inputs, outputs, metadata):
            values.append(None if part is None else part.decode())
            most_bytes -= len(part or b"")
    return values


def _replace(conn: sqlite3.Connection, old: Record, new: Record) -> None:
    # A redelivery changes nothing, so nothing is written.
    if new != old:
        conn.execute(_REPLACE, (*_row(new), old.event_id))


def _keep(conn: sqlite3.Connection, update: Update) -> None:
    """Keep an update until its session arrives, through any process."""
    fields = orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
    conn.execute(
        "INSERT INTO pending_updates (event_id, fields, received) VALUES (?, ?, ?)",
        (update.event_id, fields, time.time() * 1000),
    )


def _kept(event_id: str, fields: str) -> Update:
    return Update(event_id, {name: text.encode() for name, text in orjson.loads(fields).items()})


def waiting(conn: sqlite3.Connection, session_ids: Iterable[str]) -> list[Update]:
    """Return the updates that wait for these sessions, one for each session."""
    if conn.execute("SELECT 1 FROM pending_updates LIMIT 1").fetchone() is None:
        return []
    found = []
    for event_id in dict.fromkeys(session_ids):
        kept = conn.execute(
            "SELECT fields FROM pending_updates WHERE event_id = ? ORDER BY id", (event_id,)
        ).fetchall()
        if kept:
            found.append(fold_updates([_kept(event_id, fields) for (fields,) in kept]))
    return found


def _apply_pending(conn: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Apply the updates that arrived before these records."""
    for update in waiting(conn, (record.event_id for record in records)):
        known = get(conn, update.event_id)
        if known is not None:
            _replace(conn, known, apply(known, update))
            conn.execute("DELETE FROM pending_updates WHERE event_id = ?", (update.event_id,))
