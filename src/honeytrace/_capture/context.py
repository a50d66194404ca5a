"""The session that runs here: a ContextVar, and the markers that stand in it instead.

The variable holds the running session, None outside of any session, or an `Off` marker if nothing
is to be recorded. It is always restored with `set`, never with a token: a token must be reset in
the context that made it, and generators and tasks may end in another one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .hooks import hooks
from .running import Running

P = ParamSpec("P")
R = TypeVar("R")


class Off:
    """A marker in the ContextVar: nothing is to be recorded here."""

    __slots__ = ("why",)
    off = True

    def __init__(self, why: str) -> None:
        self.why = why


PAUSED = Off("paused")
SAMPLED_OUT = Off("sampled out")

current: ContextVar[Running | Off | None] = ContextVar("honeytrace_session", default=None)


def innermost() -> Any:
    """Return the current session, or a span of another tracer that runs inside it."""
    running = current.get()
    if hooks.adopt is None or (running is not None and running.off):
        return running
    return hooks.adopt(None, running)


class OwnThread(threading.Thread):
    """A thread of honeytrace, which belongs to no session."""


class paused:  # noqa: N801 - used as a statement
    """Record nothing inside `with honeytrace.paused():`, in this context alone."""

    __slots__ = ("_outer",)

    def __init__(self) -> None:
        self._outer: list[Any] = []

    def __enter__(self) -> None:
        self._outer.append(current.get())
        current.set(PAUSED)

    def __exit__(self, *exc: object) -> None:
        current.set(self._outer.pop())


def propagate(fn: Callable[P, R]) -> Callable[P, R]:
    """Return `fn`, a function or coroutine function, to be run inside the session current now.

    For callables that reach another thread in their own way (a C library's callback, a job queue, a
    signal). `threading.Thread` and `ThreadPoolExecutor` do not need it.
    """
    from inspect import iscoroutinefunction  # 7 ms

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
    """Mark this context as recorded: the parent process records it, without nested sessions."""
    running: Any = current.get()
    while running is not None and not running.off:
        running._sealed = True
        running = running._parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


for _public in (paused, propagate):
    _public.__module__ = "honeytrace"  # where users find them
