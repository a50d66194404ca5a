"""The store's schema, as numbered steps: the n-th function takes a store from version n-1 to n.

The version is SQLite's own `user_version`, which is part of the transaction that applies a step, so
a step and its version number are written together or not at all. A released step is never edited.

One wide index, `events_by_time`, serves every filter. It is read newest first and holds each small
column that a `Query` may filter by, so rows that do not match are skipped without being fetched. An
index per filter would make each insert several times as expensive and serve no combination.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ..errors import StoreError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate", "name", "version"]

APPLICATION_ID = 0x486E5974
"""`HnYt`: marks honeytrace's files, so that another program's database is never written to."""

Migration = Callable[[sqlite3.Connection], None]


def m001_events(conn: sqlite3.Connection) -> None:
    """Create the records table, in order of arrival; JSON parts are text, for the `sqlite3`
    shell."""
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    # `id` is declared because VACUUM renumbers an undeclared rowid, and the text index refers to
    # it.
    conn.execute(
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL,
            parent_id TEXT,
            root_id TEXT NOT NULL,
            event_type TEXT NOT NULL,
            event_name TEXT NOT NULL,
            project TEXT NOT NULL,
            source TEXT NOT NULL,
            status TEXT NOT NULL,
            start_time REAL NOT NULL,
            end_time INTEGER,
            duration REAL,
            error TEXT,
            children_ids TEXT NOT NULL,
            config TEXT,
            inputs TEXT,
            outputs TEXT,
            metrics TEXT,
            feedback TEXT,
            metadata TEXT,
            user_properties TEXT
        )
        """
    )
    filters = "start_time, duration, source, status, project, event_name, parent_id"
    conn.execute(f"CREATE INDEX events_by_time ON events ({filters})")
    conn.execute(f"CREATE INDEX events_failed ON events ({filters}) WHERE error IS NOT NULL")
    conn.execute("CREATE INDEX events_by_root ON events (root_id, start_time)")
    conn.execute(
        "CREATE INDEX events_by_parent ON events (parent_id, start_time)"
        " WHERE parent_id IS NOT NULL"
    )


def m002_pending_updates(conn: sqlite3.Connection) -> None:
    """Create the table of updates that wait for their session; `received` is in epoch
    milliseconds."""
    conn.execute(
        """
        CREATE TABLE pending_updates (
            id INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            fields TEXT NOT NULL,
            received REAL NOT NULL
        )
        """
    )
    conn.execute("CREATE INDEX pending_updates_by_event ON pending_updates (event_id)")


MIGRATIONS: tuple[Migration, ...] = (m001_events, m002_pending_updates)


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the schema up to date; any number of processes may do so at once.

    Raises `StoreError` as `version` does. `conn` must be in autocommit mode.
    """
    if version(conn) == len(MIGRATIONS):
        return
    conn.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have migrated while this one waited for the lock.
        for number in range(version(conn), len(MIGRATIONS)):
            MIGRATIONS[number](conn)
            conn.execute(f"PRAGMA user_version = {number + 1}")
        conn.execute("COMMIT")
        # From now on the file itself, not only its WAL, contains the application id.
        conn.execute("PRAGMA wal_checkpoint")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def version(conn: sqlite3.Connection) -> int:
    """Return the schema version. Raises `StoreError` if the file is another program's database or
    the store of a newer honeytrace.
    """
    # The order matters: tables that another process is just creating come with their application
    # id.
    (tables,) = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (owner,) = conn.execute("PRAGMA application_id").fetchone()
    (number,) = conn.execute("PRAGMA user_version").fetchone()
    if tables and owner != APPLICATION_ID:
        raise StoreError(
            f"{name(conn)} is another program's database: choose another path, configure(store=…)"
        )
    if number > len(MIGRATIONS):
        raise StoreError(
            f"{name(conn)} has version {number} and this honeytrace knows {len(MIGRATIONS)}:"
            " upgrade honeytrace, or choose another path, configure(store=…)"
        )
    return int(number)


def name(conn: sqlite3.Connection) -> str:
    """Return the name of the store in messages."""
    (_, _, path) = conn.execute("PRAGMA database_list").fetchone()
    return f"the store {path}"
