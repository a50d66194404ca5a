"""Text and JSON trees as the templates draw them, bounded whatever their size.

A page holds the beginning of everything and says how much is left; the rest is a click away, raw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import orjson
from markupsafe import Markup

from ._markdown import looks_like_markdown, render

__all__ = ["ITEMS", "Node", "Text", "nodes", "tree"]

_HEAD = 700
"""Characters of a text that are seen at once."""

_SLACK = 120
"""Characters that are not worth folding away."""

_LONGEST = 20_000
"""Characters of a text that the page holds; the rest is in the raw value."""

_NODES = 600
"""Nodes of one value's JSON tree."""

_DEPTH = 12
"""Levels of a JSON tree."""

ITEMS = 100
"""Items of one object or list."""


@dataclass(frozen=True)
class Text:
    """A text: its beginning, all of it that the page holds (empty when that is no more than the
    beginning), and how many characters are left out of the page."""

    head: str
    all: str
    left: int
    html: Markup | None = None
    """The text as markdown, in place of what `head` and `all` say; None for text as it is."""

    @classmethod
    def of(cls, text: str, head: int = _HEAD, *, markdown: bool = False) -> Text:
        """`text`, folded behind its first 14 lines and `head` characters.

        `markdown`: render it where it has any of markdown's marks.
        """
        html = render(text) if markdown and looks_like_markdown(text) else None
        lines = text[:head].split("\n", 14)
        begin = "\n".join(lines[:14])
        rest = text[len(begin) : len(begin) + _SLACK + 1]
        if len(rest) <= _SLACK and rest.count("\n") <= 2:
            return cls(text, "", 0, html)
        return cls(begin, text[:_LONGEST], max(0, len(text) - _LONGEST), html)

    @property
    def unfold(self) -> str:
        """The label of what shows the rest of a folded text."""
        held = len(self.all)
        if self.left:
            return f"Show the first {held:,} of {held + self.left:,} characters"
        return f"Show all {held:,} characters"


@dataclass(frozen=True)
class Node:
    """One value of a JSON tree: a leaf with its text, or an object or list with what is inside."""

    key: str
    kind: Literal["object", "list", "text", "number", "word"]
    text: Text
    """The text of a leaf; for an object or list, the hint that stands for it when folded."""
    inside: Sequence[Node] = field(default=())
    left: int = 0
    """Items that are not drawn."""
    open: bool = False


def nodes(fields: Mapping[str, Any], opened: int = 2) -> Sequence[Node]:
    """The values of an object as JSON trees, small ones unfolded down to a level."""
    return _Drawing(opened).inside(fields.items(), 0)


def tree(value: Any) -> Node:
    """An object or a list as one JSON tree."""
    return _Drawing().node("", value, 0)


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
        for key, value in islice(pairs, ITEMS):
            if self._free <= 0:
                break
            found.append(self.node(str(key), value, depth))
        return found


def _hint(value: dict[str, Any] | list[Any]) -> str:
    """The short form of a folded object or list."""
    if isinstance(value, list):
        return "[ ]" if not value else f"[ {len(value)} ]"
    keys = ", ".join(key[:20] for key in islice(value, 4))
    return "{ }" if not value else f"{{ {keys}{', …' if len(value) > 4 else ''} }}"
