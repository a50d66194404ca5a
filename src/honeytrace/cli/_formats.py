"""The formats of `export`: each takes records and writes them to a binary stream."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

from .._record.record import OBJECTS, Record
from ..errors import HoneytraceError
from ._target import session_json

__all__ = ["COLUMNS", "FORMATS", "Writer"]

Writer = Callable[[Iterable[Record], IO[bytes]], None]

COLUMNS = (
    *("session_id", "session_name", "project", "source", "status", "parent_id", "root_id"),
    *("event_type", "start_time", "end_time", "duration", "error", "children_ids"),
    *OBJECTS,
)
"""Of CSV and Parquet, where objects and lists are JSON text."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of text that spreadsheets run as a formula (OWASP, "CSV Injection")."""

_ROW_GROUP = 10_000


def json_lines(records: Iterable[Record], file: IO[bytes]) -> None:
    """A session on a line, as docs/cli.md describes it."""
    for record in records:
        file.write(session_json(record) + b"\n")


def csv_rows(records: Iterable[Record], file: IO[bytes]) -> None:
    """Write RFC 4180 in UTF-8 with a header; an absent value is empty.

    Text that a spreadsheet would take for a formula, and run, gets a single quote before it.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for record in records:
        rows.writerow([_harmless(_cell(value)) for value in _values(record)])
    text.detach()


def parquet(records: Iterable[Record], file: IO[bytes]) -> None:
    """Parquet; times are timestamps in UTC, durations milliseconds."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped] # ships no types
        from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]
    except ImportError as missing:
        raise HoneytraceError(
            f'Parquet needs {missing.name}: pip install "honeytrace[parquet]"'
        ) from None
    kinds: dict[str, Any] = {
        **dict.fromkeys(("start_time", "end_time"), pa.timestamp("us", tz="UTC")),
        "duration": pa.float64(),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(records):
            columns = zip(*(_typed(record) for record in group), strict=True)
            arrays = [
                pa.array(column, each.type) for column, each in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))


FORMATS: dict[str, Writer] = {"jsonl": json_lines, "csv": csv_rows, "parquet": parquet}


def _values(record: Record) -> Sequence[Any]:
    named = {"session_id": record.event_id, "session_name": record.event_name}
    return [named.get(name) or getattr(record, name) for name in COLUMNS]


def _cell(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _typed(record: Record) -> list[Any]:
    """Return times in whole microseconds, the unit of the schema's timestamps."""
    cells = [_cell(value) for value in _values(record)]
    for place in (COLUMNS.index("start_time"), COLUMNS.index("end_time")):
        if cells[place] is not None:
            cells[place] = round(cells[place] * 1000)
    return cells


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while group := list(islice(rest, _ROW_GROUP)):
        yield group
