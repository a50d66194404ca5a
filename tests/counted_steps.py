"""Count the steps of a call: the calls and returns of functions, in Python and in C."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def steps_of(call: Callable[[], object]) -> int:
    """Return how many steps the profiler hears of."""
    done = 0

    def heard(frame: Any, event: str, arg: Any) -> None:
        nonlocal done
        done += 1

    sys.setprofile(heard)
    try:
        call()
    finally:
        sys.setprofile(None)
    return done
