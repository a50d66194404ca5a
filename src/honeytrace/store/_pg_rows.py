"""Records as rows of PostgreSQL and back, with the derived columns.

PostgreSQL's texts cannot contain a NUL, so `quoted` writes it as two other characters; JSON has an
escape of its own. Words are passed as a finished `tsvector`, not as text, because PostgreSQL's
parser recognizes URLs and numbers, and the other engines only words. A text beyond the limits of a
`tsvector` (16,383 positions, 255 of one word, a megabyte) goes into `long_words` and is searched
with LIKE.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from .._record.record import Record
from ._derived import Counted, counted_of, numbers_of, users_of
from ._words import Term, joined, parts_of

__all__ = ["COLUMNS", "SELECTED", "quoted", "record_of", "row_of", "tsquery", "unquoted"]

_FIRST_JSON = 13
_TEXTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12)
"""Positions of the fields that are plain text."""

_FLOATS = (Record._fields.index("start_time"), Record._fields.index("duration"))

COLUMNS = (*Record._fields, "users", "numbers", *Counted._fields, "words", "long_words")
SELECTED = ", ".join(
    f"{name}::text" if at >= _FIRST_JSON else name for at, name in enumerate(Record._fields)
)

_MARK = "\uf8f0"
_MOST_WORDS = 16_000
_MOST_OF_ONE = 255
_LONGEST = 500
_MOST_CHARACTERS = 250_000


def quoted(text: str) -> str:
    """Return a text that PostgreSQL accepts."""
    if "\0" not in text and _MARK not in text:
        return text
    return text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")


def unquoted(text: str) -> str:
    """Return the original of a text that `quoted` returned."""
    if _MARK not in text:
        return text
    return text.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK)


def row_of(record: Record) -> list[Any]:
    """Return the values of `COLUMNS`. Raises UnicodeError for half a surrogate pair."""
    values: list[Any] = [
        quoted(value) if isinstance(value, str) else value for value in record[:_FIRST_JSON]
    ]
    for at in _FLOATS:  # An update may hold an integer, and psycopg refuses a column of both.
        if values[at] is not None:
            values[at] = float(values[at])
    parts: tuple[Any, ...] = record[_FIRST_JSON:]
    values += [None if part is None else part.decode() for part in parts]
    users, numbers = users_of(record), numbers_of(record)
    values.append(_array(users) if users else None)
    named = {quoted(name): value for name, value in numbers.items()}
    values.append(orjson.dumps(named).decode() if numbers else None)
    counted = counted_of(record)
    values += [quoted(counted.who), counted.slot, quoted(counted.model), quoted(counted.provider)]
    tokens = counted.tokens
    values.append(None if tokens is None else "{" + ",".join(map(repr, tokens)) + "}")
    text = joined(parts_of(record))
    return [*values, *_searchable(text)]


def record_of(row: Sequence[Any]) -> Record:
    """Return the record of a row selected by `SELECTED`."""
    values = list(row)
    for at in _TEXTS:
        if values[at] is not None and _MARK in values[at]:
            values[at] = unquoted(values[at])
    values[_FIRST_JSON:] = [None if text is None else text.encode() for text in row[_FIRST_JSON:]]
    return Record._make(values)


def tsquery(wanted: Sequence[Term]) -> str | None:
    """Return these terms in PostgreSQL's query language; None if a word is too long for it."""
    if any(len(word) > _LONGEST for term in wanted for word in term.words):
        return None
    phrases = []
    for term in wanted:
        each = [f"'{word}'" for word in term.words]
        each[-1] += ":*" if term.prefix else ""
        phrases.append(f"({' <-> '.join(each)})")
    return " & ".join(phrases)


def _array(values: list[str]) -> str:
    """Return the literal of a text array."""
    escaped = (quoted(v).replace("\\", "\\\\").replace('"', '\\"') for v in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"


def _searchable(text: str) -> tuple[str | None, str | None]:
    """Return `words` and `long_words`, one of which is None."""
    found = text.split()
    if len(found) > _MOST_WORDS or len(text) > _MOST_CHARACTERS:
        return None, text
    if max(map(len, found), default=0) > _LONGEST:
        return None, text
    if len(found) > _MOST_OF_ONE and max(Counter(found).values()) > _MOST_OF_ONE:
        return None, text
    # PostgreSQL collects the positions of a word.
    return " ".join([f"'{word}':{at}" for at, word in enumerate(found, 1)]), None
