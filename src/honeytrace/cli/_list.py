"""`list`, `search` and `tail`: sessions, one on a line."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click
import orjson
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from .._display.text import duration_text
from .._record.record import Record
from ..store import Query, Reader
from ..store.memory import MemoryStore
from . import _options
from ._target import SHORT, missed, session_json, told
from ._terminal import MARKS, clock, emit, one_line, out, patience, say, write
from ._usage import page_usage

_limit = click.option(
    "--limit", "-n", metavar="N", type=_options.limit, default="20", help="Show at most N."
)
_nested = click.option("--all", "-a", "nested", is_flag=True, help="Include nested calls.")

_POLL = 0.3
"""Seconds between two looks at the store; a process delivers every half second at the earliest."""

_NAME, _NARROWEST = 32, 16
"""Columns of a name, and of what a narrow terminal shows of it before the time goes."""

_PARSED = 20_000
"""Bytes of inputs that are parsed for the sake of one line."""


@click.command("list")
@_limit
@_nested
@_options.store
@_options.as_json
@_options.filtered
def list_(query: Query, limit: int, nested: bool, store: str | None, as_json: bool) -> None:
    """List the newest runs, newest first."""
    with told(store) as reader:
        with patience("looking"):
            found = reader.list(query._replace(limit=limit, roots_only=not nested))
        Lines(as_json, reader).print(found)
        if not found:
            say(missed(reader, reader.where, "no session meets these conditions"))


@click.command()
@click.argument("words", metavar="WORD...", nargs=-1, required=True)
@_limit
@click.option("--roots", is_flag=True, help="Leave nested calls out.")
@_options.store
@_options.as_json
@_options.filtered
def search(
    query: Query,
    words: tuple[str, ...],
    limit: int,
    roots: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Search names, inputs, outputs and errors for calls that have every word.

    The last word may be the beginning of one.
    """
    with told(store) as reader:
        text = " ".join(words)
        with patience("searching"):  # the first search of a large store makes the text index
            found = reader.list(query._replace(text=text, limit=limit, roots_only=roots))
        Lines(as_json, reader).print(found)
        if not found:
            say(missed(reader, reader.where, f"no session has {one_line(text, 60)!r}"))


@click.command()
@click.option(
    "--lines",
    "-n",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    help="Show the newest N first.",
)
@_nested
@_options.store
@_options.as_json
@_options.filtered
def tail(query: Query, lines: int, nested: bool, store: str | None, as_json: bool) -> None:
    """Follow sessions as they end, until Ctrl-C."""
    query = query._replace(roots_only=not nested)
    # the program to be followed may be what makes the store
    with told(store, create=True) as reader:
        place = reader.arrived(None).last
        shown = reader.list(query._replace(limit=lines))[::-1] if lines else []
        printed = Lines(as_json)
        printed.print(shown)
        if not shown:
            say(f"waiting for sessions in {reader.where}")
        known = {record.event_id for record in shown}  # one may have arrived in between
        while True:
            arrived, place = reader.arrived(place)
            new = [record for record in arrived if record.event_id not in known]
            printed.print(_meeting(query, new))
            if not arrived:
                time.sleep(_POLL)


def _meeting(query: Query, records: Sequence[Record]) -> list[Record]:
    """Those that meet the conditions, in their order."""
    held = MemoryStore()
    held.insert(records)
    met = {record.event_id for record in held.list(query._replace(limit=len(records)))}
    return [record for record in records if record.event_id in met]


class Lines:
    """Prints sessions one on a line, in columns that grow with what they have to hold."""

    def __init__(self, as_json: bool, reader: Reader | None = None) -> None:
        """`reader`: where the usage of what ran inside is read, for JSON; None leaves it out."""
        self._as_json = as_json
        self._reader = reader
        self._widths = [8, 7, 8]
        self._columns = 0

    def print(self, records: Sequence[Record]) -> None:
        if self._as_json:
            usages = {} if self._reader is None else page_usage(self._reader, records)
            for record in records:
                usage = usages.get(record.event_id)
                extra = b',"usage":' + orjson.dumps(usage.to_dict()) if usage else b""
                emit(session_json(record)[:-1] + extra + b"}")
            return
        cells = [
            (clock(r.start_time), duration_text(r.duration), one_line(r.event_name, _NAME))
            for r in records
        ]
        self._columns = out().width  # anew, since `tail` may outlive it
        for row in cells:
            self._widths = [*map(max, self._widths, map(cell_len, row))]
        for record, row in zip(records, cells, strict=True):
            write(self._line(record, *row), fit=True)

    def _line(self, record: Record, moment: str, took: str, name: str) -> Text:
        mark, style = MARKS.get(record.status, MARKS[""])
        time_width, took_width, name_width = self._widths
        free = self._columns - SHORT - len("  ✓  ") - min(name_width, _NARROWEST)
        line = Text.assemble(
            (set_cell_size(one_line(record.event_id[:SHORT]), SHORT), "cyan"),
            (f"  {moment:{time_width}}" if free >= time_width + took_width + 3 else "", "dim"),
            (f"  {mark}", style),
            f" {took:>{took_width}}" if free > took_width else "",
            "  ",
            (set_cell_size(name, name_width), "bold"),
            (f"  {_gist(record)}", "red" if record.status == "error" else "dim"),
        )
        line.rstrip()
        return line


def _gist(record: Record) -> str:
    """What tells this call from others of its name: how it failed, else what it was given first."""
    if record.error is not None:
        return one_line(record.error)
    if record.status != "ok":
        return f"({one_line(record.status, 40)})"
    inputs = record.inputs or b"{}"
    if len(inputs) > _PARSED:
        return one_line(inputs[:_PARSED].decode(errors="ignore"))
    first = next(iter(orjson.loads(inputs).values()), "")
    return one_line(first if isinstance(first, str) else orjson.dumps(first).decode())
