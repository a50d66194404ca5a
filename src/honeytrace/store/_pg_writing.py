"""Writes to PostgreSQL, within the transaction of the given connection.

`insert` takes the tenant's advisory lock in shared mode, and an update of an unknown session takes
it exclusively. So an update is either kept before its session is inserted, or finds the session.
Rows are inserted and locked in order of their ids, so that writers of the same ids queue instead of
deadlocking.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg

from .._record.fold import fold_updates
from .._record.merge import apply, merge_batch
from .._record.record import Record, Update
from ._derived import numbers_of
from ._pg_rows import COLUMNS, SELECTED, quoted, record_of, row_of, unquoted

__all__ = ["delete_some", "forget_updates", "insert", "lock", "unknown", "update", "waiting"]

Conn = psycopg.Connection[Any]

_CASTS = {
    "start_time": "float8",
    "end_time": "int8",
    "duration": "float8",
    "slot": "int2",
}
_JSON = (*Record._fields[13:],)
_FINAL = dict.fromkeys(_JSON, "::json") | {
    "users": "::text[]",
    "numbers": "::jsonb",
    "tokens": "::float8[]",
    "words": "::tsvector",
}
_TRANSACTION = "pg_current_xact_id()::text::bigint << 24"
_INSERT = f"""
    INSERT INTO sessions (tenant, {", ".join(COLUMNS)}, place, changed)
    SELECT %s, {", ".join(f"{name}{_FINAL.get(name, '')}" for name in COLUMNS)},
        ({_TRANSACTION}) | at, coalesce(({_TRANSACTION}) | changed_at, 0)
    FROM unnest({", ".join(f"%s::{_CASTS.get(name, 'text')}[]" for name in COLUMNS)},
        %s::int8[], %s::int8[]) AS batch ({", ".join(COLUMNS)}, at, changed_at)
    ORDER BY event_id COLLATE "C"
    ON CONFLICT (tenant, event_id) DO NOTHING RETURNING event_id
"""
_UPDATE = f"""
    UPDATE sessions SET ({", ".join(COLUMNS)}, changed)
        = ({", ".join(f"%s{_FINAL.get(name, '')}" for name in COLUMNS)},
           ({_TRANSACTION}) | %s::int8)
    WHERE tenant = %s AND event_id = %s
"""

_KEPT = "number, event_id, fields::text"
_OF_THESE = "tenant = %s AND event_id = ANY(%s)"


def lock(conn: Conn, tenant: str, *, alone: bool) -> None:
    """Take the tenant's lock until the end of the transaction."""
    how = "" if alone else "_shared"
    sql = f"SELECT pg_advisory_xact_lock{how}(hashtextextended(current_schema() || ' ' || %s, 0))"
    conn.execute(sql, (tenant,))


def insert(conn: Conn, tenant: str, records: Sequence[Record]) -> None:
    """Add records, or merge them into those of their ids; the caller holds the lock."""
    by_id: dict[str, list[tuple[int, Record]]] = {}
    for at, record in enumerate(records):
        by_id.setdefault(record.event_id, []).append((at, record))
    waiting = _take_waiting(conn, tenant, list(by_id))
    fresh = {i: merge_batch(None, some, waiting.get(i)) for i, some in by_id.items()}
    inserted = _insert(conn, tenant, fresh)
    known = [event_id for event_id in by_id if event_id not in inserted]
    if known:
        changes = {
            event_id: (old, *merge_batch(old, by_id[event_id], waiting.get(event_id)))
            for event_id, old in _locked(conn, tenant, known).items()
        }
        _replace(conn, tenant, changes)


Placed = tuple[Record, "int | None"]
"""A record, and the position in the batch of its latest change; None if it is unchanged."""


def unknown(conn: Conn, tenant: str, updates: Sequence[Update]) -> bool:
    """Return whether any of these updates has an unknown session."""
    ids = {update.event_id for update in updates}
    sql = "SELECT count(*) FROM sessions WHERE tenant = %s AND event_id = ANY(%s)"
    row = conn.execute(sql, (tenant, list(map(quoted, ids)))).fetchone()
    return row is None or row[0] < len(ids)


def update(conn: Conn, tenant: str, updates: Sequence[Update], *, alone: bool) -> bool:
    """Apply updates, and keep those of unknown sessions; `alone`: the lock is held exclusively.

    Returns False, with nothing done, if the lock turns out to be needed.
    """
    by_id: dict[str, list[Update]] = {}
    for each in updates:
        by_id.setdefault(each.event_id, []).append(each)
    folded = {event_id: fold_updates(some) for event_id, some in by_id.items()}
    known = _locked(conn, tenant, list(folded))
    kept = [each for event_id, each in folded.items() if event_id not in known]
    if kept and not alone:
        return False
    at = {event_id: number for number, event_id in enumerate(folded)}
    _replace(conn, tenant, {i: (old, apply(old, folded[i]), at[i]) for i, old in known.items()})
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO pending_updates (tenant, event_id, fields, received)"
            " VALUES (%s, %s, %s::json, %s)",
            [(tenant, quoted(u.event_id), _fields(u), time.time() * 1000) for u in kept],
        )
    return True


def waiting(conn: Conn, tenant: str, ids: Sequence[str]) -> list[Update]:
    """Return the updates that wait for these sessions, one for each session."""
    sql = f"SELECT {_KEPT} FROM pending_updates WHERE {_OF_THESE}"
    found = _folded(conn.execute(sql, (tenant, list(map(quoted, ids)))).fetchall())
    return [found[each] for each in dict.fromkeys(ids) if each in found]


def delete_some(conn: Conn, tenant: str, before: float, most: int) -> int:
    """Delete at most so many sessions that started before this time, with their metrics; return the
    number."""
    found = conn.execute(
        "DELETE FROM sessions WHERE tenant = %s AND event_id IN (SELECT event_id FROM sessions"
        " WHERE tenant = %s AND start_time < %s ORDER BY start_time LIMIT %s) RETURNING event_id",
        (tenant, tenant, before, most),
    ).fetchall()
    ids = [row[0] for row in found]
    conn.execute("DELETE FROM metrics WHERE tenant = %s AND event_id = ANY(%s)", (tenant, ids))
    return len(ids)


def forget_updates(conn: Conn, tenant: str, before: float) -> None:
    """Delete waiting updates that were received before this time."""
    sql = "DELETE FROM pending_updates WHERE tenant = %s AND received < %s"
    conn.execute(sql, (tenant, before))


def _insert(conn: Conn, tenant: str, new: dict[str, Placed]) -> set[str]:
    """Insert the records with unknown ids; return those ids."""
    rows = [row_of(record) for record, _ in new.values()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    changed = [at for _, at in new.values()]
    found = conn.execute(_INSERT, [tenant, *columns, list(range(len(rows))), changed]).fetchall()
    inserted = {unquoted(row[0]) for row in found}
    _add_metrics(conn, tenant, [new[event_id][0] for event_id in inserted])
    return inserted


def _locked(conn: Conn, tenant: str, ids: list[str]) -> dict[str, Record]:
    """Return the records of these ids, locked until the transaction ends."""
    sql = (
        f"SELECT {SELECTED} FROM sessions WHERE tenant = %s AND event_id = ANY(%s)"
        " ORDER BY event_id FOR UPDATE"
    )
    rows = conn.execute(sql, (tenant, list(map(quoted, ids)))).fetchall()
    return {record.event_id: record for record in map(record_of, rows)}


def _replace(
    conn: Conn, tenant: str, changes: dict[str, tuple[Record, Record, int | None]]
) -> None:
    """Replace the first record of each pair by the second if they differ, at these places."""
    differing = {i: new for i, (old, new, _) in changes.items() if new != old}
    if not differing:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            _UPDATE,
            [
                [*row_of(new), changes[event_id][2] or 0, tenant, quoted(event_id)]
                for event_id, new in differing.items()
            ],
        )
    moved = [i for i, new in differing.items() if numbers_of(changes[i][0]) != numbers_of(new)]
    if moved:
        sql = "DELETE FROM metrics WHERE tenant = %s AND event_id = ANY(%s)"
        conn.execute(sql, (tenant, list(map(quoted, moved))))
        _add_metrics(conn, tenant, [differing[event_id] for event_id in moved])


def _add_metrics(conn: Conn, tenant: str, records: Sequence[Record]) -> None:
    found = [
        (quoted(name), value, quoted(record.event_id))
        for record in records
        for name, value in numbers_of(record).items()
    ]
    if found:
        conn.execute(
            "INSERT INTO metrics (tenant, name, value, event_id)"
            " SELECT %s, * FROM unnest(%s::text[], %s::float8[], %s::text[])",
            [tenant, *(list(column) for column in zip(*found, strict=True))],
        )


def _take_waiting(conn: Conn, tenant: str, ids: list[str]) -> dict[str, Update]:
    """Return the updates that wait for these sessions, folded, and forget them."""
    if conn.execute("SELECT 1 FROM pending_updates LIMIT 1").fetchone() is None:
        return {}
    sql = f"DELETE FROM pending_updates WHERE {_OF_THESE} RETURNING {_KEPT}"
    return _folded(conn.execute(sql, (tenant, list(map(quoted, ids)))).fetchall())


def _folded(rows: Sequence[Any]) -> dict[str, Update]:
    """Return one update for each session of these rows with the columns `_KEPT`."""
    waiting: dict[str, list[Update]] = {}
    for _, quoted_id, fields in sorted(rows):
        event_id = unquoted(quoted_id)
        decoded = {name: text.encode() for name, text in orjson.loads(fields).items()}
        waiting.setdefault(event_id, []).append(Update(event_id, decoded))
    return {event_id: fold_updates(some) for event_id, some in waiting.items()}


def _fields(update: Update) -> str:
    return orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
