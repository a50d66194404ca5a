"""Text and JSON trees for the templates, bounded in size.

A page holds the beginning of each value and says how much is left. The rest is one click away in
the raw value.
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
"""Characters of a text that are shown unfolded."""

_SLACK = 120
"""A remainder of so many characters is not folded."""

_LONGEST = 20_000
"""Most characters of a text in the page; the rest is in the raw value."""

_NODES = 600
"""Most nodes of one JSON tree."""

_DEPTH = 12
"""Most levels of a JSON tree."""

ITEMS = 100
"""Most items of one object or list."""


@dataclass(frozen=True)
class Text:
    """A text: its beginning, the longer part in the page (empty if the beginning is all of it), and
    the number of characters left out."""

    head: str
    all: str
    left: int
    html: Markup | None = None
    """The text rendered as markdown, instead of `head` and `all`; None for plain text."""

    @classmethod
    def of(cls, text: str, head: int = _HEAD, *, markdown: bool = False) -> Text:
        """Return `text`, folded after its first 14 lines and `head` characters.

        `markdown`: render the text if it has any of markdown's marks.
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
        """The label of the control that unfolds the text."""
        held = len(self.all)
        if self.left:
            return f"Show the first {held:,} of {held + self.left:,} characters"
        return f"Show all {held:,} characters"


@dataclass(frozen=True)
class Node:
    """A value of a JSON tree: a leaf with its text, or an object or list with its items."""

    key: str
    kind: Literal["object", "list", "text", "number", "word"]
    text: Text
    """The text of a leaf, or the short form of a folded object or list."""
    inside: Sequence[Node] = field(default=())
    left: int = 0
    """Number of items that are not drawn."""
    open: bool = False


def nodes(fields: Mapping[str, Any], opened: int = 2) -> Sequence[Node]:
    """Return the values of an object as JSON trees, small ones unfolded down to a level."""
    return _Drawing(opened).inside(fields.items(), 0)


def tree(value: Any) -> Node:
    """Return an object or a list as one JSON tree."""
    return _Drawing().node("", value, 0)


class _Drawing:
    """A builder of nodes, up to a maximum number."""

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
    """Return the short form of a folded object or list."""
    if isinstance(value, list):
        return "[ ]" if not value else f"[ {len(value)} ]"
    keys = ", ".join(key[:20] for key in islice(value, 4))
    return "{ }" if not value else f"{{ {keys}{', …' if len(value) > 4 else ''} }}"
