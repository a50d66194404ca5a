"""Protobuf's encoding of the few messages that an exported span consists of.

Written out, because a record's parts are UTF-8 bytes already: messages of the protobuf package want
them decoded first, and take two thirds of the time that a record may cost. Tests read the result
with those messages. Source: protobuf's encoding guide; opentelemetry-proto, common/v1 and trace/v1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

_fixed64 = struct.Struct("<Q").pack
_double = struct.Struct("<d").pack
_SHORT = [bytes((size,)) for size in range(128)]
"""Varints of one byte."""
_MOST_BITS = (1 << 64) - 1


def varint(number: int) -> bytes:
    """Return a number, 0 or more, in groups of seven bits."""
    if number < 128:
        return _SHORT[number]
    if number < 1 << 14:
        return bytes((number & 127 | 128, number >> 7))
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


@lru_cache(maxsize=256)
def tag(field: int, wire_type: int) -> bytes:
    """Return the head of a field."""
    return varint(field << 3 | wire_type)


def framed(field: int, data: bytes) -> bytes:
    """Return a field of bytes, of text, or of a message."""
    return tag(field, 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    """Return a field of a number as a varint; a negative one as two's complement."""
    return tag(field, 0) + varint(value & _MOST_BITS)


def time(field: int, nanoseconds: int) -> bytes:
    """Return a field of a time."""
    return tag(field, 1) + _fixed64(nanoseconds)


def text(field: int, value: str) -> bytes:
    """Return a field of text."""
    return framed(field, value.encode("utf-8", "replace"))


Value: TypeAlias = "bytes | str | float | list[str]"
"""The value of an attribute. Bytes are text that is encoded already."""


def attributes(field: int, values: Mapping[str, Value]) -> bytes:
    """Return a field of KeyValues: a span's, an event's or a resource's attributes."""
    parts: list[bytes] = []
    for name, value in values.items():
        if type(value) is str:
            value = value.encode("utf-8", "replace")
        if type(value) is bytes:
            size = len(value)
            parts.append(_known(field, name, size) if size < _KNOWN else _head(field, name, size))
            parts.append(value)
        else:
            inner = _any_value(name, value)
            parts.append(_before(field, name, len(inner)))
            parts.append(inner)
    return b"".join(parts)


_KNOWN = 256
"""Bytes of a text whose head is remembered."""


def _head(field: int, name: str, size: int) -> bytes:
    """Return all of an attribute but its text, which has `size` bytes."""
    inner = b"\n" + varint(size)
    return _before(field, name, len(inner) + size) + inner


_known = lru_cache(maxsize=1024)(_head)
"""The same for short texts: a span has twenty attributes, and most have the length they had."""


def _any_value(name: str, value: Value) -> bytes:
    if type(value) is bool:
        return number(2, value)
    if type(value) is int:
        return number(3, value)
    if type(value) is float:
        return tag(4, 1) + _double(value)
    if type(value) is list:
        return framed(5, b"".join([framed(1, text(1, each)) for each in value]))
    raise TypeError(f"{name}={value!r} is no attribute")


@lru_cache(maxsize=256)
def _before(field: int, name: str, size: int) -> bytes:
    """Return all of an attribute but its AnyValue, which has `size` bytes."""
    key = text(1, name) + tag(2, 2) + varint(size)
    return tag(field, 2) + varint(len(key) + size) + key
