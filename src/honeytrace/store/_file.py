"""The file of the embedded store: two connections, transactions, and indexes brought up to date.

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ..errors import StoreError
from . import _fulltext, _json_index
from ._causes import store_error
from ._connection import Connection, open_readonly, open_writable
from ._query import Query

__all__ = ["TURN", "Index", "StoreFile"]

_UNSUITABLE = (ValueError, TypeError, AttributeError, OverflowError)
"""A value of the wrong kind raises one of these when it is merged, at every try."""

TURN = 0.005
"""Seconds that long work stays away from the store after each of its transactions."""


class Index(Protocol):
    """An index that is derived from the rows and caught up when it is asked for."""

    def is_behind(self, conn: sqlite3.Connection) -> bool: ...
    def catch_up(self, conn: sqlite3.Connection) -> None: ...


class StoreFile:
    """The file at `path`, created with its directory when missing; see `SQLiteStore`."""

    def __init__(
        self, path: str | os.PathLike[str], *, readonly: bool = False, busy_timeout: float = 5.0
    ) -> None:
        self.path = Path(path).absolute()
        self.where = str(self.path)
        self.readonly = readonly
        self._busy_timeout = busy_timeout
        self._closed = False
        self._indexing = threading.Lock()
        self._writer, self._reader = (Connection(self.path, self._open) for _ in range(2))
        with self._connection(self._writer):
            pass

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
            time.sleep(TURN)

    def _is_behind(self, index: Index) -> bool:
        with self._connection(self._reader) as conn:
            return index.is_behind(conn)

    def _open(self) -> sqlite3.Connection:
        opener = open_readonly if self.readonly else open_writable
        return opener(self.path, self._busy_timeout)

    @contextmanager
    def _connection(self, connection: Connection) -> Iterator[sqlite3.Connection]:
        """Yield the open connection, alone with it; errors of SQLite leave as a `StoreError`."""
        try:
            with connection.lock:
                if self._closed:
                    raise StoreError(f"the store {self.path} is closed")
                yield connection.get()
        except (sqlite3.Error, OSError, *_UNSUITABLE) as error:
            raise store_error(error, self.path) from error

    @contextmanager
    def _reading(self, query: Query) -> Iterator[sqlite3.Connection]:
        """Yield a connection to answer a query with, after its indexes were brought up to date."""
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
