"""Carry the current session into threads and thread pools, as asyncio does into tasks.

On by default (`configure(propagate_threads=False)` turns it off), installed when the first session
is recorded: a program that only imports honeytrace keeps its `threading` untouched. Only our own
variable travels; the program's ContextVars stay as the interpreter treats them. OpenTelemetry's
ThreadingInstrumentor patches the same two methods.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any

from ._context import current

_pool_submit = ThreadPoolExecutor.submit
_thread_start = threading.Thread.start


class _Carried:
    """A callable and the session it belongs to."""

    __slots__ = ("fn", "outer")

    def __init__(self, fn: Callable[..., Any], outer: Any) -> None:
        self.fn = fn
        self.outer = outer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = current.get()
        current.set(self.outer)
        try:
            return self.fn(*args, **kwargs)
        finally:
            current.set(before)


@wraps(_pool_submit)  # type: ignore[arg-type]
def _submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    outer = current.get()
    if outer is None:
        return _pool_submit(self, fn, *args, **kwargs)
    current.set(None)  # a worker thread started here must not keep this session for later jobs
    try:
        return _pool_submit(self, _Carried(fn, outer), *args, **kwargs)
    finally:
        current.set(outer)


@wraps(_thread_start)
def _start(self: Any) -> None:
    outer = current.get()
    if outer is not None and "run" not in vars(self):
        run = self.run

        def run_inside() -> None:
            del self.run
            current.set(outer)
            run()

        self.run = run_inside  # on the instance, so that a subclass's own run() is carried too
    _thread_start(self)


def install() -> None:
    """Patch the two methods, unless somebody has patched them since we last looked."""
    if ThreadPoolExecutor.submit is _pool_submit and threading.Thread.start is _thread_start:
        ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
        threading.Thread.start = _start  # type: ignore[method-assign]


def uninstall() -> None:
    """Take the patches back, where nobody patched on top of them."""
    if ThreadPoolExecutor.submit is _submit:
        ThreadPoolExecutor.submit = _pool_submit  # type: ignore[method-assign]
    if threading.Thread.start is _start:
        threading.Thread.start = _thread_start  # type: ignore[method-assign]
