"""Which exceptions are the program's, and which ours, or those of a value that is being shown."""

from __future__ import annotations

from itertools import pairwise
from types import FrameType

CO_OPTIMIZED, CO_VARARGS = 0x1, 0x4
"""Of `inspect`, which takes long to import."""

# what an exception or a value says of itself is its own code
_traceback = BaseException.__dict__["__traceback__"].__get__


def interrupts(exc: BaseException) -> bool:
    """Whether what came out of our code, or of a value's own, is the program's: Ctrl-C, or what a
    signal handler raised, to exit or to end what takes too long.

    All else, `SystemExit` included, came about where it came out, and recording keeps it. At the
    recursion limit nothing can be asked.
    """
    if issubclass(type(exc), KeyboardInterrupt):
        return True
    traceback = _traceback(exc)
    while traceback is not None:
        if _handles_signal(traceback.tb_frame):
            return True
        traceback = traceback.tb_next
    return False


def _handles_signal(frame: FrameType) -> bool:
    """Whether a frame is that of a signal handler: it alone is given, after a number, the frame
    that it interrupts."""
    code, interrupted = frame.f_code, frame.f_back
    if interrupted is None or not code.co_flags & CO_OPTIMIZED:
        return False
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & CO_VARARGS)
    given: list[object] = []
    for name in code.co_varnames[:count]:
        value = frame.f_locals.get(name)
        given += value if type(value) is tuple else [value]
    return any(b is interrupted and issubclass(type(a), int) for a, b in pairwise(given))
