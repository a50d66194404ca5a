"""Opening the store's file, and saying in plain words what SQLite has against it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import StoreError
from .errors import RecordRefusedError, StoreBusyError, StoreDamagedError
from .migrations import migrate

__all__ = ["Connection", "open_readonly", "open_writable", "set_aside", "store_error"]

_CACHE_KIB = 16_384
"""Page cache per connection: SQLite's default of 2 MB rereads index pages under a steady load."""


class Connection:
    """One SQLite connection behind a lock, opened at first use."""

    def __init__(self, opener: Callable[[], sqlite3.Connection]) -> None:
        # re-entrant: a signal handler may look a session up while its thread does so already
        self.lock = threading.RLock()
        self._opener = opener
        self._conn: sqlite3.Connection | None = None

    def get(self) -> sqlite3.Connection:
        """The open connection; the caller holds `lock`."""
        if self._conn is None:
            self._conn = self._opener()
        return self._conn

    def close(self) -> None:
        with self.lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None


def open_writable(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """The store at `path`, created when missing and migrated. Raises as SQLite and the OS do."""
    _create_private(path)
    conn = _connect(path, "mode=rw", busy_timeout)
    try:
        _use_wal(conn, busy_timeout)
        conn.execute("PRAGMA synchronous = NORMAL")
        migrate(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def open_readonly(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """An existing store, never to be written. Raises `StoreError` when there is none."""
    if not path.exists():
        raise StoreError(f"there is no store at {path}: record something first, or check the path")
    # not mode=ro: that leaves `-wal` and `-shm` behind when it was the last to close
    conn = _connect(path, "mode=rw", busy_timeout)
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        conn.close()
        if "unable to open" not in str(error):
            raise
        # a read-only directory has no room for `-shm`, and so no writer either
        conn = _connect(path, "immutable=1", busy_timeout)
    return conn


def _connect(path: Path, how: str, busy_timeout: float) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"{path.as_uri()}?{how}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return conn


def _create_private(path: Path) -> None:
    """Make the file, for its user only (SQLite gives `-wal` and `-shm` the same mode)."""
    try:
        os.makedirs(path.parent, 0o700)
    except FileExistsError:
        pass
    else:
        # as .ruff_cache does: what a tool leaves in a checkout is not to be committed
        (path.parent / ".gitignore").write_text("*\n")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _use_wal(conn: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch a new file to WAL; SQLite does not wait by itself while others do the same."""
    give_up = time.monotonic() + busy_timeout
    while (refusal := _refused_wal(conn)) is not None:
        if time.monotonic() > give_up:
            raise refusal
        time.sleep(0.01)


def _refused_wal(conn: sqlite3.Connection) -> sqlite3.OperationalError | None:
    try:
        conn.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        return error
    return None


def set_aside(path: Path) -> Path:
    """Rename a damaged store, with its `-wal` and `-shm`, to `<name>.damaged-<n>`; returns that."""
    number = 1
    while (moved := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{moved}{suffix}")
    return moved


_CAUSES: tuple[tuple[str, type[StoreError], str], ...] = (
    ("locked", StoreBusyError, "another process keeps it locked: end that process or try again"),
    ("not a database", StoreDamagedError, "it is not a SQLite database"),
    ("malformed", StoreDamagedError, "it is damaged: the `sqlite3` shell's .recover may read it"),
    ("full", StoreError, "the disk is full: free some space, or delete old sessions"),
    ("readonly", StoreError, "it is read-only: make it writable, or choose another store path"),
    ("unable to open", StoreError, "it cannot be opened: make it and its directory writable"),
    ("Permission", StoreError, "permission denied: make it writable, or choose another store path"),
)


def store_error(error: Exception, path: Path) -> StoreError:
    """What `error` means for the store at `path`, with the cure.

    Told by SQLite's fixed messages: Python gives its error codes only from 3.11 on.
    """
    if (
        isinstance(error, (sqlite3.OperationalError, OSError))
        or type(error) is sqlite3.DatabaseError
    ):
        for sign, kind, meaning in _CAUSES:
            if sign in str(error):
                return kind(f"the store {path} cannot be used: {meaning} ({error})")
        return StoreError(f"the store {path} cannot be used: {error}")
    return RecordRefusedError(f"the store cannot take this value: {error}")
