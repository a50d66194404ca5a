"""Session ids: UUIDv7 (RFC 9562), time-ordered, so that stores only ever append.

An id has 48 bits of milliseconds, 12 bits of their fraction, and 62 bits that count up from a
random start. On the hot path an id is the pair (wall clock in ns, counter); the text is made when
somebody reads it.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

if not cython.compiled:  # otherwise ids.pxd has it in C
    from .._base.primitives import uuid_item, uuid_text

_VARIANT, _COUNTER = 1 << 63, (1 << 62) - 1
"""Bits with a name: Cython would take such large literals for Python integers."""


def format_id(wall_ns: int, tick: int) -> str:
    """Return the UUIDv7 of a pair as text."""
    return uuid_text(_time_half(wall_ns), _VARIANT | tick & _COUNTER)


def list_item(wall_ns: int, tick: int) -> bytes:
    """Return the same id as a member of a list in JSON, with a comma before it."""
    return uuid_item(_time_half(wall_ns), _VARIANT | tick & _COUNTER)


def _time_half(wall_ns: int) -> int:
    """Return the first 64 bits of an id."""
    ms = wall_ns // 1_000_000
    fraction = wall_ns % 1_000_000 * 4096 // 1_000_000
    return ms << 16 | 0x7000 | fraction
