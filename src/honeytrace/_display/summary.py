"""A session's inputs and outputs, each in one line of a list."""

from __future__ import annotations

from typing import Any

import orjson

from .pieces import ToolCall, call_text
from .shapes import parts

__all__ = ["summary"]

_LENGTH = 160
_TELLING = (
    *("content", "text", "page_content"),  # Names in a message and in a document.
    *("messages", "message", "question", "query", "prompt", "answer", "result"),
)
"""Names of the values that readers look for first."""
_DEEPEST = 8
"""Levels that are searched; deeper values are shown as JSON."""
_WHOLE = 64_000
"""Size in bytes beyond which the beginning of the JSON is shown: a list must not parse
megabytes."""


def summary(data: bytes | None) -> str:
    """Return the most telling words of a JSON object, at most 160 characters; may be empty."""
    if data is None or data == b"{}":
        return ""
    if len(data) > _WHOLE:
        return _cut(data[: 4 * _LENGTH].decode(errors="ignore"))
    fields = orjson.loads(data)
    return _cut(_said(fields) or _words(fields))


def _said(fields: dict[str, Any]) -> str:
    """Return the last words or tool calls of the model in a conversation, otherwise those of the
    user."""
    found = next((part.messages for part in parts(fields) if part.kind == "chat"), ())
    if not found:
        return ""
    asked = (each for each in reversed(found) if each.role == "user")
    message = found[-1] if found[-1].role == "assistant" else next(asked, found[-1])
    calls = [call_text(each) for each in message.pieces if isinstance(each, ToolCall)]
    return message.text[: 4 * _LENGTH] or "  ".join(f"▸ {call}" for call in calls)


def _words(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return value[: 4 * _LENGTH]
    if isinstance(value, dict) and depth < _DEEPEST:
        return _object(value, depth + 1)
    if isinstance(value, list) and depth < _DEEPEST:
        return _list(value, depth + 1)
    return orjson.dumps(value).decode()


def _object(value: dict[str, Any], depth: int) -> str:
    telling = next((name for name in _TELLING if value.get(name)), None)
    if telling is not None:
        return _words(value[telling], depth)
    if len(value) == 1:
        return _words(next(iter(value.values())), depth)
    items = list(value.items())[:6]
    return "  ".join(f"{name}: {_cut(_words(item, depth), 60)}" for name, item in items)


def _list(value: list[Any], depth: int) -> str:
    if not value:
        return "[]"
    if _role(value[-1]) is not None:
        # In a conversation, prefer the user's last message.
        asked = (each for each in reversed(value) if _role(each) == "user")
        return _words(next(asked, value[-1]), depth)
    return f"{len(value)} of {_words(value[0], depth)}"


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _cut(text: str, length: int = _LENGTH) -> str:
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"
