"""Functions that pools run, importable in their workers."""

from __future__ import annotations

import honeytrace


@honeytrace.trace_session
def work(number: int) -> int:
    """A traced job."""
    return number * 2


def deliver(number: int) -> int:
    """A traced job whose record is delivered before the worker may be ended."""
    result = work(number)
    honeytrace.flush(20)
    return result


if __name__ == "__main__":
    import os

    with honeytrace.continue_from(os.environ):
        deliver(7)
