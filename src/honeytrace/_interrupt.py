"""Which exceptions belong to a value whose code we run to show it, and which to the program."""

from __future__ import annotations

from inspect import CO_OPTIMIZED, CO_VARARGS
from types import FrameType


def interrupts(exc: BaseException) -> bool:
    """Whether what a value's own code let out came from elsewhere and is the program's: Ctrl-C, or
    an exit for which a signal handler asked.

    All else, `SystemExit` included, the value raised, and recording keeps it.
    """
    if isinstance(exc, (KeyboardInterrupt, Exception)):
        return isinstance(exc, KeyboardInterrupt)
    traceback = exc.__traceback__
    while traceback is not None:
        if _handles_signal(traceback.tb_frame):
            return True
        traceback = traceback.tb_next
    return False


def _handles_signal(frame: FrameType) -> bool:
    """Whether a frame is that of a signal handler: it alone is given the frame it interrupts."""
    code, interrupted = frame.f_code, frame.f_back
    if interrupted is None or not code.co_flags & CO_OPTIMIZED:
        return False
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & CO_VARARGS)
    for name in code.co_varnames[:count]:
        given = frame.f_locals.get(name)
        if given is interrupted or (
            type(given) is tuple and any(each is interrupted for each in given)
        ):
            return True
    return False
