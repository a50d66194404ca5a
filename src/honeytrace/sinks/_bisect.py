"""Divide a batch around the records that a destination refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def halves(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return the first and the second half of two or more items."""
    middle = len(items) // 2
    return items[:middle], items[middle:]


def bisect(batch: Sequence[T], deliver: Callable[[Sequence[T]], Sequence[T]]) -> Iterator[T]:
    """Deliver a batch in ever smaller parts, in order; yield each item that fails on its own.

    deliver: returns the items of a part that were not taken. A part of which nothing was taken is
    halved, because one item may have failed it all; a part that was taken in part goes on with the
    rest. Whatever `deliver` raises ends the division.
    """
    parts = [batch]
    while parts:
        part = parts.pop()
        left = deliver(part)
        if len(left) == 1:
            yield left[0]
        elif 0 < len(left) < len(part):
            parts.append(left)
        elif left:
            parts += reversed(halves(left))
