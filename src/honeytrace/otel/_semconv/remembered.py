"""Facts about spans that are found once, because many spans have them in common.

Spans of a process share its resource, and those of an instrumentor a few sets of attribute names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST = 256
"""Sets of names that are remembered."""
_MOST_CHARACTERS = 8_000
"""Characters of a set that is remembered: together with `MOST`, the bound of the memory."""


class Last(Generic[T]):
    """A function of one object that is nearly always the same one, such as a provider's resource.

    `lru_cache` would hash it, for which the SDK writes a resource as JSON.
    """

    __slots__ = ("_last", "_make")

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._last: tuple[Any, T] | None = None

    def __call__(self, of: Any) -> T:
        """Return the value for this object, which nobody changes."""
        last = self._last
        if last is None or last[0] is not of:
            last = self._last = of, self._make(of)
        return last[1]


class Remembered(Generic[T]):
    """A function of names that remembers its results."""

    __slots__ = ("_find", "known")

    def __init__(self, find: Callable[[tuple[str, ...]], T]) -> None:
        self._find = find
        self.known: dict[tuple[str, ...], T] = {}

    def __call__(self, attributes: Iterable[str]) -> T:
        """Return the fact about the names of attributes."""
        names = tuple(attributes)
        found = self.known.get(names)
        if found is None:
            found = self._find(names)
            if sum(map(len, names)) <= _MOST_CHARACTERS:
                if len(self.known) >= MOST:
                    self.known.clear()
                self.known[names] = found
        return found
