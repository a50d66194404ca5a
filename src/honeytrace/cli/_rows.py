"""Sessions as rows: aligned columns with a header, chosen fields, or JSON Lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from .._display.summary import summary
from .._display.text import duration_text
from .._record.record import OBJECTS, Record
from .._record.wire import decode
from ..lookup.running import RUNNING
from ..lookup.usage import UNKNOWN_MODEL, Usage
from ..store import Reader
from ._line import Line, cells, padded
from ._target import SHORT, session_json
from ._terminal import MARKS, clock, emit, one_line, out, write
from ._usage import page_usage, short_cost

if TYPE_CHECKING:
    from ..lookup.marks import Marker

__all__ = ["Rows", "as_cell", "field_values", "parse_fields"]

_NAME, _NARROWEST, _MODEL = 32, 16, 24
"""Columns of a name, of a name before the time goes, and of a model."""

_STAMP = ("commit", "code", "versions")
_FIELDS = (
    *("session_id", "session_name", "project", "source", "status", "start_time", "end_time"),
    *("duration", "error", "parent_id", "root_id", "event_type", "children_ids", *OBJECTS),
    *("model", "tokens", "cost", *_STAMP),
)
_FIRST_TO_GO = ("cost", "model", "tokens", "started", "#", "took")
"""Columns that a narrow terminal is not shown, the first of them first."""


def parse_fields(text: str) -> list[str]:
    """Return the names in `name,status,metrics.score`; raises BadParameter for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    names = [{"id": "session_id", "name": "session_name"}.get(name, name) for name in names]
    unknown = [name for name in names if name.split(".")[0] not in _FIELDS]
    if unknown or not names:
        listed = ", ".join(_FIELDS)
        raise click.BadParameter(f"no field {unknown}: a session has {listed}, and keys inside")
    return names


class Rows:
    """Prints sessions one on a line, in columns that grow with the values they have to hold."""

    def __init__(
        self,
        reader: Reader | None = None,
        *,
        as_json: bool = False,
        fields: Sequence[str] = (),
        numbered: bool = False,
        marks: bool = False,
    ) -> None:
        """
        reader: where the usage of the calls inside a session is read; None leaves usage out.
        fields: print these fields instead of the usual columns.
        numbered: begin rows with #1, #2, …, which commands then take in place of an id.
        marks: tell what is unusual about each run, which reads the runs before it, too.
        """
        self._reader = reader
        self._as_json = as_json
        self._fields = fields
        self._numbered = numbered
        self._marks = marks
        self._marker: Marker | None = None
        self._widths: dict[str, int] = {}
        self._header_is_due = True

    def print(self, records: Sequence[Record]) -> None:
        if not records:
            return
        usages = {} if self._reader is None else page_usage(self._reader, records)
        if self._fields:
            self._print_fields(records, usages)
        elif self._as_json:
            for record in records:
                usage = usages.get(record.event_id)
                extra = b',"usage":' + orjson.dumps(usage.to_dict()) if usage else b""
                if self._marks:
                    extra += b',"marks":' + orjson.dumps(self._kinds(record))
                emit(session_json(record)[:-1] + extra + b"}")
        else:
            self._print_columns(records, usages)

    def _print_fields(self, records: Sequence[Record], usages: Mapping[str, Usage]) -> None:
        known = self._codes(records)
        for record in records:
            usage = usages.get(record.event_id, Usage())
            found = field_values(record, usage, self._fields, known.get(record.event_id))
            if self._as_json:
                emit(found)
            else:
                emit("\t".join(as_cell(value) for value in found.values()).encode())

    def _codes(self, records: Sequence[Record]) -> dict[str, dict[str, Any]]:
        """Return commit and versions of each session by id, if they are to be printed."""
        wanted = {name.partition(".")[0] for name in self._fields} & {"commit", "versions"}
        if not wanted or self._reader is None:
            return {}
        from ..lookup.stamps import codes

        return {
            session_id: {"commit": code.commit or None, "versions": dict(code.versions) or None}
            for session_id, code in codes(self._reader, records).items()
        }

    def _print_columns(self, records: Sequence[Record], usages: Mapping[str, Usage]) -> None:
        console = out()
        rows = [
            self._cells(number, record, usages.get(record.event_id, Usage()))
            for number, record in enumerate(records, start=1)
        ]
        headed = console.is_terminal
        for row in rows:
            for head, cell in row.items():
                least = len(head) if headed and cell and head != "status" else 0
                self._widths[head] = max(self._widths.get(head, 0), least, cells(cell))
        shown = self._shown(console.width)
        if self._header_is_due and headed:
            heads = {head: head for head in shown} | {"status": "", "gist": ""}
            write(self._line(heads, shown, None), fit=True)
        self._header_is_due = False
        for record, row in zip(records, rows, strict=True):
            write(self._line(row, shown, record), fit=True)

    def _cells(self, number: int, record: Record, usage: Usage) -> dict[str, str]:
        tokens = "" if usage.total_tokens is None else f"{usage.total_tokens:,}"
        return {
            "#": f"#{number}" if self._numbered else "",
            "id": padded(one_line(record.event_id[:SHORT]), SHORT),
            "started": clock(record.start_time),
            "status": MARKS.get(record.status, MARKS[""])[0],
            "took": duration_text(_took(record)),
            "name": one_line(record.event_name, _NAME),
            "model": one_line(_models(usage), _MODEL),
            "tokens": tokens,
            "cost": short_cost(usage),
            "marks": " ".join(self._kinds(record)) if self._marks else "",
            "gist": _gist(record),
        }

    def _kinds(self, record: Record) -> list[str]:
        """Return the kinds of marks in the tree of a run."""
        if self._reader is None:
            return []
        if self._marker is None:
            from ..lookup.marks import Marker

            self._marker = Marker(self._reader)
        from ..lookup.marks import kinds_of

        return kinds_of(record, self._marker.of([record])[record.event_id])

    def _shown(self, columns: int) -> list[str]:
        """Return the columns that fit and of which any row has a value."""
        heads = [head for head in self._widths if self._widths[head] and head != "gist"]
        widths = self._widths | {"name": min(self._widths["name"], _NARROWEST)}
        for head in _FIRST_TO_GO:
            if sum(widths[each] + 2 for each in heads) <= columns + 2:
                break
            heads = [each for each in heads if each != head]
        return heads

    def _line(self, row: Mapping[str, str], shown: Sequence[str], record: Record | None) -> Line:
        line = Line()
        for head in shown:
            width = self._widths[head]
            cell, style = row[head], "dim"
            if record is not None:
                style = {"id": "cyan", "name": "bold", "started": "dim", "#": "dim"}.get(head, "")
                if head == "status":
                    style = MARKS.get(record.status, MARKS[""])[1]
            right = head in ("took", "tokens", "cost")
            text = " " * (width - cells(cell)) + cell if right else padded(cell, width)
            line.append(("  " if head != shown[0] else "") + text, style)
        failed = record is not None and record.status == "error"
        line.append(f"  {row['gist']}", "red" if failed else "dim")
        line.rstrip()
        return line


def _took(record: Record) -> float | None:
    """Return the milliseconds a call took, or has been running."""
    if record.status == RUNNING:
        return max(time.time() * 1000 - record.start_time, 0.0)
    return record.duration


def _models(usage: Usage) -> str:
    return ", ".join(name for name in usage.models if name != UNKNOWN_MODEL)


def field_values(
    record: Record, usage: Usage, names: Sequence[str], code: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the values of these fields; None for one that the session does not have. `code`:
    `commit` and `versions`, where they are known from another session."""
    values = decode(record)
    values |= {name: values["details"].get(name) for name in _STAMP}
    values |= code or {}
    values |= {"model": _models(usage), "tokens": usage.total_tokens, "cost": usage.cost}
    return {name: _inside(values, name) for name in names}


def _inside(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at `metrics.score`; None where there is none."""
    found: Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def as_cell(value: Any) -> str:
    """Return a value in one line; empty for None."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return one_line(text, 10_000)


def _gist(record: Record) -> str:
    """Return the text that distinguishes a call from others of its name: an error or an input."""
    if record.error is not None:
        return one_line(record.error)
    if record.status != "ok":
        return f"({one_line(record.status, 40)})"
    return one_line(summary(record.inputs))
