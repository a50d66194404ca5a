"""Recorded values for the templates, by shape: conversations, documents, tables, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from ..._display.messages import Message, listed
from ..._display.pieces import (
    Data,
    Image,
    Piece,
    Thought,
    ToolCall,
    ToolResult,
    call_text,
    is_pixels,
)
from ..._display.shapes import Part, parts
from ._nodes import ITEMS, Node, Text, nodes, tree

__all__ = ["Block", "Card", "Shown", "Table", "Turn", "block", "shown", "turn"]

_MOST = 60
"""Most messages or documents of one value."""

_ROWS = 50
"""Most rows of one table."""

_CELL = 120
"""Most characters of one cell."""

_PIXELS = 3_000_000
"""Most characters of an image's address in a page."""


@dataclass(frozen=True)
class Block:
    """A piece of a message; `kind` selects the way to draw it and the fields that are filled."""

    kind: Literal["prose", "thought", "call", "result", "image", "json"]
    text: Text | None = None
    """The text, or the address of an image that cannot be shown."""
    line: str = ""
    """The tool call as a line of code, or the name of the tool that answers."""
    nodes: Sequence[Node] = field(default=())
    """The arguments of a call if the line does not hold all of them, or other content."""
    result: Sequence[Shown] = field(default=())
    """The result of a tool."""
    source: str = ""
    """The address of a bitmap image."""
    failed: bool = False
    open: bool = False
    """True if the result of a call is shown unfolded."""
    session_id: str = ""
    """The session in which the tool ran, if it was recorded; then also its duration."""
    duration: float | None = None


@dataclass(frozen=True)
class Turn:
    """A message of a conversation."""

    role: str
    blocks: Sequence[Block]
    rest: Sequence[Node]


@dataclass(frozen=True)
class Card:
    """A retrieved document."""

    title: str
    score: str
    text: Text
    rest: Sequence[Node]


@dataclass(frozen=True)
class Table:
    """A table of uniform records."""

    columns: Sequence[str]
    rows: Sequence[Sequence[tuple[str, bool]]]
    """The text of each cell, with a flag for numbers."""


@dataclass(frozen=True)
class Shown:
    """A value and the way to draw it; of the fields from `turns` on, only the one for `kind` is
    filled."""

    key: str
    kind: Literal["chat", "documents", "table", "text", "image", "json"]
    turns: Sequence[Turn] = field(default=())
    cards: Sequence[Card] = field(default=())
    table: Table | None = None
    text: Text | None = None
    image: Block | None = None
    nodes: Sequence[Node] = field(default=())
    left: int = 0
    """Number of messages, documents or rows that are not drawn."""


def shown(fields: Mapping[str, Any], *, markdown: bool = True) -> list[Shown]:
    """Return the values of `inputs`, `outputs` or the like by their shape; at most 100.

    `markdown`: render texts with marks of markdown; otherwise texts are shown as written.
    """
    return [_shown(part, markdown) for part in islice(parts(fields), ITEMS)]


def turn(message: Message, *, markdown: bool = True) -> Turn:
    """Return a message for the templates."""
    blocks = [block(each, markdown=markdown) for each in message.pieces[:ITEMS]]
    return Turn(message.role, blocks, nodes(message.rest, 0))


def block(piece: Piece, *, markdown: bool = True) -> Block:
    """Return a piece of a message for the templates."""
    if isinstance(piece, ToolCall):
        line = call_text(piece)
        if not line.endswith("…)"):
            return Block("call", line=line)
        arguments = piece.arguments if isinstance(piece.arguments, dict) else {"": piece.arguments}
        return Block("call", line=line, nodes=nodes(arguments))
    if isinstance(piece, ToolResult):
        result = shown({"": piece.value}, markdown=markdown)
        return Block("result", line=piece.name, result=result, failed=piece.failed)
    if isinstance(piece, Image):
        return _image(piece.source)
    if isinstance(piece, Data):
        value = piece.value if isinstance(piece.value, dict) else {"": piece.value}
        return Block("json", nodes=nodes(value, 0))
    kind: Literal["prose", "thought"] = "thought" if isinstance(piece, Thought) else "prose"
    return Block(kind, text=Text.of(piece.text, markdown=markdown))


def _image(source: str) -> Block:
    if len(source) <= _PIXELS and is_pixels(source):
        return Block("image", source=source)
    return Block("image", text=Text.of(source, 200))


def _shown(part: Part, markdown: bool) -> Shown:
    if part.kind == "text":
        return Shown(part.key, "text", text=Text.of(part.value, markdown=markdown))
    if part.kind == "image":
        return Shown(part.key, "image", image=_image(part.value))
    if part.kind == "chat":
        turns = [turn(each, markdown=markdown) for each in part.messages[:_MOST]]
        return Shown(part.key, "chat", turns=turns, left=len(part.messages) - len(turns))
    if part.kind == "documents":
        cards = [
            Card(each.title, _number(each.score), Text.of(each.text, 320), nodes(each.rest, 0))
            for each in part.documents[:_MOST]
        ]
        return Shown(part.key, "documents", cards=cards, left=len(part.documents) - len(cards))
    if part.kind == "table":
        items = listed(part.value)
        rows = [[_cell(item.get(name, "")) for name in part.columns] for item in items[:_ROWS]]
        table = Table(part.columns, rows)
        return Shown(part.key, "table", table=table, left=len(part.value) - len(rows))
    if isinstance(part.value, (dict, list)):
        return Shown(part.key, "json", nodes=[tree(part.value)])
    return Shown("", "json", nodes=nodes({part.key: part.value}))


def _cell(value: Any) -> tuple[str, bool]:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value], False
    if isinstance(value, (int, float)):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}", True
    text = str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…", False


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
