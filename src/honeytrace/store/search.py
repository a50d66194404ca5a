"""Full-text search over name, inputs, outputs and error; inserts never pay for its index.

The index is made by the first search and caught up by each one, from the highest id it holds; what
it cannot hold (the store is read-only or busy, SQLite has no FTS5) is searched with LIKE, slowly.
Triggers keep what it does hold in step with updates and deletes. It is contentless: the text itself
is stored once, in `events`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

__all__ = ["among", "catch_up", "condition", "drop_unusable", "is_behind", "numbers"]

CATCH_UP = 5_000
"""Rows that one transaction adds to the index: a tenth of a second."""

_READ = 200_000
"""Characters of a few rows that are read sooner than the numbers of all that hold a common word."""

Condition = tuple[str, list[object]]

# no spaces between words, hence one token per sentence: only LIKE finds a word in it
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_NUMBERS = "SELECT rowid FROM search WHERE search MATCH ?"
# the plus keeps SQLite from fetching and sorting every match: it walks the time index instead
_MATCHING = f"+id IN ({_NUMBERS})"
_INDEXED = "(SELECT coalesce(max(id), 0) FROM search_docsize)"


def _text(row: str) -> str:
    """The text of a row (`events`, `old`, `new`) as one SQL expression."""
    parts = [f"{row}.event_name", f"coalesce({row}.error, '')"]
    for column in ("inputs", "outputs"):
        part = f"coalesce({row}.{column}, '')"
        # JSON's escapes end words: with "\n" left in, the next line's first word gains an n
        for escape in (r"\\", r"\n", r"\r", r"\t", r"\f"):
            part = f"replace({part}, '{escape}', ' ')"
        parts.append(part)
    return " || ' ' || ".join(parts)


_REMOVE = f"INSERT INTO search (search, rowid, text) VALUES ('delete', old.id, {_text('old')})"
_HELD = "EXISTS (SELECT 1 FROM search_docsize WHERE id = old.id)"
_TABLE = "CREATE VIRTUAL TABLE search USING fts5 (text, content = '')"
_CREATE = (
    "DROP TABLE IF EXISTS search",
    _TABLE,
    f"""
    CREATE TRIGGER search_update AFTER UPDATE OF event_name, error, inputs, outputs ON events
    WHEN {_text("old")} IS NOT {_text("new")} AND {_HELD}
    BEGIN
        {_REMOVE};
        INSERT INTO search (rowid, text) VALUES (new.id, {_text("new")});
    END
    """,
    f"CREATE TRIGGER search_delete AFTER DELETE ON events WHEN {_HELD} BEGIN {_REMOVE}; END",
)


def has_fts5(conn: sqlite3.Connection) -> bool:
    """Whether this SQLite was built with FTS5."""
    return ("ENABLE_FTS5",) in conn.execute("PRAGMA compile_options").fetchall()


def drop_unusable(conn: sqlite3.Connection) -> None:
    """Without FTS5, drop the triggers another build left: every update would fail in them."""
    if not has_fts5(conn):
        conn.execute("DROP TRIGGER IF EXISTS search_update")
        conn.execute("DROP TRIGGER IF EXISTS search_delete")


def is_behind(conn: sqlite3.Connection) -> bool:
    """Whether `catch_up` would find something to do."""
    if not has_fts5(conn):
        return False
    if not _exists(conn):
        return True
    (behind,) = conn.execute(f"SELECT coalesce(max(id), 0) > {_INDEXED} FROM events").fetchone()
    return bool(behind)


def catch_up(conn: sqlite3.Connection) -> None:
    """Make the index when there is none, and add the next rows to it; within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    conn.execute(
        f"INSERT INTO search (rowid, text) SELECT id, {_text('events')} FROM events"
        f" WHERE id > {_INDEXED} ORDER BY id LIMIT ?",
        (CATCH_UP,),
    )


def numbers(conn: sqlite3.Connection, text: str) -> Condition | None:
    """The numbers of the rows that `condition` finds, as a subquery; None where only looking at
    every row tells."""
    words = _words(text)
    if not words or not _is_held(conn, text) or is_behind(conn):
        return None
    return _NUMBERS, [_match(words)]


def among(conn: sqlite3.Connection, text: str, rows: Sequence[int]) -> Condition:
    """The `condition` on these rows, which are few."""
    numbers = ", ".join(map(str, rows))
    words = _words(text)
    if words and has_fts5(conn) and not _UNSPACED.search(text):
        found = _read(conn, numbers, _match(words))
        if found is not None:
            return f"id IN ({', '.join(map(str, found))})", []
    return condition(conn, text, f"+rowid IN ({numbers})")


def _read(conn: sqlite3.Connection, numbers: str, match: str) -> list[int] | None:
    """Which of the rows match, by an index of them alone; None when they are too long for that."""
    with closing(sqlite3.connect(":memory:")) as alone:
        alone.execute(_TABLE)
        left = _READ
        for row, text in conn.execute(
            f"SELECT id, {_text('events')} FROM events WHERE id IN ({numbers})"
        ):
            left -= len(text)
            if left < 0:
                return None
            alone.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (row, text))
        return [row for (row,) in alone.execute(_NUMBERS, (match,))]


def condition(conn: sqlite3.Connection, text: str, within: str = "") -> Condition:
    """The rows that hold every word of `text`; its last word, where it has two letters or more, may
    be the beginning of one.

    `within`: which `rowid` are in question, in SQL, where that is known: it spares keeping others.
    """
    words = _words(text)
    if not words:
        return "1", []
    if not _is_held(conn, text):
        return _like(words)
    match = _match(words)
    if is_behind(conn):
        like, values = _like(words)
        return f"({_MATCHING} OR id > {_INDEXED} AND {like})", [match, *values]
    return (f"{_MATCHING[:-1]} AND {within})" if within else _MATCHING), [match]


def _words(text: str) -> list[str]:
    return [word for word in text.replace("\0", " ").split() if re.search(r"[^\W_]", word)]


def _is_held(conn: sqlite3.Connection, text: str) -> bool:
    """Whether the index may tell where the text is."""
    return not _UNSPACED.search(text) and has_fts5(conn) and _exists(conn)


def _match(words: list[str]) -> str:
    """What FTS5 is to look for."""
    phrases = ['"' + word.replace('"', '""') + '"' for word in words]
    # one letter begins too many words to be of use
    return " ".join(phrases) + ("*" if len(words[-1]) > 1 else "")


def _like(words: list[str]) -> Condition:
    """The condition without the index: every run of letters and digits occurs somewhere."""
    runs = [f"%{run}%" for run in re.findall(r"[^\W_]+", " ".join(words))]
    anywhere = "(event_name LIKE ? OR error LIKE ? OR inputs LIKE ? OR outputs LIKE ?)"
    return " AND ".join([anywhere] * len(runs)), [run for run in runs for _ in range(4)]


def _exists(conn: sqlite3.Connection) -> bool:
    """Whether the index is there with the triggers that keep it true."""
    names = "('search', 'search_update', 'search_delete')"
    (count,) = conn.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN {names}").fetchone()
    return bool(count == 3)
