"""A limit on wrong keys, so that nobody tries out many of them."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Attempts"]

_FREE = 10
"""Wrong keys that an address may show at once."""

_SECONDS = 6.0
"""Seconds after which one more is allowed."""

_ADDRESSES = 10_000
"""Addresses that are remembered; beyond it the one that failed longest ago is forgotten."""


class Attempts:
    """Counts the wrong keys of each address. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._clear_at: OrderedDict[str, float] = OrderedDict()
        """When all attempts of an address will be forgotten."""

    def wait(self, address: str) -> int:
        """Return the seconds until this address may try a key again; 0 if it may now."""
        owed = self._clear_at.get(address, 0.0) - self._clock() - (_FREE - 1) * _SECONDS
        return max(0, math.ceil(owed))

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        clear_at = max(self._clear_at.pop(address, 0.0), self._clock())
        self._clear_at[address] = clear_at + _SECONDS
        if len(self._clear_at) > _ADDRESSES:
            self._clear_at.popitem(last=False)
