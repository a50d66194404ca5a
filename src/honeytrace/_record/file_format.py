"""The bytes of an item in our own files: journals, disk queues, refused records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from .._base.lazy import orjson
from .record import OBJECTS, Item, Record, Update

ItemT = TypeVar("ItemT", bound=Item)
_TEXT = frozenset(
    ("event_id", "root_id", "event_type", "event_name", "project", "source", "status")
)
_NUMBER = frozenset(("start_time", "end_time", "duration"))


_ENCODED = 13
"""From this field of a record on, all are encoded."""


def pack(item: Item) -> bytes:
    """Return an item as bytes: a line of JSON with the sizes of its encoded parts, then those."""
    if isinstance(item, Update):
        parts: Sequence[Any] = list(item.fields.values())
        texts: list[Any] = [item.event_id, list(item.fields)]
    else:
        texts, parts = list(item[:_ENCODED]), item[_ENCODED:]
    sizes = [None if part is None else len(part) for part in parts]
    return b"".join((orjson.dumps([*texts, sizes]), b"\n", *filter(None, parts)))


def unpack(data: bytes, *, ours: bool = False) -> Item:
    """The item that `pack` wrote. Raises ValueError where it is none: bytes can be forged, but in a
    file that is `ours` alone."""
    try:
        line = data.find(b"\n")
        if line < 0:
            raise ValueError("it is cut short")
        item = _from_parts(orjson.loads(data[:line]), data, line + 1)
        return item if ours else checked(item)
    except (TypeError, AttributeError) as error:
        raise ValueError("no item") from error


def _from_parts(told: list[Any], data: bytes, at: int) -> Item:
    *texts, sizes = told
    parts: list[Any] = []
    for size in sizes:
        parts.append(None if size is None else data[at : at + size])
        at += abs(size or 0)
    if at != len(data):
        raise ValueError("it is shorter or longer than it says")
    if len(texts) == len(Update._fields):
        return Update(texts[0], dict(zip(texts[1], parts, strict=True)))
    return Record(*texts, *parts)


def checked(item: ItemT) -> ItemT:
    """The item, if it can be one: read from a file, it may be anything. Raises ValueError."""
    if isinstance(item, Update):
        if not isinstance(item.event_id, str):
            raise ValueError("an id is not a text")
        for data in item.fields.values():
            orjson.loads(data)
        return item
    value: Any
    for name, value in zip(Record._fields, item, strict=True):
        if name in OBJECTS:
            good = value is None or isinstance(orjson.loads(value), dict)
        elif name == "children_ids":
            good = isinstance(value, bytes) and isinstance(orjson.loads(value), list)
        elif name in _TEXT or (value is not None and name not in _NUMBER):
            good = isinstance(value, str)
        else:
            good = value is None or isinstance(value, (int, float))
        if not good:
            raise ValueError(f"{name} is none")
    return item
