"""The connections to the store's file, which are closed for forks.

Only SQLite may open the file: closing any other descriptor of it would drop the locks of every
connection in this process (https://sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

from .._base.directories import ignore_in_git, make_directory
from .._base.lazy import logger
from .._base.native_locks import RLock, get_ident
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
"""Size in bytes to which an oversized write-ahead log is truncated, for instance after a long
reader. SQLite lets the log grow to about this size by itself. A log of this size is kept, so that
old sessions can still be deleted when the disk is full."""

_CACHE_KIB = 16_384
"""Page cache per connection. With SQLite's default of 2 MB, a steady load rereads index pages."""


class Connection:
    """One SQLite connection behind a lock, opened at first use. It is opened again if the file was
    replaced or deleted, because SQLite would keep writing into the unlinked file."""

    def __init__(self, path: str, opener: Callable[[], sqlite3.Connection]) -> None:
        # The lock is re-entrant: a signal handler may look up a session while its thread is doing
        # so.
        self.lock = RLock()
        self._path = path
        self._opener = opener
        self._conn: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self.files = 0
        """The number of files that were opened here, one after another."""
        _connections.add(self)

    def get(self) -> sqlite3.Connection:
        """Return the open connection; the caller holds `lock`."""
        if self._conn is not None and identity(self._path) != self._opened:
            self.close()
            self._opened = None  # a new file may have the number of the old one
        if self._conn is None:
            self._conn = self._opener()
            opened = identity(self._path)
            self.files += opened != self._opened
            self._opened = opened
        return self._conn

    def close(self) -> None:
        with self.lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def let_go(self) -> None:
        """Close the connection, unless it is in the middle of a transaction."""
        with self.lock:
            if self._conn is not None and not self._conn.in_transaction:
                self.close()

    def hold(self, timeout: float) -> bool:
        """Close the connection and keep others from opening it, for a fork.

        Returns False if the lock could not be taken in time.
        """
        if not self.lock.acquire(timeout=timeout):
            return False
        # The transaction belongs to this very thread.
        if self._conn is not None and self._conn.in_transaction:
            self.lock.release()
            return False
        self.close()
        return True

    def forget(self) -> None:
        """Start over in a forked child; an open connection belongs to the parent.

        The inherited connection is neither closed nor collected, because closing would touch the
        parent's files. SQLite would treat its locks as the child's, so this child cannot use the
        store.
        """
        self.lock = RLock()
        if self._conn is not None:
            _inherited.append(self._conn)
            _lost.add(self._path)
        self._conn = None


_FORK_TIMEOUT = 2.0
"""Seconds that a fork waits for transactions in progress."""

_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
_held: dict[int, list[Connection]] = {}
"""The connections that a thread holds while it forks, by the thread's id: several may fork at once,
and a lock can only be released by its owner."""
_inherited: list[sqlite3.Connection] = []
_lost: set[str] = set()
"""Stores with an open connection that this process inherited."""


def before_fork() -> None:
    """Close every connection until the fork is over; calling again does nothing."""
    # https://sqlite.org/howtocorrupt.html, section 2.6: a child must not inherit a connection
    deadline = time.monotonic() + _FORK_TIMEOUT
    held = _held.setdefault(get_ident(), [])
    held.extend(
        connection
        for connection in list(_connections)
        if connection not in held and connection.hold(max(0.0, deadline - time.monotonic()))
    )


def after_fork_in_parent() -> None:
    """Let connections be opened again."""
    for connection in _held.pop(get_ident(), ()):
        connection.lock.release()


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


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return device and inode of the file at the path; None if there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_IN_URI = frozenset(b"%s/._-~" % b"".join(bytes([n]) for n in range(128) if chr(n).isalnum()))
"""Bytes of a path that stand for themselves in a URI."""


def uri_of(path: str) -> str:
    """Return the URI of an absolute path, as `pathlib` has it, whose import takes 4 ms."""
    if os.name == "nt":
        path = "/" + path.replace("\\", "/")
    return "file://" + "".join(
        chr(byte) if byte in _IN_URI else f"%{byte:02X}" for byte in os.fsencode(path)
    )


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file; `..` stays, because it may follow a symbolic link."""
    path = os.fspath(path)
    joined = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    return joined if ".." in joined else os.path.normpath(joined)


def open_writable(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open the store at `path`, created if missing, and migrate it. Raises as SQLite and the OS
    do."""
    directory = os.path.dirname(path)
    if make_directory(directory):
        ignore_in_git(directory)
    new = not os.path.exists(path)
    conn = _connect(path, "mode=rwc", busy_timeout)
    try:
        if new:
            # Only the user may read the file; SQLite then creates `-wal` and `-shm` with the same
            # mode.
            os.chmod(path, 0o600)
        # The version is checked first, so that another program's database is not switched to WAL.
        number, shares_memory = _version(conn)
        if number == 0:
            # Both settings must precede the first table. A large page holds calls with their texts,
            # which otherwise spill into overflow pages; and auto-vacuum lets `delete` return space.
            conn.execute("PRAGMA page_size = 16384")
            conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        is_wal = shares_memory and _use_wal(conn, busy_timeout)
        if not is_wal:
            _use_rollback(conn)
        # Without a write-ahead log, NORMAL could corrupt the file if the machine crashes.
        conn.execute(f"PRAGMA synchronous = {'NORMAL' if is_wal else 'FULL'}")
        conn.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        migrate(conn)
        drop_unusable(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def open_readonly(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open an existing store for reading only. Raises `StoreError` if there is none."""
    if not os.path.exists(path):
        raise StoreError(f"there is no store at {path}: record something first, or check the path")
    try:
        # `mode=ro` would leave `-wal` and `-shm` behind if it is the last to close.
        return _checked(_connect(path, "mode=rw", busy_timeout))
    except sqlite3.OperationalError:
        if os.path.exists(f"{path}-wal"):
            raise
    # A read-only medium cannot hold `-wal` and `-shm`, so there is no writer either.
    return _checked(_connect(path, "immutable=1", busy_timeout))


def _checked(conn: sqlite3.Connection) -> sqlite3.Connection:
    """Return the connection after checking the schema, with writing disabled."""
    try:
        if version(conn) < len(MIGRATIONS):
            raise StoreError(f"{name(conn)} is from an older honeytrace: open it for writing once")
        conn.execute("PRAGMA query_only = ON")
    except BaseException:
        conn.close()
        raise
    return conn


def _connect(path: str, how: str, busy_timeout: float) -> sqlite3.Connection:
    if path in _lost:
        raise StoreError(
            f"{path} cannot be used here: this process was forked while the store was being written"
            " to; its next process delivers what is recorded"
        )
    conn = sqlite3.connect(
        f"{uri_of(path)}?{how}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    register(conn)
    return conn


def _version(conn: sqlite3.Connection) -> tuple[int, bool]:
    """Return the version of the store, and True if SQLite can share memory beside the file.

    A network file system may be unable to map or lock the `-shm` file. The connection is then made
    exclusive, because an exclusive connection reads a write-ahead log without shared memory. Raises
    as `version` does.
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
    """Switch a new file to WAL; return False if its file system has no shared memory for WAL.

    SQLite does not wait by itself while other processes do the same.
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
    # This statement releases the lock.
    conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
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


def set_aside(path: str) -> str:
    """Rename a damaged store, with its `-wal` and `-shm`, to `<name>.damaged-<n>`; return the new
    name."""
    number = 1
    while os.path.exists(moved := f"{path}.damaged-{number}"):
        number += 1
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{moved}{suffix}")
    return moved
