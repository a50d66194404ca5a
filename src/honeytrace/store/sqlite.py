"""The embedded store: one SQLite file in WAL mode, shared by any number of threads and processes.

Two connections, each behind a lock: one writes, one reads, so that a reader never waits for the
flush thread. Writes are explicit `BEGIN IMMEDIATE` transactions. `synchronous=NORMAL` survives the
death of the process at any point; the death of the machine may cost the last transactions, never
the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from .._record.record import Record, Update
from ..errors import StoreError
from . import (
    NEWEST,
    Arrivals,
    Field,
    NameSummary,
    Outline,
    Overview,
    Query,
    StoreSize,
    _changefeed,
    _fulltext,
    _json_index,
    _reading,
    _statistics,
    _writing,
    _zone_map,
)
from ._causes import store_error
from ._connection import Connection, identity, open_readonly, open_writable, set_aside
from .errors import StoreDamagedError, StoreFullError

__all__ = ["SQLiteStore"]

_DELETE_CHUNK = 1000
"""Rows a transaction deletes, so that writers get their turn in between."""

_UNSUITABLE = (ValueError, TypeError, AttributeError, OverflowError)
"""What a value of the wrong kind ends in, here or in merging: it would do so at every try."""

_TURN = 0.005
"""Seconds that long work stays away from the store after each of its transactions."""


class Index(Protocol):
    """What is derived from the rows and caught up when it is asked for."""

    def is_behind(self, conn: sqlite3.Connection) -> bool: ...
    def catch_up(self, conn: sqlite3.Connection) -> None: ...


class SQLiteStore:
    """A `Store` in the SQLite file at `path`, created with its directory when missing.

    `readonly` never creates or changes a store. `busy_timeout` is how many seconds a call waits for
    other writers before it raises `StoreBusyError`. Raises `StoreError` when the file cannot be
    used, `StoreDamagedError` when it is a store and corrupt.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, readonly: bool = False, busy_timeout: float = 5.0
    ) -> None:
        self.path = Path(path).absolute()
        self.readonly = readonly
        self._busy_timeout = busy_timeout
        self._closed = False
        self._indexing = threading.Lock()
        self._writer, self._reader = (Connection(self.path, self._open) for _ in range(2))
        with self._connection(self._writer):
            pass

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> tuple[SQLiteStore, str | None]:
        """The store at `path`; a damaged one is moved aside first, and the text says where to."""
        path = Path(path).absolute()
        found = identity(path)
        try:
            return cls(path), None
        except StoreDamagedError as damage:
            # else another process has just done so, and this is its new store
            moved = set_aside(path) if identity(path) == found else "another name"
            return cls(path), f"{damage}; it was kept as {moved} and a new store was started"

    def insert(self, records: Sequence[Record]) -> None:
        """Add a batch in one transaction; a record whose id is known is merged.

        Raises `RecordRefusedError` when a value cannot be stored, else `StoreBusyError` or
        `StoreError`; then nothing of the batch is stored.
        """
        with self._transaction() as conn:
            try:
                _writing.insert_new(conn, records)
            except sqlite3.IntegrityError:
                # not a savepoint, for which SQLite would keep a copy of every page it changes
                conn.execute("ROLLBACK")
                conn.execute("BEGIN IMMEDIATE")
                for record in records:
                    _writing.insert_or_merge(conn, record)

    def update(self, updates: Sequence[Update]) -> None:
        """Apply updates in order, in one transaction; those of unknown sessions are kept for them.

        Raises as `insert` does.
        """
        with self._transaction() as conn:
            _writing.apply_or_keep(conn, updates)

    def get(self, session_id: str) -> Record | None:
        with self._connection(self._reader) as conn:
            return _reading.get(conn, session_id)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        """The records of these ids that exist, in the order asked for."""
        with self._connection(self._reader) as conn:
            found = (_reading.get(conn, session_id) for session_id in session_ids)
            return [record for record in found if record is not None]

    def list(self, query: Query) -> Sequence[Record]:
        """The newest sessions that meet every condition, at most `query.limit`."""
        with self._reading(query) as conn:
            return _reading.listed(conn, query)

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        with self._connection(self._reader) as conn:
            return _reading.find_ids(conn, prefix, limit)

    def outline(self, root_id: str) -> Sequence[Outline]:
        with self._connection(self._reader) as conn:
            return _reading.outline(conn, root_id)

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        with self._connection(self._reader) as conn:
            return _reading.arrived(conn, after, limit)

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        with suppress(StoreError):  # a store that cannot be written can still be read
            self._catch_up(_changefeed)
        with self._connection(self._reader) as conn:
            return _reading.changed(conn, after, limit)

    def values(self, field: Field) -> Sequence[str]:
        with self._connection(self._reader) as conn:
            return _reading.values(conn, field)

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        return _statistics.summarised(self._figures(query, newest), self._id_of)

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        found = self._figures(query, newest)
        over_time = _statistics.bucketed(found, query, buckets, cut=len(found) == newest)
        return Overview(over_time, _statistics.summarised(found, self._id_of) if names else [])

    def count(self, query: Query) -> int:
        with self._reading(query) as conn:
            return _reading.count(conn, query)

    def index(self) -> None:
        """Bring what finds sessions up to date: half a minute for the first million rows.

        A query does so with what finds texts, users and metrics; a server does it all ahead, in a
        thread. Others write in between, and queries take the indexes as they are. Raises
        StoreError.
        """
        with self._indexing:
            for index in (_json_index, _zone_map, _fulltext):
                self._catch_up(index)

    def delete(self, *, before: float) -> int:
        """Delete what started before this time (epoch milliseconds); returns how many.

        In small transactions, between which others write; the file shrinks with it. On a full disk
        the transactions become smaller still, and use the room of the write-ahead log. Raises
        StoreFullError where not even one session can be deleted.
        """
        deleted, most = 0, _DELETE_CHUNK
        with suppress(StoreFullError), self._transaction() as conn:
            conn.execute("DELETE FROM pending_updates WHERE received < ?", (before,))
        while True:
            try:
                count = self._delete_some(before, most)
            except StoreFullError as error:
                self._make_room()
                if most == 1:
                    raise self._stuck(error) from error
                most = max(1, most // 8)
                continue
            deleted += count
            with suppress(StoreFullError), self._connection(self._writer) as conn:
                # as a script, since `execute` stops after the first freed page
                conn.executescript("PRAGMA incremental_vacuum")
            if count < most:
                return deleted
            time.sleep(_TURN)

    def _delete_some(self, before: float, most: int) -> int:
        with self._transaction() as conn:
            return conn.execute(
                "DELETE FROM events WHERE id IN"
                " (SELECT id FROM events WHERE start_time < ? ORDER BY start_time LIMIT ?)",
                (before, most),
            ).rowcount

    def _stuck(self, error: StoreFullError) -> StoreFullError:
        """Return an error that says how much room deleting needs."""
        needed = os.path.getsize(f"{self.path}-wal") if os.path.exists(f"{self.path}-wal") else 0
        return StoreFullError(
            f"the disk is full, and there is no room to delete sessions from {self.path} either:"
            f" free {needed // 1_000_000 + 1} MB by other means, then delete ({error.__cause__})"
        )

    def _make_room(self) -> None:
        """Let the write-ahead log begin anew in the room that it has on the disk."""
        with suppress(StoreError), self._connection(self._writer) as conn:
            conn.execute("PRAGMA wal_checkpoint(RESTART)")

    def size(self) -> StoreSize:
        with self._connection(self._reader) as conn:
            (sessions,) = conn.execute("SELECT count(*) FROM events").fetchone()
        files = (self.path, Path(f"{self.path}-wal"))
        return StoreSize(sessions, sum(file.stat().st_size for file in files if file.exists()))

    def close(self) -> None:
        """Close the connections; later calls raise `StoreError`. Closing twice is fine."""
        self._closed = True
        self._writer.close()
        self._reader.close()

    def _catch_up(self, index: Index) -> None:
        """Bring an index up to date. Raises StoreError."""
        while not self.readonly and self._is_behind(index):
            with self._transaction() as conn:
                index.catch_up(conn)
            time.sleep(_TURN)

    def _is_behind(self, index: Index) -> bool:
        with self._connection(self._reader) as conn:
            return index.is_behind(conn)

    def _figures(self, query: Query, newest: int) -> Sequence[_statistics.Figure]:
        # others may read while these are counted
        with self._reading(query) as conn:
            return _reading.figures(conn, query, newest)

    def _id_of(self, row: int) -> str | None:
        with self._connection(self._reader) as conn:
            return _reading.id_of(conn, row)

    def _open(self) -> sqlite3.Connection:
        opener = open_readonly if self.readonly else open_writable
        return opener(self.path, self._busy_timeout)

    @contextmanager
    def _connection(self, connection: Connection) -> Iterator[sqlite3.Connection]:
        """The open connection, alone with it; what SQLite raises leaves as a `StoreError`."""
        try:
            with connection.lock:
                if self._closed:
                    raise StoreError(f"the store {self.path} is closed")
                yield connection.get()
        except (sqlite3.Error, OSError, *_UNSUITABLE) as error:
            raise store_error(error, self.path) from error

    @contextmanager
    def _reading(self, query: Query) -> Iterator[sqlite3.Connection]:
        """A connection to answer a query with, after what it needs was brought up to date."""
        wanted: list[Index] = [_fulltext] if query.text is not None else []
        if query.user is not None or query.metric is not None:
            wanted.append(_json_index)
        # what another thread is at is not waited for
        if wanted and self._indexing.acquire(blocking=False):
            try:
                # what a busy store or a full disk leaves out is found without an index
                with suppress(StoreError):
                    for index in wanted:
                        self._catch_up(index)
            finally:
                self._indexing.release()
        with self._connection(self._reader) as conn:
            yield conn

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection(self._writer) as conn:
            conn.execute("BEGIN IMMEDIATE")
            try:
                yield conn
                conn.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself when the disk is full
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
