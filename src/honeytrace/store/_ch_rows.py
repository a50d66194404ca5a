"""Records as rows of ClickHouse and back, with the derived columns.

`record` holds the whole session, so that reading one opens one column: each column that is opened
costs as much as decompressing 64 kB. The other columns are what queries ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from .._record.record import Record
from ._derived import Counted, counted_of, numbers_of, users_of
from ._words import joined

__all__ = ["COLUMNS", "INPUTS", "SEPARATOR", "packed", "record_of", "row_of"]

COLUMNS = (
    "tenant",
    "event_id",
    "parent_id",
    "root_id",
    "event_type",
    "event_name",
    "project",
    "source",
    "status",
    "start_time",
    "duration",
    "error",
    "children_ids",
    "record",
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
SEPARATOR = "\x1e"
"""A character that JSON text cannot contain."""

_FIRST_JSON = Record._fields.index("children_ids")
_PARTS = Record._fields[_FIRST_JSON:]
_INPUTS, _OUTPUTS = _PARTS.index("inputs"), _PARTS.index("outputs")
_NO_NUMBERS: dict[str, float] = {}
INPUTS = _INPUTS + 2
"""The position of the inputs in `record`, counted from 1; the outputs follow."""


def row_of(
    tenant: str,
    record: Record,
    *,
    place: int,
    changed: int,
    version: int,
    writes: Sequence[int] = (),
    deleted: bool = False,
) -> tuple[Any, ...]:
    """Return the values of `COLUMNS`; an empty text stands for no parent. Raises TypeError or
    ValueError for values that cannot be stored.

    Rows share their empty lists: a list for each of thousands of rows makes Python look for garbage
    in the whole process, which takes longer than the rest.
    """
    json: tuple[Any, ...] = record[_FIRST_JSON:]
    parts = ["" if part is None else part.decode() for part in json]
    counted = counted_of(record)
    searched = record.event_name, record.error, parts[_INPUTS], parts[_OUTPUTS]
    return (
        tenant,
        record.event_id,
        record.parent_id or "",
        record.root_id,
        record.event_type,
        record.event_name,
        record.project,
        record.source,
        record.status,
        record.start_time,
        record.duration,
        record.error,
        parts[0],
        "" if deleted else packed(record, parts),
        users_of(record) or (),
        numbers_of(record) or _NO_NUMBERS,
        *counted[:-1],
        counted.tokens or (),
        "" if deleted else joined(searched),
        place,
        changed,
        version,
        writes,
        int(deleted),
    )


def packed(record: Record, parts: Sequence[str]) -> str:
    """Return the fields that are not JSON as one JSON list, then the JSON parts; an empty one is
    absent. Raises TypeError or ValueError for values that cannot be stored."""
    text = SEPARATOR.join((orjson.dumps(record[:_FIRST_JSON]).decode(), *parts))
    if text.count(SEPARATOR) != len(parts):
        raise ValueError("a control character in JSON text")
    return text


def record_of(text: str) -> Record:
    """Return the record that `packed` wrote."""
    head, children, *parts = text.split(SEPARATOR)
    values: list[Any] = orjson.loads(head)
    values += [children.encode(), *(part.encode() or None for part in parts)]
    return Record._make(values)
