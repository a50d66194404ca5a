"""A limit on wrong keys, so that nobody tries out many of them."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Attempts"]

_FREE = 10
"""Number of wrong keys that one address may try in a row."""

_SECONDS = 6.0
"""Seconds after which one more attempt is allowed."""

_ADDRESSES = 10_000
"""Number of addresses that are remembered. Beyond it, the address that failed longest ago is
forgotten."""


class Attempts:
    """Counts the wrong keys of each address. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._clear_at: OrderedDict[str, float] = OrderedDict()
        """Times at which all attempts of each address expire."""

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
