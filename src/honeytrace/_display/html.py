"""Recorded values as HTML: escaped, by shape, and bounded, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from itertools import islice
from typing import Any

import orjson

from .messages import Message, listed
from .pieces import (
    Data,
    Image,
    Piece,
    Thought,
    ToolCall,
    ToolResult,
    call_text,
    is_pixels,
)
from .shapes import Document, Part, parts

__all__ = ["DEEPEST", "Writer", "draw_chips", "draw_fields", "draw_text", "more", "preview"]

_MOST_TEXT = 20_000
"""Characters of one text."""

_BUDGET = 1_000_000
"""Characters in one output: recorded text and markup."""

_ELEMENT = 40
"""Characters that stand around a text."""

_FOLDED = 600
"""Characters from which on a text is folded."""

_MOST_ITEMS = 100
"""Of one list or object."""

DEEPEST = 30
"""Levels of nested elements: browsers stop at a few hundred, and so do notebooks' sanitisers."""

_ROLES = ("user", "assistant", "system", "tool")

# a terminal's escapes and marks that turn the direction of writing: shown, not obeyed
_UNSAFE = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")
_UNSAFE |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
_UNSAFE[9], _UNSAFE[10], _UNSAFE[13] = "\t", "\n", ""


class Writer:
    """Collects the parts of one output, within its budget of characters."""

    def __init__(self, budget: int = _BUDGET) -> None:
        self._left = budget
        self._parts: list[str] = []

    def add(self, html: str) -> None:
        """Add HTML as it is."""
        self._parts.append(html)

    def text(self, text: str, limit: int = _MOST_TEXT) -> str:
        """Return `text` escaped and cut to the remaining budget."""
        kept = text[: max(0, min(limit, self._left))]
        self._left -= len(kept) + _ELEMENT
        cut = len(text) - len(kept)
        return escape(kept.translate(_UNSAFE)) + (f"…[{cut:,} more characters]" if cut else "")

    @property
    def spent(self) -> bool:
        """True when the output has reached its bound."""
        return self._left <= 0

    def __str__(self) -> str:
        return "".join(self._parts)


def draw_fields(out: Writer, fields: Mapping[str, Any]) -> str:
    """Inputs, outputs or another object, each part in its shape."""
    found = parts(fields)
    return "".join(_part(out, each) for each in found[:_MOST_ITEMS]) + more(
        len(found) - _MOST_ITEMS
    )


def _part(out: Writer, part: Part) -> str:
    draw: dict[str, Callable[[], str]] = {
        "chat": lambda: "".join(_message(out, each) for each in part.messages[:_MOST_ITEMS]),
        "documents": lambda: "".join(_document(out, each) for each in part.documents[:_MOST_ITEMS]),
        "table": lambda: _table(out, part),
        "text": lambda: draw_text(out, part.value),
        "image": lambda: _image(out, part.value),
        "json": lambda: _json(out, part.value),
    }
    key, drawn = out.text(part.key, 80), draw[part.kind]()
    left = more(max(len(part.messages), len(part.documents)) - _MOST_ITEMS)
    return f'<div class="ht-part"><code>{key}</code><div>{drawn}{left}</div></div>'


def _message(out: Writer, message: Message) -> str:
    role = message.role if message.role in _ROLES else "other"
    others = "".join(_piece(out, each) for each in message.others[:_MOST_ITEMS])
    rest = draw_chips(out, message.rest) if message.rest else ""
    return (
        f'<div class="ht-message ht-{role}"><small>{out.text(message.role, 40)}</small>'
        f"{draw_text(out, message.text) if message.text else ''}{others}{rest}</div>"
    )


def _piece(out: Writer, piece: Piece) -> str:
    """Draw the parts of a message other than text."""
    if isinstance(piece, ToolCall):
        line = f'<code class="ht-call">▸ {out.text(call_text(piece))}</code>'
        return line + ("" if len(line) < _FOLDED else _json(out, piece.arguments))
    if isinstance(piece, ToolResult):
        return f'<div class="ht-rest">{_json(out, piece.value)}</div>'
    if isinstance(piece, Image):
        return _image(out, piece.source)
    if isinstance(piece, Thought):
        return f'<div class="ht-dim">{draw_text(out, piece.text)}</div>'
    return _json(out, piece.value if isinstance(piece, Data) else piece.text)


def _image(out: Writer, source: str) -> str:
    """An image of pixels, if it is short enough to be put in; otherwise its address as text."""
    if is_pixels(source) and not out.spent and len(source) < _BUDGET // 2:
        return f'<img alt="recorded image" src="{out.text(source, _BUDGET // 2)}">'
    return f"<code>{out.text(source, 200)}</code>"


def _table(out: Writer, part: Part) -> str:
    """Uniform records, a row each."""
    head = "".join(f"<th>{out.text(name, 80)}</th>" for name in part.columns)
    rows = [
        "".join(f"<td>{out.text(_plain(item.get(name, '')), 200)}</td>" for name in part.columns)
        for item in listed(part.value)[:_MOST_ITEMS]
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table class="ht-table"><tr>{head}</tr>{body}</table>' + more(
        len(part.value) - _MOST_ITEMS
    )


def _document(out: Writer, document: Document) -> str:
    score = "" if document.score is None else f"<small>{document.score:.4g}</small>"
    title = f"<b>{out.text(document.title, 120)}</b>" if document.title else ""
    head = f'<div class="ht-title">{title}{score}</div>' if title or score else ""
    rest = draw_chips(out, document.rest) if document.rest else ""
    return f'<div class="ht-document">{head}{draw_text(out, document.text)}{rest}</div>'


def draw_text(out: Writer, text: str) -> str:
    """A text with its lines; a long one folded."""
    if len(text) <= _FOLDED and text.count("\n") <= 12:
        return f"<pre>{out.text(text)}</pre>"
    first = out.text(" ".join(text[:160].split()))
    return (
        f'<details class="ht-long"><summary><span>{first}… </span>'
        f"<small>{len(text):,} characters</small></summary><pre>{out.text(text)}</pre></details>"
    )


def draw_chips(out: Writer, fields: Mapping[str, Any]) -> str:
    """Short values side by side, others below as JSON."""
    short = {k: v for k, v in fields.items() if not isinstance(v, (dict, list)) and _is_short(v)}
    shown = list(short.items())[:_MOST_ITEMS]
    chips = "".join(
        f"<span><code>{out.text(key, 80)}</code> {out.text(_plain(value), 200)}</span>"
        for key, value in shown
    )
    rest = [(key, value) for key, value in fields.items() if key not in short]
    below = "".join(
        f'<div class="ht-rest"><code>{out.text(key, 80)}</code> {_json(out, value, 1)}</div>'
        for key, value in rest[:_MOST_ITEMS]
    )
    return (f'<div class="ht-chips">{chips}</div>' if chips else "") + below


def _json(out: Writer, value: Any, depth: int = 0) -> str:
    """JSON as a tree that folds; within bounds in depth, breadth and text."""
    if not _is_short(value):
        return draw_text(out, value)
    if not isinstance(value, (dict, list)) or not value:
        return f"<code>{out.text(_dumps(value))}</code>"
    if depth >= DEEPEST or out.spent:
        return "<code>…</code>"
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    rows = "".join(
        f"<li><code>{out.text(str(key), 80)}</code> {_json(out, item, depth + 1)}</li>"
        for key, item in items[:_MOST_ITEMS]
    )
    kind = "{…}" if isinstance(value, dict) else "[…]"
    is_open = " open" if depth == 0 and len(items) <= 12 else ""
    return (
        f'<details class="ht-json"{is_open}><summary>{kind} <small>{len(items):,}</small></summary>'
        f"<ul>{rows}</ul>{more(len(items) - _MOST_ITEMS)}</details>"
    )


def preview(fields: Mapping[str, Any]) -> str:
    """Return the values on one line: the last words of a conversation, the number of documents."""
    texts = []
    for part in parts(dict(islice(fields.items(), 4))):
        if part.kind == "chat":
            texts.append(part.messages[-1].text)
        elif part.kind == "documents":
            count = len(part.documents)
            texts.append(f"{count} document{'' if count == 1 else 's'}")
        else:
            texts.append(_plain(_beginning(part.value)))
    return " ".join(", ".join(text[:200] for text in texts).split())


def _beginning(value: Any, depth: int = 3) -> Any:
    """As much of a value as its first words on a line can be of."""
    if isinstance(value, (dict, list)) and not depth:
        return "…"
    if isinstance(value, dict):
        return {key[:100]: _beginning(item, depth - 1) for key, item in islice(value.items(), 5)}
    if isinstance(value, list):
        return [_beginning(item, depth - 1) for item in value[:10]]
    return value[:200] if isinstance(value, str) else value


def _plain(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else _dumps(value)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_short(value: Any) -> bool:
    """Not a text that wants lines of its own."""
    return not isinstance(value, str) or (len(value) <= 100 and "\n" not in value)


def more(count: int) -> str:
    """Return the note that replaces omitted items."""
    return f'<p class="ht-dim">… and {count:,} more</p>' if count > 0 else ""
