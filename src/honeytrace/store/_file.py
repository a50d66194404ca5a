"""The file of the embedded store: two connections, transactions, and indexes brought up to date.

One connection writes and one reads, each behind a lock, so that a reader never waits for the flush
thread. Writes are explicit `BEGIN IMMEDIATE` transactions. With `synchronous=NORMAL`, data survives
a crash of the process at any point. A crash of the machine may lose the last transactions, but
never damages the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from ..errors import StoreError
from . import _fulltext, _json_index
from ._causes import store_error
from ._connection import Connection, absolute, open_readonly, open_writable
from ._query import Query

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TURN", "Index", "StoreFile"]

_UNSUITABLE = (ValueError, TypeError, AttributeError, OverflowError)
"""Errors of a value of the wrong type; merging raises one of these at every attempt."""

TURN = 0.005
"""Seconds that long work pauses after each of its transactions."""


class Index(Protocol):
    """An index that is derived from the rows and brought up to date on demand."""

    def is_behind(self, conn: sqlite3.Connection) -> bool: ...
    def catch_up(self, conn: sqlite3.Connection) -> None: ...


class StoreFile:
    """The file at `path`, created with its directory if missing; see `SQLiteStore`."""

    def __init__(
        self, path: str | os.PathLike[str], *, readonly: bool = False, busy_timeout: float = 5.0
    ) -> None:
        self.where = absolute(path)
        self.readonly = readonly
        self._busy_timeout = busy_timeout
        self._closed = False
        self._followed: int | None = None
        """The file that `arrived` was last asked about, by its number."""
        self._indexing = threading.Lock()
        self._writer, self._reader = (Connection(self.where, self._open) for _ in range(2))
        with self._connection(self._writer):
            pass

    @property
    def path(self) -> Path:
        from pathlib import Path  # 4 ms that opening a store does not need

        return Path(self.where)

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
        return opener(self.where, self._busy_timeout)

    @contextmanager
    def _connection(self, connection: Connection) -> Iterator[sqlite3.Connection]:
        """Yield the open connection for exclusive use; SQLite's errors become `StoreError`."""
        try:
            with connection.lock:
                if self._closed:
                    raise StoreError(f"the store {self.where} is closed")
                yield connection.get()
        except (sqlite3.Error, OSError, *_UNSUITABLE) as error:
            if type(error) is sqlite3.DatabaseError:  # damaged: an open file would stay locked
                self._writer.let_go()
                self._reader.let_go()
            raise store_error(error, self.where) from error

    @contextmanager
    def _reading(self, query: Query) -> Iterator[sqlite3.Connection]:
        """Yield a connection for a query, after bringing its indexes up to date."""
        wanted: list[Index] = [_fulltext] if query.text is not None else []
        if query.user is not None or query.metric is not None:
            wanted.append(_json_index)
        # Do not wait for another thread that is indexing already.
        if wanted and self._indexing.acquire(blocking=False):
            try:
                # Rows that a busy store or full disk keeps out of the index are found without it.
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
                # SQLite rolls back by itself when the disk is full.
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
