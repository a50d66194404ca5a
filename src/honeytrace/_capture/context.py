"""Which session runs here, and its id: no I/O.

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
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from itertools import count
from struct import Struct
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .._compiled import native

if TYPE_CHECKING:
    from .session import Session

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


def _not_wired(*args: Any) -> Any:
    raise RuntimeError("honeytrace._runtime.runtime is not imported")


discard: Callable[[Session], None] = deque[Any](maxlen=0).append
"""The way of a session that is not recorded; in C, that it works at the recursion limit, too."""


HOT = (
    "adopt",
    "clock_ns",
    "encode",
    "keep",
    "offset_ns",
    "on",
    "opened",
    "rate",
    "redact",
    "sample",
    "session_name",
    "submit",
    "tick",
    "update",
)
"""The fields of `hot`."""


class HotFields:
    """Where the fields of `Hot` are, but for `on`, which the functions of `_wrap` read."""

    __slots__ = tuple(name for name in HOT if name != "on")


if native is not None:
    HotFields = native.HotFields  # type: ignore[misc]


class Hot(HotFields):
    """What every traced call reads; the runtime writes it.

    `clock_ns() + offset_ns` is the wall clock in ns; `offset_ns` is measured anew with each batch,
    so that durations come from a clock that never jumps and dates follow the system's.
    """

    __slots__ = ("on",)
    offset_ns: int

    def __init__(self) -> None:
        self.on = True
        self.rate = -1.0
        """The share of trees to keep; below zero until the runtime has been configured."""
        self.sample: Callable[[float | None], Callable[[Session], None] | None] = _not_wired
        """A root's own rate → how to submit its tree: None for `submit`, `discard` for nothing."""
        self.submit: Callable[[Session], None] = _not_wired
        """Takes a finished session: all that capture knows of delivery."""
        self.keep: Callable[[Session], None] = _not_wired
        """`submit` in its barest form, in C, for where no Python call can be made."""
        self.adopt: Callable[[Session, Session | None], Session | None] | None = None
        """A call that begins and the session it begins in → the one to be its parent. Only there
        where other tracers' spans nest with sessions; it never raises."""
        self.opened: Callable[[Session], Any] = discard
        """Journals a call that begins → its place; None where there is no journal."""
        self.update: Callable[[str, Mapping[str, Any]], None] = _not_wired
        """Takes later knowledge about a session, by id."""
        self.encode: Callable[[object, list[str], str], bytes] = _not_wired
        """Value, receipt of what was masked (appended to), name of the field → JSON."""
        self.redact: Callable[[str], str] = _not_wired
        """Error text → error text without secrets."""
        self.session_name = "session"
        """The name of a block that gives none."""
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


hot: Hot = Hot()


def innermost() -> Session | Off | None:
    """What runs here: the current session, or a span of another tracer that began inside it."""
    running = current.get()
    if hot.adopt is None or (running is not None and running.off):
        return running
    return hot.adopt(None, running)  # type: ignore[arg-type] # no marker, as just seen


_LOW = (1 << 62) - 1
_pack_id = Struct(">QQ").pack


def format_id(wall_ns: int, tick: int) -> str:
    """The UUIDv7 of a pair, as text."""
    ms, fraction = divmod(wall_ns, 1_000_000)
    high = (ms & 0xFFFFFFFFFFFF) << 16 | 0x7000 | fraction * 4096 // 1_000_000
    h = _pack_id(high, 1 << 63 | tick & _LOW).hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


if native is not None:
    format_id = native.format_id


def new_id() -> str:
    """A fresh session id: UUIDv7 text."""
    return format_id(hot.clock_ns() + hot.offset_ns, hot.tick())


class OwnThread(threading.Thread):
    """A thread of the library, which runs in nobody's session."""


class paused:  # noqa: N801 - used as a statement
    """`with honeytrace.paused():` records nothing of what runs inside, in this context alone."""

    __slots__ = ("_outer",)

    def __init__(self) -> None:
        self._outer: list[Any] = []

    def __enter__(self) -> None:
        self._outer.append(current.get())
        current.set(PAUSED)

    def __exit__(self, *exc: object) -> None:
        current.set(self._outer.pop())


def propagate(fn: Callable[P, R]) -> Callable[P, R]:
    """`fn`, a function or coroutine function, as if called inside the session current now.

    For callables that reach another thread by a way of their own (a C library's callback, a job
    queue, a signal). `threading.Thread` and `ThreadPoolExecutor` need nothing.
    """
    from inspect import iscoroutinefunction  # takes long to import

    outer = innermost()
    if iscoroutinefunction(fn):

        @wraps(fn)
        async def carried_later(*args: P.args, **kwargs: P.kwargs) -> Any:
            before = current.get()
            current.set(outer)
            try:
                return await fn(*args, **kwargs)
            finally:
                current.set(before)

        return carried_later  # type: ignore[return-value] # R is the coroutine

    @wraps(fn)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        before = current.get()
        current.set(outer)
        try:
            return fn(*args, **kwargs)
        finally:
            current.set(before)

    return carried


def _after_fork_in_child() -> None:
    """What runs here is told by the parent process, which will not see its children of this one."""
    running: Any = current.get()
    while running is not None and not running.off:
        running._sealed = True
        running = running._parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
