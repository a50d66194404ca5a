"""Full-text search over name, inputs, outputs and error; inserts never update its index.

The first search creates the index, and each search adds the rows beyond the highest indexed id. If
rows cannot be indexed (the store is read-only or busy, or SQLite has no FTS5), they are read one by
one, which is slow. Triggers keep indexed rows in step with updates and deletes. The index is
contentless: the text itself is stored once, in `events`.

`_words` defines words. FTS5's own tokenizer agrees with `_words` on ASCII texts without escapes;
any other text is passed to FTS5 as its words separated by spaces. `register` adds the functions for
this conversion to SQLite. Another program lacks these functions, so it cannot change rows of an
indexed store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import orjson

from ._words import Parts, Term, in_json, joined, mentions, terms

__all__ = [
    "among",
    "catch_up",
    "condition",
    "drop_unusable",
    "is_behind",
    "numbers",
    "read",
    "register",
    "those",
]

CATCH_UP = 5_000
"""Number of rows that one transaction adds to the index, in a tenth of a second."""

_BLOCK = 64
"""Number of rows whose texts are split into words at a time. Each statement waits for the GIL,
which takes milliseconds beside a busy thread. So one statement reads all these rows, and another
writes them."""

_READ = 2_000_000
"""Total characters of a few rows that are faster to read than the row numbers of a common word."""

_UNUSUAL = 5
"""The number of times that it takes longer to find the words of a text that is not ASCII."""

Condition = tuple[str, list[object]]

_NUMBERS = "SELECT rowid FROM fulltext WHERE fulltext MATCH ?"
# The plus keeps SQLite from fetching and sorting every match; SQLite walks the time index instead.
_MATCHING = f"+id IN ({_NUMBERS})"
_INDEXED = "(SELECT coalesce(max(id), 0) FROM fulltext_docsize)"
_PARTS = ("event_name", "error", "inputs", "outputs")
_ESCAPES = (r"\\", r"\n", r"\"", r"\r", r"\t", r"\f")


def _parts(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in _PARTS)


def _together(row: str) -> str:
    """Return the searched text of a row (`events`, `old`, `new`) as one SQL expression.

    The usual escapes of JSON become spaces; otherwise the "n" of "\\n" would become part of the
    first word of the next line.
    """
    parts = []
    for name in _PARTS:
        part = f"coalesce({row}.{name}, '')"
        for escape in _ESCAPES if name in ("inputs", "outputs") else ():
            part = f"replace({part}, '{escape}', ' ')"
        parts.append(part)
    return " || ' ' || ".join(parts)


def _is_plain(row: str) -> str:
    """Return the condition that FTS5 finds the same words in the text as `_words` does."""
    return _is_ascii(_together(row))


def _is_ascii(text: str) -> str:
    # The text is ASCII if it has as many characters as bytes. The length of a text ends at a NUL;
    # the length of a blob does not.
    return f"(length({text}) = length(CAST({text} AS BLOB)) AND NOT instr({text}, '\\'))"


def _text(row: str) -> str:
    """Return the text of a row for FTS5, as one SQL expression."""
    return (
        f"CASE WHEN {_is_plain(row)} THEN {_together(row)} ELSE honeytrace_words({_parts(row)}) END"
    )


_REMOVE = f"INSERT INTO fulltext (fulltext, rowid, text) VALUES ('delete', old.id, {_text('old')})"
_HELD = "EXISTS (SELECT 1 FROM fulltext_docsize WHERE id = old.id)"
_TABLE = "CREATE VIRTUAL TABLE fulltext USING fts5 (text, content = '')"
_CREATE = (
    "DROP TABLE IF EXISTS fulltext",
    _TABLE,
    f"""
    CREATE TRIGGER fulltext_update AFTER UPDATE OF {", ".join(_PARTS)} ON events
    WHEN ({_parts("old")}) IS NOT ({_parts("new")}) AND {_HELD}
    BEGIN
        {_REMOVE};
        INSERT INTO fulltext (rowid, text) VALUES (new.id, {_text("new")});
    END
    """,
    f"CREATE TRIGGER fulltext_delete AFTER DELETE ON events WHEN {_HELD} BEGIN {_REMOVE}; END",
)


def register(conn: sqlite3.Connection) -> None:
    """Register the functions of the conditions and triggers with a connection."""
    conn.create_function("honeytrace_words", 4, _words_of, deterministic=True)
    conn.create_function("honeytrace_mentions", 5, _mentions, deterministic=True)


def _words_of(*parts: str | None) -> str:
    name, error, inputs, outputs = parts
    return joined((name, error, inputs, outputs))


def _mentions(*values: str | None) -> bool:
    *_, text = values
    parts: Parts = values[:4]  # type: ignore[assignment]
    return mentions(parts, _terms(text or ""))


@lru_cache(maxsize=16)
def _terms(text: str) -> list[Term]:
    return terms(text)


def has_fts5(conn: sqlite3.Connection) -> bool:
    """Return whether this SQLite was built with FTS5."""
    return ("ENABLE_FTS5",) in conn.execute("PRAGMA compile_options").fetchall()


def drop_unusable(conn: sqlite3.Connection) -> None:
    """Drop the triggers that a build with FTS5 left; without FTS5, every update would fail in
    them."""
    if not has_fts5(conn):
        conn.execute("DROP TRIGGER IF EXISTS fulltext_update")
        conn.execute("DROP TRIGGER IF EXISTS fulltext_delete")


def is_behind(conn: sqlite3.Connection) -> bool:
    """Return whether `catch_up` has work to do."""
    if not has_fts5(conn):
        return False
    if not _exists(conn):
        return True
    (behind,) = conn.execute(f"SELECT coalesce(max(id), 0) > {_INDEXED} FROM events").fetchone()
    return bool(behind)


def catch_up(conn: sqlite3.Connection) -> None:
    """Create the index if missing, and add the next rows to it; runs within a transaction."""
    if not _exists(conn):
        for statement in _CREATE:
            conn.execute(statement)
    first, last = conn.execute(
        f"SELECT {_INDEXED}, max(id) FROM"
        f" (SELECT id FROM events WHERE id > {_INDEXED} ORDER BY id LIMIT ?)",
        (CATCH_UP,),
    ).fetchone()
    # With a LIMIT, SQLite computes each text once instead of once per use.
    texts = (
        f"SELECT id, {_together('events')} AS text FROM events"
        " WHERE id > ? AND id <= ? ORDER BY id LIMIT -1"
    )
    conn.execute(
        f"INSERT INTO fulltext (rowid, text) SELECT id, text FROM ({texts})"
        f" WHERE {_is_ascii('text')}",
        (first, last),
    )
    (others,) = conn.execute(
        "SELECT json_group_array(id) FROM events WHERE id > ? AND id <= ?"
        " AND id NOT IN (SELECT id FROM fulltext_docsize WHERE id > ?)",
        (first, last, first),
    ).fetchone()
    _add(conn, orjson.loads(others))


def _add(conn: sqlite3.Connection, rows: list[int]) -> None:
    """Add rows whose words are found by Python."""
    for at in range(0, len(rows), _BLOCK):
        some = _texts(conn, rows[at : at + _BLOCK])
        texts = [(row, _words_of(*parts)) for row, parts in some]
        conn.execute(
            f"INSERT INTO fulltext (rowid, text) VALUES {', '.join(['(?, ?)'] * len(texts))}",
            [value for pair in texts for value in pair],
        )


def numbers(conn: sqlite3.Connection, text: str) -> Condition | None:
    """Return the numbers of the rows that `condition` finds, as a subquery; None if every row has
    to be read."""
    wanted = _terms(text)
    match = _match(wanted)
    if not match or _signs(wanted) or not _is_usable(conn) or is_behind(conn):
        return None
    return _NUMBERS, [match]


def among(conn: sqlite3.Connection, text: str, rows: Sequence[int]) -> Condition:
    """Return the `condition` on these few rows."""
    found, tried = read(conn, text, rows)
    if tried == len(rows):
        return those(found)
    return condition(conn, text, f"+rowid IN ({_list_of(rows)})")


def those(rows: Iterable[int]) -> Condition:
    """Return the condition on rows by their numbers."""
    # A subquery, since SQLite prefers the time index to a long list, and compiles the list.
    return "id IN (SELECT value FROM json_each(?))", [f"[{_list_of(rows)}]"]


def read(
    conn: sqlite3.Connection, text: str, rows: Sequence[int], enough: int | None = None
) -> tuple[list[int], int]:
    """Return the rows that hold every term of `text`, found by reading them one after another, and
    the number of rows that were read.

    Reading stops once there are `enough` of them, and when the texts become too long.
    """
    wanted, found, left = _terms(text), list[int](), _READ
    for at in range(0, len(rows), _BLOCK):
        if left < 0 or (enough is not None and len(found) >= enough):
            return found, at
        for row, parts in _texts(conn, rows[at : at + _BLOCK]):
            if mentions(parts, wanted):
                found.append(row)
            left -= sum(
                len(part) if part.isascii() else _UNUSUAL * len(part) for part in parts if part
            )
    return found, len(rows)


def _texts(conn: sqlite3.Connection, rows: Sequence[int]) -> Iterator[tuple[int, Parts]]:
    """Yield the searched texts of some rows, read by one statement."""
    (found,) = conn.execute(
        f"SELECT json_group_array(json_array(id, {_parts('events')})) FROM events"
        f" WHERE id IN ({_list_of(rows)})"
    ).fetchone()
    for row, name, error, inputs, outputs in orjson.loads(found):
        yield row, (name, error, inputs, outputs)


def _list_of(rows: Iterable[int]) -> str:
    return ", ".join(map(str, rows))


def condition(conn: sqlite3.Connection, text: str, within: str = "") -> Condition:
    """Return the condition that a row of `events` holds every term of `text` (see `_words.terms`).

    `within`: the candidate `rowid`s in SQL, if they are known; other matches are then not kept.
    """
    wanted = _terms(text)
    if not wanted:
        return "1", []
    match = _match(wanted)
    if not match:
        return _literally(wanted)
    if not _is_usable(conn):
        return _looked_into(text)
    found: Condition = (_MATCHING, [match])
    if is_behind(conn):
        read, values = _looked_into(text)
        found = f"({_MATCHING} OR id > {_INDEXED} AND {read})", [match, *values]
    elif within:
        found = f"{_MATCHING[:-1]} AND {within})", [match]
    return _both(found, _literally(wanted))


def _match(wanted: list[Term]) -> str:
    """Return the query for FTS5; empty if no term has a word."""
    phrases = [f'"{" ".join(term.words)}"{"*" * term.prefix}' for term in wanted if term.words]
    return " ".join(phrases)


def _signs(wanted: list[Term]) -> list[str]:
    return [term.signs for term in wanted if not term.words]


def _literally(wanted: list[Term]) -> Condition:
    """Return the condition that signs occur; signs are not indexed."""
    conditions: list[str] = []
    values: list[object] = []
    for signs in _signs(wanted):
        conditions.append("(" + " OR ".join(f"instr({name}, ?)" for name in _PARTS) + ")")
        values += [signs, signs, in_json(signs), in_json(signs)]
    return " AND ".join(conditions) or "1", values


def _looked_into(text: str) -> Condition:
    """Return the condition without an index. LIKE skips plain rows without the words, so that
    Python need not read them."""
    runs = [word for term in _terms(text) for word in term.words if word.isascii()]
    likely = f"(NOT {_is_plain('events')} OR {_together('events')} LIKE ?)"
    mentioned = f"honeytrace_mentions({', '.join(_PARTS)}, ?)"
    return " AND ".join([likely] * len(runs) + [mentioned]), [*(f"%{run}%" for run in runs), text]


def _both(first: Condition, second: Condition) -> Condition:
    return f"({first[0]} AND {second[0]})", [*first[1], *second[1]]


def _is_usable(conn: sqlite3.Connection) -> bool:
    """Return whether the index may be used for a word."""
    return has_fts5(conn) and _exists(conn)


def _exists(conn: sqlite3.Connection) -> bool:
    """Return whether the index exists with the triggers that keep it correct."""
    names = "('fulltext', 'fulltext_update', 'fulltext_delete')"
    (count,) = conn.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN {names}").fetchone()
    return bool(count == 3)
