"""Tell the program's own interrupts from errors of our code or of a value being recorded."""

from __future__ import annotations

from itertools import pairwise
from types import FrameType

CO_OPTIMIZED, CO_VARARGS = 0x1, 0x4
"""Of `inspect`, which takes long to import."""

# the text of an exception or a value comes from the program's code
_traceback = BaseException.__dict__["__traceback__"].__get__


def interrupts(exc: BaseException) -> bool:
    """Return True if an exception from our code is the program's own interrupt.

    Interrupts are Ctrl-C, and anything that a signal handler raised, for example to exit or to end
    a call that takes too long. Every other exception, `SystemExit` included, arose in the code that
    was running, and recording keeps it. At the recursion limit nothing can be determined.
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
    """Return True for the frame of a signal handler.

    Python passes only to handlers a number and the frame that they interrupt."""
    code, interrupted = frame.f_code, frame.f_back
    if interrupted is None or not code.co_flags & CO_OPTIMIZED:
        return False
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & CO_VARARGS)
    given: list[object] = []
    for name in code.co_varnames[:count]:
        value = frame.f_locals.get(name)
        given += value if type(value) is tuple else [value]
    return any(b is interrupted and issubclass(type(a), int) for a, b in pairwise(given))
