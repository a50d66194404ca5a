"""The order in which sessions changed after they arrived, for followers.

Like the other indexes, the table is created by the first query for changes. From then on, a trigger
records each changed row once, at its latest place. Inserts never pay for the table.
"""

from __future__ import annotations

import sqlite3

__all__ = ["catch_up", "is_behind", "last"]

_CREATE = (
    # AUTOINCREMENT never reuses a number. If numbers were reused after the newest rows are deleted,
    # followers would miss changes.
    "CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL UNIQUE)",
    """
    CREATE TRIGGER changes_update AFTER UPDATE ON events
    BEGIN INSERT OR REPLACE INTO changes (id) VALUES (new.id); END
    """,
    """
    CREATE TRIGGER changes_delete AFTER DELETE ON events
    BEGIN DELETE FROM changes WHERE id = old.id; END
    """,
)


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether nobody has followed changes yet."""
    names = "('changes', 'changes_update', 'changes_delete')"
    (count,) = conn.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN {names}").fetchone()
    return bool(count < 3)


def catch_up(conn: sqlite3.Connection) -> None:
    """Record changes from now on; runs within a transaction."""
    if is_behind(conn):
        for statement in _CREATE:
            conn.execute(statement)


def last(conn: sqlite3.Connection) -> int:
    """Return the place of the latest change."""
    found = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
    return 0 if found is None else int(found[0])
