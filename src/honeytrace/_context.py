"""Which session runs here, its id, and the way it travels to threads: no I/O.

The ContextVar holds the running `Session`, None outside of any, or an `Off` marker where nothing
is to be recorded. It is always put back with `set`, never with a token: a token must be reset in
the context that made it, and generators and tasks end in others.

Ids are UUIDv7 (RFC 9562): 48 bits of milliseconds, 12 bits of their fraction, 62 bits that count
up from a random start. On the hot path an id is just the pair (wall-clock ns, counter); text is
made of it when somebody reads it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from ._session import Session

P = ParamSpec("P")
R = TypeVar("R")


class Off:
    """Stands in the ContextVar where nothing is to be recorded."""

    __slots__ = ("why",)
    off = True

    def __init__(self, why: str) -> None:
        self.why = why


PAUSED = Off("paused")
SAMPLED_OUT = Off("sampled out")

current: ContextVar[Session | Off | None] = ContextVar("honeytrace_session", default=None)


def _not_wired(session: Session) -> None:
    raise RuntimeError("honeytrace._runtime is not imported")


class Hot:
    """What every traced call reads; the runtime writes it.

    `clock_ns() + offset_ns` is the wall clock in ns; `offset_ns` is measured anew with each batch,
    so that durations come from a clock that never jumps and dates follow the system's.
    """

    __slots__ = ("clock_ns", "offset_ns", "on", "sampled", "submit", "tick")

    def __init__(self) -> None:
        self.on = True
        self.sampled: Callable[[float | None], bool] | None = None
        """Decides about a new tree; None while nothing is sampled."""
        self.submit: Callable[[Session], None] = _not_wired
        """Takes a finished session: all that capture knows of delivery."""
        self.clock_ns: Callable[[], int] = time.perf_counter_ns
        self.offset_ns = 0
        self.tick: Callable[[], int] = int
        self.reseed()
        self.sync_clock()

    def reseed(self) -> None:
        """A new start for the counter in ids: at import, and in a forked child."""
        self.tick = count(int.from_bytes(os.urandom(8), "big") >> 2).__next__

    def sync_clock(self) -> None:
        self.offset_ns = time.time_ns() - self.clock_ns()


hot = Hot()

_LOW = (1 << 62) - 1


def format_id(wall_ns: int, tick: int) -> str:
    """The UUIDv7 of a pair, as text."""
    ms, fraction = divmod(wall_ns, 1_000_000)
    h = "%016x%016x" % (  # noqa: UP031 - twice as fast as an f-string with two specs
        (ms & 0xFFFFFFFFFFFF) << 16 | 0x7000 | fraction * 4096 // 1_000_000,
        1 << 63 | tick & _LOW,
    )
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def new_id() -> str:
    """A fresh session id: UUIDv7 text."""
    return format_id(hot.clock_ns() + hot.offset_ns, hot.tick())


class paused:  # noqa: N801 - used as a statement
    """`with honeytrace.paused():` records nothing of what runs inside, in this context alone."""

    __slots__ = ("_outer",)

    def __enter__(self) -> None:
        self._outer = current.get()
        current.set(PAUSED)

    def __exit__(self, *exc: object) -> None:
        current.set(self._outer)


def propagate(fn: Callable[P, R]) -> Callable[P, R]:
    """`fn`, to be called anywhere, as if inside the session that is current now.

    For callables that reach another thread by a way of their own (a C library's callback, a job
    queue, a signal). `threading.Thread` and `ThreadPoolExecutor` need nothing.
    """
    outer = current.get()

    @wraps(fn)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        before = current.get()
        current.set(outer)
        try:
            return fn(*args, **kwargs)
        finally:
            current.set(before)

    return carried


_submit = ThreadPoolExecutor.submit
_start = threading.Thread.start


def carry_into_threads() -> None:
    """Let threads and thread pools start inside the session that is current at their start.

    Only our own variable travels; the program's ContextVars stay as the interpreter treats them.
    Where no session is current the originals run untouched.
    """
    if ThreadPoolExecutor.submit is not _submit or threading.Thread.start is not _start:
        return  # done before, or somebody else's patch is on top: theirs calls ours or the original

    @wraps(_submit)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if current.get() is not None:
            fn = propagate_call(fn)
        return _submit(self, fn, *args, **kwargs)

    @wraps(_start)
    def start(self: Any) -> None:
        outer = current.get()
        if outer is not None and "run" not in vars(self):
            run = self.run

            def run_inside() -> None:
                del self.run
                current.set(outer)
                run()

            self.run = run_inside
        _start(self)

    ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
    threading.Thread.start = start  # type: ignore[method-assign]


def leave_threads_alone() -> None:
    """Take the patches of `carry_into_threads` back."""
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
    threading.Thread.start = _start  # type: ignore[method-assign]


class propagate_call:  # noqa: N801 - a callable, used as a function
    """`propagate` for any callable, without copying names: what a pool gets to run."""

    __slots__ = ("fn", "outer")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.outer = current.get()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = current.get()
        current.set(self.outer)
        try:
            return self.fn(*args, **kwargs)
        finally:
            current.set(before)
