"""Records as rows of ClickHouse and back, with the derived columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._record.record import Record
from ._derived import Counted, counted_of, numbers_of, users_of
from ._words import joined

__all__ = ["COLUMNS", "FIELDS", "SELECTED", "record_of", "row_of"]

FIELDS = Record._fields
SELECTED = ", ".join(FIELDS)
COLUMNS = (
    "tenant",
    *FIELDS,
    "users",
    "numbers",
    *Counted._fields,
    "words",
    "place",
    "changed",
    "version",
    "writes",
    "deleted",
)
_FIRST_JSON = 13
_PARENT = 2
_INPUTS = FIELDS.index("inputs") - _FIRST_JSON
_OUTPUTS = FIELDS.index("outputs") - _FIRST_JSON


def row_of(
    tenant: str,
    record: Record,
    *,
    place: int,
    changed: int,
    version: int,
    writes: Sequence[int] = (),
    deleted: bool = False,
) -> list[Any]:
    """Return the values of `COLUMNS`; an empty text stands for no parent and for no JSON."""
    parts: tuple[Any, ...] = record[_FIRST_JSON:]
    texts = ["" if part is None else part.decode() for part in parts]
    counted = counted_of(record)
    searched = record.event_name, record.error, texts[_INPUTS], texts[_OUTPUTS]
    return [
        tenant,
        *record[:_PARENT],
        record.parent_id or "",
        *record[_PARENT + 1 : _FIRST_JSON],
        *texts,
        users_of(record),
        numbers_of(record),
        *counted[:-1],
        counted.tokens or [],
        "" if deleted else joined(searched),
        place,
        changed,
        version,
        list(writes),
        int(deleted),
    ]


def record_of(row: Sequence[Any]) -> Record:
    """Return the record of a row selected by `SELECTED`."""
    values = list(row[: len(FIELDS)])
    values[_PARENT] = values[_PARENT] or None
    children, *parts = values[_FIRST_JSON:]
    values[_FIRST_JSON:] = [children.encode(), *(part.encode() or None for part in parts)]
    return Record._make(values)
