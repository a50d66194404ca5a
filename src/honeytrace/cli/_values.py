"""Recorded values for people: a conversation, documents, text, or JSON, each within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .._display.pieces import Data, Image, Piece, ToolCall, ToolResult, call_text
from .._display.shapes import Part, parts
from ._line import Line
from ._terminal import bounded, one_line, out, write

__all__ = ["FULL", "USUAL", "Bounds", "block", "json_text", "title", "values"]


class Bounds(NamedTuple):
    """Bounds of printed values: a text, a message, document or string in JSON, and a list."""

    lines: int
    characters: int
    excerpt: int
    items: int


USUAL = Bounds(24, 4_000, 400, 12)
FULL = Bounds(*[1 << 62] * 4)

_NAME, _FLAT = 60, 60
"""Characters of a name, and of JSON that still stands on one line."""

_LINE = 100
"""Columns of a value beside its name, where the terminal has so many."""


def title(text: str) -> None:
    """The heading of a section."""
    write()
    write(Line(text, "bold underline"))


def values(fields: Mapping[str, Any], bounds: Bounds) -> None:
    """The values of a field such as `inputs`, each by its shape."""
    for part in parts(fields):
        _DRAWN[part.kind](part, bounds)


def block(text: str, bounds: Bounds, style: str = "", indent: int = 4) -> None:
    """Text over several lines, indented, also where a terminal wraps it."""
    for line in bounded(text, lines=bounds.lines, chars=bounds.characters):
        write(Line(line.rstrip(), style), indent=indent)


def _text(part: Part, bounds: Bounds) -> None:
    _named(part.key, part.value, bounds)


def _json(part: Part, bounds: Bounds) -> None:
    text = _short_json(part.value, bounds)
    if len(text) > _FLAT and isinstance(part.value, (dict, list)):
        text = _short_json(part.value, bounds, orjson.OPT_INDENT_2)
    _named(part.key, text, bounds)


def _named(key: str, text: str, bounds: Bounds) -> None:
    name = one_line(key, _NAME)
    if _fits(name, text):
        write(Line.assemble((f"  {name}", "cyan"), "  ", one_line(text)))
    else:
        write(Line(f"  {name}", "cyan"))
        block(text, bounds)


def _fits(name: str, text: str) -> bool:
    """Return True if a value fits on one line with its name."""
    return "\n" not in text and len(name) + len(text) + 8 <= min(out().width, _LINE)


def _chat(part: Part, bounds: Bounds) -> None:
    write(Line(f"  {one_line(part.key, _NAME)}", "cyan"))
    excerpt = bounds._replace(characters=3 * bounds.excerpt)
    for message in part.messages[: bounds.items]:
        write(Line(f"    {one_line(message.role, 40)}", "magenta"))
        if message.text:
            block(message.text, excerpt, indent=6)
        for each in message.others:
            block(_piece(each, bounds), excerpt, "dim" if each.kind == "thought" else "", 6)
        if message.rest:
            block(_short_json(dict(message.rest), bounds), excerpt, "dim", 6)
    _left_out(len(part.messages), bounds)


def _piece(piece: Piece, bounds: Bounds) -> str:
    """Return a message's part other than text as a line or as JSON."""
    if isinstance(piece, ToolCall):
        return "▸ " + call_text(piece, bounds.excerpt)
    if isinstance(piece, ToolResult):
        value = piece.value
        return "← " + (value if isinstance(value, str) else _short_json(value, bounds))
    if isinstance(piece, Image):
        return f"[image {piece.source[:60]}]"
    if isinstance(piece, Data):
        return _short_json(piece.value, bounds)
    return piece.text


def _documents(part: Part, bounds: Bounds) -> None:
    write(Line(f"  {one_line(part.key, _NAME)}", "cyan"))
    excerpt = bounds._replace(characters=bounds.excerpt)
    for number, document in enumerate(part.documents[: bounds.items], start=1):
        head = Line.assemble((f"    {number}. ", "dim"), (one_line(document.title, 100), "bold"))
        if document.score is not None:
            head.append(f"  {document.score:.3g}", "green")
        text = document.text
        if not document.title and document.score is None and _fits("", text):
            head.append(one_line(text))
            text = ""
        write(head)
        if text:
            block(text, excerpt, indent=7)
        if document.rest:
            block(_short_json(dict(document.rest), bounds), excerpt, "dim", 7)
    _left_out(len(part.documents), bounds)


_DRAWN = {
    "text": _text,
    "json": _json,
    "chat": _chat,
    "documents": _documents,
    "table": _json,
    "image": _text,
}


def _left_out(number: int, bounds: Bounds) -> None:
    if number > bounds.items:
        write(Line(f"    … {number - bounds.items:,} more (--full shows them)", "dim"))


def json_text(value: Any, option: int = 0) -> str:
    """The value as JSON; it cannot be written when it is nested deeper than orjson goes."""
    try:
        return orjson.dumps(value, option=option).decode()
    except TypeError:
        return "(nested too deeply to be shown)"


def _short_json(value: Any, bounds: Bounds, option: int = 0) -> str:
    try:
        return json_text(value if bounds is FULL else _shortened(value, bounds), option)
    except RecursionError:
        return "(nested too deeply to be shown)"


def _shortened(value: Any, bounds: Bounds) -> Any:
    """The value with its long strings cut, so that one does not hide all the others."""
    if isinstance(value, str) and len(value) > bounds.excerpt:
        return f"{value[: bounds.excerpt]}… ({len(value) - bounds.excerpt:,} more)"
    if isinstance(value, dict):
        return {name: _shortened(each, bounds) for name, each in value.items()}
    return [_shortened(each, bounds) for each in value] if isinstance(value, list) else value
