"""`show`: a session, the tree inside it on a timeline, and what went in and came out."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer
from rich.padding import Padding
from rich.text import Text

from .._recorded import RecordedSession, duration_text
from ._find import config, find, opened
from ._options import AsJson, StorePath
from ._terminal import MARKS, bounded, clock, emit, one_line, out, write
from ._timeline import nodes, timeline

_LINES, _CHARS, _STRING = 24, 4_000, 400
"""How much of one value, and of a string within one, is shown without --full."""

_WHOLE = 1 << 62
_LABEL = 24
_FIELDS = ("inputs", "outputs", "metrics", "feedback", "user_properties", "config", "metadata")


def show(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, its beginning, @last, or one of these and :N."),
    ] = "@last",
    full: Annotated[bool, typer.Option("--full", help="Whole values and the whole tree.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """A session with everything inside it: timeline, errors, inputs, outputs.

    ID:N is the call that has the number N in the tree of ID.
    """
    with opened(store) as reader:
        session = find(reader, wanted, config(store))
        if as_json:
            emit(_document(session))
            return
        _head(session)
        for line in timeline(session, nodes(session), full):
            write(line)
        _payload(session, full)


def as_object(session: RecordedSession) -> dict[str, Any]:
    """The session as `_find.session_json` has it."""
    apart = ("status", "parent_id", "root_id", "event_type")
    return {**session.to_dict(), **{name: getattr(session, name) for name in apart}}


def _document(session: RecordedSession) -> dict[str, Any]:
    """The session and all that is inside it, each after its parent: flat, since trees are deep."""
    _, *below = (each for each, _ in session.walk())
    return {**as_object(session), "descendants": [as_object(each) for each in below]}


def _head(session: RecordedSession) -> None:
    mark, style = MARKS.get(session.status, MARKS[""])
    write(
        Text.assemble(
            (one_line(session.session_name), "bold"),
            (f"  {mark} {one_line(session.status, 40)}", style),
            f"  {duration_text(session.duration)}",
        )
    )
    facts = {
        "id": session.session_id,
        "started": clock(session.start_time),
        "project": session.project,
        "source": session.source,
        "inside": session.parent_id,
    }
    # a line each: an id that a terminal wraps cannot be copied
    for name, fact in facts.items():
        if fact:
            write(Text.assemble((f"{name:>7}  ", "dim"), one_line(fact)))
    write()


def _payload(session: RecordedSession, full: bool) -> None:
    if session.error is not None:
        _title("error")
        _block(session.error, full, "red")
        if session.traceback:
            _block(session.traceback, full, "dim")
    for field in _FIELDS:
        values = getattr(session, field)
        if values:
            _title(field.replace("_", " "))
            for name, value in values.items():
                _value(name, value, full)


def _title(text: str) -> None:
    write()
    write(Text(text, "bold underline"))


def _value(name: str, value: Any, full: bool) -> None:
    """A short value beside its name, a long one below it."""
    text = _as_text(value, full)
    label = one_line(name, 60)
    if "\n" not in text and len(text) <= 60 and len(label) <= _LABEL:
        write(Text.assemble((f"  {label}", "cyan"), "  ", one_line(text)))
    else:
        write(Text(f"  {label}", "cyan"))
        _block(text, full)


def _as_text(value: Any, full: bool) -> str:
    """A string as it is, anything else as JSON over several lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)) and not full:
        value = _shortened(value)
    flat = orjson.dumps(value).decode()
    return flat if len(flat) <= 60 else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _shortened(value: Any) -> Any:
    """The value with its long strings cut, so that one does not hide all the others."""
    if isinstance(value, str) and len(value) > _STRING:
        return f"{value[:_STRING]}… ({len(value) - _STRING:,} more)"
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    return [_shortened(each) for each in value] if isinstance(value, list) else value


def _block(text: str, full: bool, style: str = "") -> None:
    bounds = (_WHOLE, _WHOLE) if full else (_LINES, _CHARS)
    console = out()
    for line in bounded(text, lines=bounds[0], chars=bounds[1]):
        if console.is_terminal:
            console.print(Padding(Text(line, style), (0, 0, 0, 4)))
        else:
            write(f"    {line}".rstrip())
