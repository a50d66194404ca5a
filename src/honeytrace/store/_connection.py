"""Opening the store's file, and closing it for forks.

Nothing but SQLite may open the file: closing any other descriptor of it would drop the locks of
every connection in this process (https://sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .._base.lazy import logger
from ..errors import StoreError
from ._fulltext import drop_unusable, register
from .migrations import MIGRATIONS, migrate, name, version

__all__ = [
    "Connection",
    "after_fork_in_parent",
    "before_fork",
    "identity",
    "open_readonly",
    "open_writable",
    "set_aside",
]

_WAL_BYTES = 16_000_000
"""Size to which the write-ahead log is cut back once it was larger, as after a long reader: about
what SQLite lets it grow to by itself. A log of that size is kept, since a full disk then still has
room to delete old sessions."""

_CACHE_KIB = 16_384
"""Page cache per connection: SQLite's default of 2 MB rereads index pages under a steady load."""


class Connection:
    """One SQLite connection behind a lock, opened at first use, and again when the file was
    replaced or deleted: SQLite would go on writing into a file that has no name any more."""

    def __init__(self, path: Path, opener: Callable[[], sqlite3.Connection]) -> None:
        # re-entrant: a signal handler may look a session up while its thread does so already
        self.lock = threading.RLock()
        self._path = path
        self._opener = opener
        self._conn: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        _connections.add(self)

    def get(self) -> sqlite3.Connection:
        """The open connection; the caller holds `lock`."""
        if self._conn is not None and identity(self._path) != self._opened:
            self.close()
        if self._conn is None:
            self._conn = self._opener()
            self._opened = identity(self._path)
        return self._conn

    def close(self) -> None:
        with self.lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def hold(self, timeout: float) -> bool:
        """Close the connection and keep others from opening it, for a fork.

        Returns false if the lock could not be taken in time.
        """
        if not self.lock.acquire(timeout=timeout):
            return False
        if self._conn is not None and self._conn.in_transaction:  # this very thread's
            self.lock.release()
            return False
        self.close()
        return True

    def forget(self) -> None:
        """Start over in a forked child; an open connection is the parent's.

        That is neither closed nor collected, for closing would touch the parent's files. SQLite
        believes its locks to be the child's, too: the store is closed to this child.
        """
        self.lock = threading.RLock()
        if self._conn is not None:
            _inherited.append(self._conn)
            _lost.add(self._path)
        self._conn = None


_FORK_TIMEOUT = 2.0
"""Seconds that a fork waits for the transactions that are under way."""

_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
_held: list[Connection] = []
_inherited: list[sqlite3.Connection] = []
_lost: set[Path] = set()
"""Stores of which this process inherited an open connection."""


def before_fork() -> None:
    """Close every connection until the fork is over; once more does nothing."""
    # https://sqlite.org/howtocorrupt.html, section 2.6: a child must not inherit a connection
    deadline = time.monotonic() + _FORK_TIMEOUT
    _held.extend(
        connection
        for connection in list(_connections)
        if connection not in _held and connection.hold(max(0.0, deadline - time.monotonic()))
    )


def after_fork_in_parent() -> None:
    """Let connections be opened again."""
    while _held:
        _held.pop().lock.release()


def _after_fork_in_child() -> None:
    _held.clear()
    for connection in _connections:
        connection.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=before_fork,
        after_in_parent=after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )


def identity(path: Path) -> tuple[int, int] | None:
    """Return the device and number of the file that the path names now; None if there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def open_writable(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """The store at `path`, created when missing and migrated. Raises as SQLite and the OS do."""
    _make_directory(path.parent)
    new = not path.exists()
    conn = _connect(path, "mode=rwc", busy_timeout)
    try:
        if new:
            # for its user only, as SQLite then makes `-wal` and `-shm`, too
            os.chmod(path, 0o600)
        # first of all, lest another program's database is switched to WAL
        number, shares_memory = _version(conn)
        if number == 0:
            # both can be said of an empty file only: a page holds some calls with their passages,
            # which else go on in pages of their own, and `delete` gives space back
            conn.execute("PRAGMA page_size = 16384")
            conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        is_wal = shares_memory and _use_wal(conn, busy_timeout)
        if not is_wal:
            _use_rollback(conn)
        # without a write-ahead log, NORMAL could cost the file when the machine dies
        conn.execute(f"PRAGMA synchronous = {'NORMAL' if is_wal else 'FULL'}")
        conn.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        migrate(conn)
        drop_unusable(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def open_readonly(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """An existing store, never to be written. Raises `StoreError` when there is none."""
    if not path.exists():
        raise StoreError(f"there is no store at {path}: record something first, or check the path")
    try:
        # not mode=ro: that leaves `-wal` and `-shm` behind when it was the last to close
        return _checked(_connect(path, "mode=rw", busy_timeout))
    except sqlite3.OperationalError:
        if Path(f"{path}-wal").exists():
            raise
    # read-only media have no room for `-wal` and `-shm`, and so no writer either
    return _checked(_connect(path, "immutable=1", busy_timeout))


def _checked(conn: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, of a store that can be read as it is, and from now on cannot be written."""
    try:
        if version(conn) < len(MIGRATIONS):
            raise StoreError(f"{name(conn)} is of an older honeytrace: open it for writing once")
        conn.execute("PRAGMA query_only = ON")
    except BaseException:
        conn.close()
        raise
    return conn


def _connect(path: Path, how: str, busy_timeout: float) -> sqlite3.Connection:
    if path in _lost:
        raise StoreError(
            f"{path} cannot be used here: this process was forked while the store was being written"
            " to; its next process delivers what is recorded"
        )
    conn = sqlite3.connect(
        f"{path.as_uri()}?{how}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    register(conn)
    return conn


def _make_directory(directory: Path) -> None:
    try:
        os.makedirs(directory, 0o700)
    except FileExistsError:
        pass
    else:
        # as .ruff_cache does: what a tool leaves in a checkout is not to be committed
        (directory / ".gitignore").write_text("*\n")


def _version(conn: sqlite3.Connection) -> tuple[int, bool]:
    """Return the version of the store, and whether SQLite can share memory beside the file.

    A network file system may not map or lock the `-shm` file. The connection is then exclusive,
    for such a one reads a write-ahead log without shared memory. Raises as `version` does.
    """
    try:
        return version(conn), True
    except sqlite3.OperationalError as error:
        if not _lacks_memory(error):
            raise
        conn.execute("PRAGMA locking_mode = EXCLUSIVE")
        return version(conn), False


def _lacks_memory(error: sqlite3.OperationalError) -> bool:
    return "disk I/O error" in str(error) or "locking protocol" in str(error)


def _use_wal(conn: sqlite3.Connection, busy_timeout: float) -> bool:
    """Switch a new file to WAL; return false if its file system has no shared memory for that.

    SQLite does not wait by itself while others do the same.
    """
    give_up = time.monotonic() + busy_timeout
    while True:
        try:
            (mode,) = conn.execute("PRAGMA journal_mode = WAL").fetchone()
            return bool(mode == "wal")
        except sqlite3.OperationalError as error:
            if _lacks_memory(error):
                conn.execute("PRAGMA locking_mode = EXCLUSIVE")
                return False
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def _use_rollback(conn: sqlite3.Connection) -> None:
    """Switch the file to a rollback journal, which needs no shared memory, and warn once."""
    conn.execute("PRAGMA journal_mode = TRUNCATE")
    conn.execute("PRAGMA locking_mode = NORMAL")
    conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # which lets go of the lock
    _warn_once(name(conn))


_warned: set[str] = set()


def _warn_once(store: str) -> None:
    if store not in _warned:
        _warned.add(store)
        logger.warning(
            "honeytrace: %s is on a file system without shared memory (a network share?): readers"
            " and writers wait for one another there; a local path is faster, configure(store=…)",
            store,
        )


def set_aside(path: Path) -> Path:
    """Rename a damaged store, with its `-wal` and `-shm`, to `<name>.damaged-<n>`; returns that."""
    number = 1
    while (moved := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{moved}{suffix}")
    return moved
