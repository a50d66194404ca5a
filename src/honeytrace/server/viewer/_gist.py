"""What was asked and what came back, in one line of a list."""

from __future__ import annotations

from typing import Any

import orjson

from ._site import visible

__all__ = ["gist"]

_LENGTH = 160
_WHOLE = 64_000
"""Beyond this many bytes the JSON is shown as it begins: a list must not parse megabytes."""


def gist(data: bytes | None) -> str:
    """The words of a JSON object that tell most, at most 160 characters; empty for nothing."""
    if data is None or data == b"{}":
        return ""
    if len(data) > _WHOLE:
        return _cut(data[: 4 * _LENGTH].decode(errors="ignore"))
    return _cut(_words(orjson.loads(data)))


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value[: 4 * _LENGTH]
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return _list(value)
    return orjson.dumps(value).decode()


def _object(value: dict[str, Any]) -> str:
    for name in ("content", "text", "page_content"):  # of a message, and of a document
        if isinstance(value.get(name), str):
            return str(value[name])[: 4 * _LENGTH]
    if len(value) == 1:
        return _words(next(iter(value.values())))
    return "  ".join(f"{name}: {_cut(_words(item), 60)}" for name, item in list(value.items())[:6])


def _list(value: list[Any]) -> str:
    if not value:
        return "[]"
    if isinstance(value[-1], dict) and "role" in value[-1]:
        return _words(value[-1])  # of a conversation, what was said last
    return f"{len(value)} of {_words(value[0])}"


def _cut(text: str, length: int = _LENGTH) -> str:
    line = visible(" ".join(text[: 4 * length].split()))
    return line if len(line) <= length else line[: length - 1] + "…"
