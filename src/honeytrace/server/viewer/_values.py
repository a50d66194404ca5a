"""Recorded values as the templates draw them: by shape, and bounded whatever their size.

A page holds the beginning of everything and says how much is left; the rest is a click away, raw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import orjson

from ..._display.shapes import Part, parts

__all__ = ["Node", "Shown", "Text", "nodes", "shown"]

_HEAD = 700
"""Characters of a text that are seen at once,"""
_LONGEST = 20_000
"""and that the page holds; the rest is in the raw value."""
_NODES = 600
"""Of one value's JSON tree."""
_DEPTH = 12
_ITEMS = 100
"""Of one object or list."""
_MOST = 60
"""Messages or documents of one value."""


@dataclass(frozen=True)
class Text:
    """A text's beginning, all of it that the page holds (empty when that is no more), and how many
    characters are left out."""

    head: str
    all: str
    left: int

    @classmethod
    def of(cls, text: str, head: int = _HEAD) -> Text:
        lines = text[:head].split("\n", 14)
        begin = "\n".join(lines[:14])
        if len(begin) == len(text):
            return cls(text, "", 0)
        return cls(begin, text[:_LONGEST], max(0, len(text) - _LONGEST))


@dataclass(frozen=True)
class Node:
    """One value of a JSON tree: a leaf with its text, or an object or list with what is inside."""

    key: str
    kind: Literal["object", "list", "text", "number", "word"]
    text: Text
    """Of an object or list: what stands for it when folded."""
    inside: Sequence[Node] = field(default=())
    left: int = 0
    """Items that are not drawn."""
    open: bool = False


@dataclass(frozen=True)
class Turn:
    """A message of a conversation."""

    role: str
    text: Text
    rest: Sequence[Node]


@dataclass(frozen=True)
class Card:
    """A retrieved document."""

    title: str
    score: str
    text: Text
    rest: Sequence[Node]


@dataclass(frozen=True)
class Shown:
    """A value and how to draw it; of the last four fields, the one that `kind` needs is filled."""

    key: str
    kind: Literal["chat", "documents", "text", "json"]
    turns: Sequence[Turn] = field(default=())
    cards: Sequence[Card] = field(default=())
    text: Text | None = None
    nodes: Sequence[Node] = field(default=())
    left: int = 0
    """Messages or documents that are not drawn."""


def shown(fields: Mapping[str, Any]) -> list[Shown]:
    """Each value of `inputs`, `outputs` or the like by its shape; at most 100 of them."""
    return [_shown(part) for part in islice(parts(fields), _ITEMS)]


def _shown(part: Part) -> Shown:
    if part.kind == "text":
        return Shown(part.key, "text", text=Text.of(part.value))
    if part.kind == "chat":
        turns = [
            Turn(each.role, Text.of(each.text), nodes(each.rest, 0))
            for each in part.messages[:_MOST]
        ]
        return Shown(part.key, "chat", turns=turns, left=len(part.messages) - len(turns))
    if part.kind == "documents":
        cards = [
            Card(each.title, _number(each.score), Text.of(each.text, 320), nodes(each.rest, 0))
            for each in part.documents[:_MOST]
        ]
        return Shown(part.key, "documents", cards=cards, left=len(part.documents) - len(cards))
    if isinstance(part.value, (dict, list)):
        return Shown(part.key, "json", nodes=[_Drawing().node("", part.value, 0)])
    return Shown("", "json", nodes=nodes({part.key: part.value}))


def nodes(fields: Mapping[str, Any], opened: int = 2) -> Sequence[Node]:
    """The values of an object as JSON trees, small ones unfolded down to a level."""
    return _Drawing(opened).inside(fields.items(), 0)


class _Drawing:
    """Makes nodes until there are enough of them."""

    def __init__(self, opened: int = 2) -> None:
        self._free = _NODES
        self._opened = opened

    def node(self, key: str, value: Any, depth: int) -> Node:
        self._free -= 1
        if isinstance(value, str):
            return Node(key, "text", Text.of(value, 300))
        if not isinstance(value, (dict, list)):
            kind: Literal["number", "word"] = "word"
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                kind = "number"
            return Node(key, kind, Text.of(orjson.dumps(value).decode()))
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        inside = self.inside(pairs, depth + 1) if depth < _DEPTH else []
        return Node(
            key,
            "object" if isinstance(value, dict) else "list",
            Text(_hint(value), "", 0),
            inside,
            len(value) - len(inside),
            open=depth < self._opened and len(value) <= 12,
        )

    def inside(self, pairs: Any, depth: int) -> list[Node]:
        found: list[Node] = []
        for key, value in islice(pairs, _ITEMS):
            if self._free <= 0:
                break
            found.append(self.node(str(key), value, depth))
        return found


def _hint(value: dict[str, Any] | list[Any]) -> str:
    """What a folded object or list says of itself."""
    if isinstance(value, list):
        return "[ ]" if not value else f"[ {len(value)} ]"
    keys = ", ".join(key[:20] for key in islice(value, 4))
    return "{ }" if not value else f"{{ {keys}{', …' if len(value) > 4 else ''} }}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
