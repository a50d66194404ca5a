"""What goes into the SQLite store, within the transaction of the connection that is given."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Final

import orjson

from .._compiled import native
from .._record import Record, Update, apply, merge
from ._reading import JSON, get

__all__ = ["apply_or_keep", "insert_new", "insert_or_merge"]

_RARE: Final = ("config", "metrics", "feedback", "user_properties")
"""What few records have: a statement without these costs a fifth less."""
_USUAL: Final = [name for name in Record._fields if name not in _RARE]
_FIRST_JSON: Final = 13
_ROWS: Final = 40
"""Rows of one statement. It lets go of the GIL once, which costs milliseconds beside busy threads,
in which the store stays locked. Old builds of SQLite take 999 values."""


def _values(names: Sequence[str]) -> str:
    # the sqlite3 module looks for an adapter for every None and bytes it binds, at 0.2 us each:
    # JSON parts are bound as str, and an absent one as the empty string, which no JSON is
    return ", ".join("NULLIF(?, '')" if name in JSON else "?" for name in names)


def _insert(names: Sequence[str], rows: int) -> str:
    values = ", ".join([f"({_values(names)})"] * rows)
    return f"INSERT INTO events ({', '.join(names)}) VALUES {values}"


_INSERT: Final = _insert(Record._fields, 1)
_INSERT_ROWS: Final = _insert(Record._fields, _ROWS)
_usual_insert = lru_cache(_ROWS)(partial(_insert, _USUAL))
_REPLACE: Final = (
    f"UPDATE events SET ({', '.join(Record._fields)}) = ({_values(Record._fields)})"
    " WHERE event_id = ?"
)


def insert_new(conn: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Add records, fast. Raises `sqlite3.IntegrityError` when an id is known."""
    for at in range(0, len(records), _ROWS):
        some = records[at : at + _ROWS]
        values = usual_values(some)
        if values is not None:
            conn.execute(_usual_insert(len(some)), values)
        elif len(some) == _ROWS:
            conn.execute(_INSERT_ROWS, tuple(chain.from_iterable(map(_row, some))))
        else:
            conn.executemany(_INSERT, map(_row, some))
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


def usual_values(records: Sequence[Record]) -> list[object] | None:
    """The values of many without what is rare; None where one of them has something of that."""
    values: list[object] = []
    for record in records:
        *first, children, config, inputs, outputs, metrics, feedback, metadata, user = record
        if not config is metrics is feedback is user is None:
            return None
        values += first
        for part in (children, inputs, outputs, metadata):
            values.append("" if part is None else part.decode())
    return values


if native is not None:
    usual_values = native.usual_values


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
