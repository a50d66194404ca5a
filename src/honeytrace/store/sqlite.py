"""The embedded store: one SQLite file in WAL mode that any number of processes share."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .._record.record import Record, Update
from ..errors import StoreError
from . import (
    _changefeed,
    _fulltext,
    _hourly,
    _hourly_reading,
    _json_index,
    _reading,
    _statistics,
    _writing,
    _zone_map,
)
from ._connection import absolute, identity, set_aside
from ._file import TURN, StoreFile
from ._query import NEWEST, Arrivals, Field, NameSummary, Outline, Overview, Query, StoreSize
from ._tenant import tenant_name
from .errors import StoreDamagedError, StoreFullError
from .migrations import version
from .trends import TOLD, By, Trends, stepped

__all__ = ["SQLiteStore", "tenant_file"]

_DELETE_CHUNK = 1000
"""Number of rows that one transaction deletes, so that writers get their turn in between."""


class SQLiteStore(StoreFile):
    """A `Store` in the SQLite file at `path`, created with its directory if missing.

    `readonly` never creates or changes a store. A call waits `busy_timeout` seconds for other
    writers before it raises `StoreBusyError`. Raises `StoreError` if the file cannot be used,
    `StoreDamagedError` if it is a corrupt store.
    """

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> tuple[SQLiteStore, str | None]:
        """Open the store at `path`; a damaged file is moved aside first, and the returned text
        names its new place."""
        path = absolute(path)
        found = identity(path)
        try:
            return cls(path), None
        except StoreDamagedError as damage:
            # Otherwise another process has just moved the file, and this is its new store.
            moved = set_aside(path) if identity(path) == found else "another name"
            return cls(path), f"{damage}; it was kept as {moved} and a new store was started"

    def insert(self, records: Sequence[Record]) -> None:
        """Add a batch in one transaction; a record whose id is known is merged.

        Raises `RecordRefusedError` if a value cannot be stored, otherwise `StoreBusyError` or
        `StoreError`. After an error nothing of the batch is stored.
        """
        with self._transaction() as conn:
            try:
                _writing.insert_new(conn, records)
            except sqlite3.IntegrityError:
                # Not a savepoint, for which SQLite would keep a copy of every changed page.
                conn.execute("ROLLBACK")
                conn.execute("BEGIN IMMEDIATE")
                for record in records:
                    _writing.insert_or_merge(conn, record)

    def update(self, updates: Sequence[Update]) -> None:
        """Apply updates in order, in one transaction; updates of unknown sessions are kept.

        Raises as `insert` does.
        """
        with self._transaction() as conn:
            _writing.apply_or_keep(conn, updates)

    def waiting(self, session_ids: Sequence[str]) -> Sequence[Update]:
        with self._connection(self._reader) as conn:
            return _writing.waiting(conn, session_ids)

    def get(self, session_id: str) -> Record | None:
        with self._connection(self._reader) as conn:
            return _reading.get(conn, session_id)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        """Return the existing records of these ids, in the given order."""
        with self._connection(self._reader) as conn:
            found = (_reading.get(conn, session_id) for session_id in session_ids)
            return [record for record in found if record is not None]

    def list(self, query: Query) -> Sequence[Record]:
        """Return the newest sessions that match, at most `query.limit`."""
        with self._reading(query) as conn:
            return _reading.listed(conn, query)

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        with self._connection(self._reader) as conn:
            return _reading.trees(conn, root_ids, most)

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        with self._connection(self._reader) as conn:
            return _reading.find_ids(conn, prefix, limit)

    def outline(self, root_id: str) -> Sequence[Outline]:
        with self._connection(self._reader) as conn:
            return _reading.outline(conn, root_id)

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        with self._connection(self._reader) as conn:
            if after is not None:
                replaced = self._followed not in (None, self._reader.files)
                self._followed = self._reader.files
                after = None if replaced else after
            return _reading.arrived(conn, after, limit)

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        with suppress(StoreError):  # A store that cannot be written can still be read.
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

    def trends(self, query: Query, by: By, steps: int) -> Trends | None:
        with suppress(StoreError):  # A store that cannot be written can still be read.
            if self._few_to_add():
                self._catch_up(_hourly)
        with self._connection(self._reader) as conn:
            conn.execute("BEGIN")  # All reads see one state of the store.
            try:
                if not _hourly_reading.can_tell(conn, query, by):
                    return None
                period = _hourly_reading.period(conn, query)
                few = None if steps else TOLD
                cells = _hourly_reading.cells(conn, query, period, by, few)
                found = stepped(cells, period.unit, steps)
            finally:
                conn.execute("COMMIT")
        most = sorted(found.groups.values(), key=lambda sums: sums.calls, reverse=True)
        for sums in most[:TOLD]:
            if isinstance(sums.slowest_id, int):
                sums.slowest_id = self._id_of(sums.slowest_id)
        return found

    def _few_to_add(self) -> bool:
        """Return whether the hourly sums can be brought up to date while a reader waits."""
        with self._connection(self._reader) as conn:
            return _hourly.is_near(conn)

    def count(self, query: Query, most: int | None = None) -> int:
        with self._reading(query) as conn:
            return _reading.count(conn, query, most)

    def longest(self, query: Query) -> Sequence[Record]:
        with self._reading(query) as conn:
            return _reading.longest(conn, query)

    def facets(self, query: Query, newest: int = NEWEST) -> Mapping[Field, Mapping[str, int]]:
        with self._reading(query) as conn:
            return _reading.facets(conn, query, newest)

    def index(self) -> None:
        """Bring the indexes up to date, which takes half a minute for the first million rows.

        A query updates the indexes of texts, users and metrics by itself; a server updates all
        indexes in advance, in a thread. Others can write in between, and queries use the indexes in
        their current state. Raises StoreError.
        """
        with self._indexing:
            for index in (_json_index, _zone_map, _hourly, _fulltext):
                self._catch_up(index)

    def delete(self, *, before: float) -> int:
        """Delete sessions that started before this time (epoch milliseconds); return their number.

        The deletion runs in small transactions, so that others can write in between, and the file
        shrinks. On a full disk the transactions become even smaller and use the space of the
        write-ahead log. Raises StoreFullError if not even one session can be deleted.
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
                # Run as a script, since `execute` stops after the first freed page.
                conn.executescript("PRAGMA incremental_vacuum")
            if count < most:
                return deleted
            time.sleep(TURN)

    def _delete_some(self, before: float, most: int) -> int:
        with self._transaction() as conn:
            return conn.execute(
                "DELETE FROM events WHERE id IN"
                " (SELECT id FROM events WHERE start_time < ? ORDER BY start_time LIMIT ?)",
                (before, most),
            ).rowcount

    def _stuck(self, error: StoreFullError) -> StoreFullError:
        """Return an error that names the space that deleting needs."""
        needed = os.path.getsize(f"{self.where}-wal") if os.path.exists(f"{self.where}-wal") else 0
        return StoreFullError(
            f"the disk is full, and there is no room to delete sessions from {self.where} either:"
            f" free {needed // 1_000_000 + 1} MB by other means, then delete ({error.__cause__})"
        )

    def _make_room(self) -> None:
        """Restart the write-ahead log within its present space on the disk."""
        with suppress(StoreError), self._connection(self._writer) as conn:
            conn.execute("PRAGMA wal_checkpoint(RESTART)")

    def size(self) -> StoreSize:
        with self._connection(self._reader) as conn:
            (sessions,) = conn.execute("SELECT count(*) FROM events").fetchone()
        files = filter(os.path.exists, (self.where, f"{self.where}-wal"))
        return StoreSize(sessions, sum(map(os.path.getsize, files)))

    def ready(self) -> None:
        """Check that the file can be read and, unless `readonly`, that its write lock is
        available."""
        with self._connection(self._reader) as conn:
            version(conn)
        if not self.readonly:
            with self._transaction():
                pass

    def for_tenant(self, tenant: str) -> SQLiteStore:
        """Return the store of another tenant: a file beside this one with its own connections."""
        return SQLiteStore(
            tenant_file(self.where, tenant), readonly=self.readonly, busy_timeout=self._busy_timeout
        )

    def _figures(self, query: Query, newest: int) -> Sequence[_statistics.Figure]:
        # Others may read while the rows are counted.
        with self._reading(query) as conn:
            return _reading.figures(conn, query, newest)

    def _id_of(self, row: int) -> str | None:
        with self._connection(self._reader) as conn:
            return _reading.id_of(conn, row)


def tenant_file(path: str, tenant: str) -> str:
    """Return the file of a tenant beside that of another.

    The default tenant's is `sessions.db`, that of acme is `sessions.tenant-acme.db`.
    """
    directory, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    base = re.sub(r"\.tenant-[^/]*$", "", stem)
    ending = f".tenant-{tenant_name(tenant)}" if tenant else ""
    return os.path.join(directory, f"{base}{ending}{suffix}")
