"""What goes into the SQLite store, within the transaction of the connection that is given."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from itertools import chain
from typing import Final

import orjson

from .._record import Record, Update, apply, merge
from ._reading import JSON, get

__all__ = ["apply_or_keep", "insert_new", "insert_or_merge"]

_COLUMNS = ", ".join(Record._fields)
# the sqlite3 module looks for an adapter for every None and bytes it binds, at 0.2 us each: JSON
# parts are bound as str, and an absent one as the empty string, which no JSON is
_VALUES = ", ".join("NULLIF(?, '')" if name in JSON else "?" for name in Record._fields)
_FIRST_JSON: Final = 13
_INSERT = f"INSERT INTO events ({_COLUMNS}) VALUES ({_VALUES})"
_ROWS: Final = 40
"""Rows of one statement. It lets go of the GIL once, which costs milliseconds beside busy threads,
in which the store stays locked. Old builds of SQLite take 999 values."""
_INSERT_ROWS = f"INSERT INTO events ({_COLUMNS}) VALUES {', '.join([f'({_VALUES})'] * _ROWS)}"
_REPLACE = f"UPDATE events SET ({_COLUMNS}) = ({_VALUES}) WHERE event_id = ?"


def insert_new(conn: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Add records, fast. Raises `sqlite3.IntegrityError` when an id is known."""
    rows = list(map(_row, records))
    many = len(rows) // _ROWS * _ROWS
    for at in range(0, many, _ROWS):
        conn.execute(_INSERT_ROWS, tuple(chain.from_iterable(rows[at : at + _ROWS])))
    conn.executemany(_INSERT, rows[many:])
    _apply_pending(conn, records)


def insert_or_merge(conn: sqlite3.Connection, record: Record) -> None:
    """Add a record, or merge it into the one of its id."""
    known = get(conn, record.event_id)
    if known is None:
        conn.execute(_INSERT, _row(record))
    else:
        _replace(conn, known, merge(known, record))
    _apply_pending(conn, [record])


def apply_or_keep(conn: sqlite3.Connection, update: Update) -> None:
    """Change the record of this id, or keep the update until that arrives."""
    record = get(conn, update.event_id)
    if record is None:
        _keep(conn, update)
    else:
        _replace(conn, record, apply(record, update))


def _row(record: Record) -> tuple[object, ...]:
    """The values of a record, for `_VALUES`."""
    parts = ["" if part is None else part.decode() for part in record[_FIRST_JSON:]]
    return (*record[:_FIRST_JSON], *parts)


def _replace(conn: sqlite3.Connection, old: Record, new: Record) -> None:
    # a redelivery changes nothing: then nothing is written
    if new != old:
        conn.execute(_REPLACE, (*_row(new), old.event_id))


def _keep(conn: sqlite3.Connection, update: Update) -> None:
    """Keep an update until its session arrives, through whichever process."""
    fields = orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
    conn.execute(
        "INSERT INTO pending_updates (event_id, fields, received) VALUES (?, ?, ?)",
        (update.event_id, fields, time.time() * 1000),
    )


def _apply_pending(conn: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Give records that just arrived the updates that came before them."""
    if conn.execute("SELECT 1 FROM pending_updates LIMIT 1").fetchone() is None:
        return
    for event_id, *_ in records:
        kept = conn.execute(
            "SELECT fields FROM pending_updates WHERE event_id = ? ORDER BY id", (event_id,)
        ).fetchall()
        known = get(conn, event_id) if kept else None
        if known is None:
            continue
        updated = known
        for (fields,) in kept:
            decoded = {name: text.encode() for name, text in orjson.loads(fields).items()}
            updated = apply(updated, Update(event_id, decoded))
        _replace(conn, known, updated)
        conn.execute("DELETE FROM pending_updates WHERE event_id = ?", (event_id,))
