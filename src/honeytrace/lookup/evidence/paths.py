"""Paths into recorded sessions: `REF/outputs/choices/0`, and the shape of what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import SessionNotFound
from ..recorded import RecordedSession
from .budget import cut, quoted, tokens

__all__ = ["FIELDS", "at", "joined", "shape", "split"]

FIELDS = (
    *("inputs", "outputs", "error", "traceback", "metrics", "feedback", "metadata"),
    *("config", "user_properties", "details"),
)
"""The first part of a path after the session."""

_PREVIEW = 100
"""Characters of a value that its shape quotes."""


def split(path: str) -> tuple[str, list[str]]:
    """Return the session and the keys of a path; `~1` in a key is `/`, and `~0` is `~`."""
    ref, *keys = path.split("/")
    return _plain(ref), [_plain(key) for key in keys if key]


def joined(ref: str, *keys: Any) -> str:
    """Return the path of these keys below a session."""
    escaped = (str(key).replace("~", "~0").replace("/", "~1") for key in (ref, *keys))
    return "/".join(escaped)


def _plain(key: str) -> str:
    return key.replace("~1", "/").replace("~0", "~")


def at(session: RecordedSession, keys: Sequence[str]) -> Any:
    """Return the value at these keys. Raises SessionNotFound, which names the keys there are."""
    name, *inside = keys
    if name not in FIELDS:
        raise SessionNotFound(f"there is no {cut(name, 40)!r}: a session has {', '.join(FIELDS)}")
    value = getattr(session, name)
    for key in inside:
        value = _part(value, key)
    return value


def _part(value: Any, key: str) -> Any:
    try:
        return value[int(key)] if isinstance(value, list) else value[key]
    except (KeyError, IndexError, ValueError, TypeError):
        known = ", ".join(cut(str(each), 30) for each in list(_keys(value))[:12])
        there = f"there are {known}" if known else f"it is {_kind(value)}"
        raise SessionNotFound(f"there is no {cut(key, 40)!r} in it: {there}") from None


def shape(ref: str, keys: Sequence[str], value: Any) -> Iterator[dict[str, Any]]:
    """Yield a row for each part of an object or list: its path, kind, size and beginning."""
    for key in _keys(value):
        part = value[key]
        text = part if isinstance(part, str) else quoted(part)
        yield {
            "path": joined(ref, *keys, key),
            "kind": _kind(part),
            "tokens": tokens(text[:100_000]),
            "begins": cut(text, _PREVIEW),
        }


def _keys(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value
    elif isinstance(value, list):
        yield from range(len(value))


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"text of {len(value):,} characters"
    if isinstance(value, dict):
        return f"object of {len(value):,}"
    if isinstance(value, list):
        return f"list of {len(value):,}"
    return (
        {True: "boolean", False: "number"}[isinstance(value, bool)] if value is not None else "null"
    )
