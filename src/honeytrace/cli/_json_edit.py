"""The server in a JSON configuration: one entry is changed, and no other byte.

The text is edited in place, since a parsed document that is written anew has lost long numbers,
escapes, repeated keys and the style of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .._base.lazy import pattern

__all__ = ["in_json"]

_KEYS = ("command", "args")
_SPACE = pattern(r"[ \t\r\n]*")
_Member = tuple[str, int, int]
"""A key, and where its value begins and ends."""


def in_json(text: str, server: Sequence[Any]) -> str:
    """Return a JSON configuration with the server, its command and arguments, among `mcpServers`.

    Raises ValueError if the text is no JSON object, or holds something else at that place.
    """
    if not text.strip():
        return json.dumps({"mcpServers": {"honeytrace": _entry({}, server)}}, indent=2) + "\n"
    json.loads(text)  # raises for a text that is no JSON, or goes on behind the document
    start = _skipped(text, 0)
    servers = _member(text, start, "mcpServers")
    if servers is None:
        return _added(text, start, "mcpServers", {"honeytrace": _entry({}, server)}, 1)
    ours = _member(text, servers[1], "honeytrace")
    if ours is None:
        return _added(text, servers[1], "honeytrace", _entry({}, server), 2)
    old = json.loads(text[ours[1] : ours[2]])
    if not isinstance(old, dict):
        raise ValueError("the server is not an object")
    if all(old.get(key) == value for key, value in zip(_KEYS, server, strict=True)):
        return text
    return text[: ours[1]] + _written(text, _entry(old, server), 2) + text[ours[2] :]


def _entry(old: dict[str, Any], server: Sequence[Any]) -> dict[str, Any]:
    """Return the entry of the server; what else is set for it, such as `env`, stays."""
    return {**old, **dict(zip(_KEYS, server, strict=True))}


def _added(text: str, start: int, key: str, value: Any, depth: int) -> str:
    """Return the text with one more member, the last, in the object that begins at `start`."""
    newline, unit = _style(text)
    members = list(_members(text, start))
    said = f"{json.dumps(key)}: {_written(text, value, depth)}"
    if members:
        end = members[-1][2]
        return f"{text[:end]},{newline}{unit * depth}{said}{text[end:]}"
    end = _skipped(text, start + 1)
    inside = f"{newline}{unit * depth}{said}{newline}{unit * (depth - 1)}"
    return text[: start + 1] + inside + text[end:]


def _written(text: str, value: Any, depth: int) -> str:
    newline, unit = _style(text)
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return (newline + unit * depth).join(lines)


def _style(text: str) -> tuple[str, str]:
    """Return the end of lines and the indentation of a text."""
    indented = re.search(r"\n([ \t]+)\S", text)
    return "\r\n" if "\r\n" in text else "\n", indented[1] if indented else "  "


def _member(text: str, start: int, wanted: str) -> _Member | None:
    """Return the last member of this name, which is the one that readers take."""
    found = [each for each in _members(text, start) if each[0] == wanted]
    return found[-1] if found else None


def _members(text: str, start: int) -> Iterator[_Member]:
    """Yield the members of the object that begins at `start`."""
    if text[start] != "{":
        raise ValueError("this is not an object")
    at = _skipped(text, start + 1)
    while text[at] != "}":
        key, at = json.JSONDecoder().raw_decode(text, at)
        begin = _skipped(text, _skipped(text, at) + 1)
        _, end = json.JSONDecoder().raw_decode(text, begin)
        yield key, begin, end
        at = _skipped(text, end)
        if text[at] == ",":
            at = _skipped(text, at + 1)


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else int(found.end())
