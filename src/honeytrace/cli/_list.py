"""`list`, `search` and `tail`: sessions, one on a line."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from .._record import Record
from .._recorded import duration_text
from ..store import Query
from ..store.memory import MemoryStore
from ._find import SHORT, opened, session_json
from ._options import AsJson, StorePath, filtered
from ._terminal import MARKS, clock, emit, one_line, say, write

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")]

_POLL = 0.3
"""Seconds between two looks at the store; a process delivers every half second at the earliest."""


@filtered
def list_(
    query: Query,
    limit: Limit = 20,
    nested: Annotated[bool, typer.Option("--all", "-a", help="Nested calls as well.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """The newest runs, newest first."""
    with opened(store) as reader:
        found = reader.list(replace(query, limit=limit, roots_only=not nested))
        _print(found, as_json)
    if not found:
        say("nothing is recorded" if query == Query() else "no session meets these conditions")


@filtered
def search(
    query: Query,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="All have to occur.")],
    limit: Limit = 20,
    roots: Annotated[bool, typer.Option("--roots", help="Outermost calls alone.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Calls whose name, inputs, outputs or error have every word, newest first.

    The last word may be the beginning of one.
    """
    with opened(store) as reader:
        text = " ".join(words)
        found = reader.list(replace(query, text=text, limit=limit, roots_only=roots))
        _print(found, as_json)
    if not found:
        say(f"no session has {one_line(text, 60)!r}")


@filtered
def tail(
    query: Query,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="Begin with so many.")
    ] = 10,
    nested: Annotated[bool, typer.Option("--all", "-a", help="Nested calls as well.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Sessions as they end, until Ctrl-C; the newest ones first of all."""
    query = replace(query, roots_only=not nested)
    with opened(store) as reader:
        place = reader.arrived(None).last
        shown = reader.list(replace(query, limit=lines))[::-1] if lines else []
        _print(shown, as_json)
        known = {record.event_id for record in shown}  # one may have arrived in between
        while True:
            arrived, place = reader.arrived(place)
            new = [record for record in arrived if record.event_id not in known]
            _print(_meeting(query, new), as_json)
            if not arrived:
                time.sleep(_POLL)


def _meeting(query: Query, records: Sequence[Record]) -> list[Record]:
    """Those that meet the conditions, in their order."""
    held = MemoryStore()
    held.insert(records)
    met = {record.event_id for record in held.list(replace(query, limit=len(records)))}
    return [record for record in records if record.event_id in met]


def _print(records: Iterable[Record], as_json: bool) -> None:
    for record in records:
        if as_json:
            emit(session_json(record))
        else:
            write(_line(record), fit=True)


def _line(record: Record) -> Text:
    """A session on one line: id, time, mark, duration, name, and the gist of it."""
    failed = record.error is not None
    mark, style = MARKS.get("error" if failed else record.status, MARKS[""])
    line = Text.assemble(
        (f"{one_line(record.event_id, 60)[:SHORT]:{SHORT}}", "cyan"),
        (f"  {clock(record.start_time):>12}", "dim"),
        (f"  {mark}", style),
        f" {duration_text(record.duration):>12}  ",
        (f"{one_line(record.event_name, 60):16}", "bold"),
        "  ",
        (_gist(record), "red" if failed else "dim"),
    )
    line.rstrip()
    return line


def _gist(record: Record) -> str:
    """What tells this call from others of its name: how it failed, else what it was given."""
    if record.error is not None:
        return one_line(record.error)
    if record.status != "ok":
        return f"({one_line(record.status, 40)})"
    # cut before decoding: inputs may have megabytes
    return one_line((record.inputs or b"")[:600].decode(errors="ignore").strip("{}"))
