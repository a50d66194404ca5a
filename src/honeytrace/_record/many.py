"""Questions about the records of a batch, each answered in one pass: every call is in one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .record import Item, Record, Update

if not cython.compiled:  # otherwise many.pxd has it in C
    from .._base.primitives import plain_tuple

_IN_PIECES = sys.maxsize
Encoded = bytes | tuple[bytes, ...]
"""A JSON object, in one piece or in several."""


def has_repeats(items: Sequence[Item]) -> bool:
    """Return whether two of these are about one session.

    Ids grow with the time of the start, and most calls end in the order in which they began: no
    text is hashed then.
    """
    last = ""
    for item in items:
        own = plain_tuple(item)[0]
        if own <= last:
            return len({item.event_id for item in items}) < len(items)
        last = own
    return False


def by_kind(items: Sequence[Item]) -> tuple[list[Record], list[Record], list[Update]]:
    """Return the records without a parent, those with one, and the updates, each in order."""
    roots: list[Record] = []
    nested: list[Record] = []
    updates: list[Update] = []
    for item in items:
        if type(item) is not Record and isinstance(item, Update):
            updates.append(item)
        elif plain_tuple(item)[2] is None:
            roots.append(item)
        else:
            nested.append(item)
    return roots, nested, updates


def measured(encoded: Sequence[Encoded]) -> tuple[int, int]:
    """Return the bytes of all objects and of the longest; that is endless if any is in pieces."""
    total = longest = 0
    for each in encoded:
        if isinstance(each, bytes):
            size = len(each)
        else:
            size = sum(map(len, each))
            longest = _IN_PIECES
        total += size
        longest = max(longest, size)
    return total, longest
