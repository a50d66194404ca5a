"""Session ids: UUIDv7 (RFC 9562), time-ordered, so that stores only ever append.

An id has 48 bits of milliseconds, 12 bits of their fraction, and 62 bits that count up from a
random start. On the hot path an id is the pair (wall clock in ns, counter); the text is made when
somebody reads it.
"""

from __future__ import annotations

_LOW32, _LOW48 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF
"""Masks with a name: Cython would take such large literals for Python integers."""


def format_id(wall_ns: int, tick: int) -> str:
    """Return the UUIDv7 of a pair as text."""
    ms = wall_ns // 1_000_000
    fraction = wall_ns % 1_000_000 * 4096 // 1_000_000
    return (
        f"{ms >> 16 & _LOW32:08x}-{ms & 0xFFFF:04x}-{0x7000 | fraction:04x}"
        f"-{0x8000 | tick >> 48 & 0x3FFF:04x}-{tick & _LOW48:012x}"
    )
