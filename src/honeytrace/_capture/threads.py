"""Carry the current session into threads and thread pools, as asyncio does into tasks.

This is on by default (`configure(propagate_threads=False)` turns it off). The patches are installed
when the first session is recorded, so a program that only imports honeytrace keeps its `threading`
untouched. Only honeytrace's own variable is carried; the program's ContextVars are left to the
interpreter. OpenTelemetry's ThreadingInstrumentor patches the same two methods.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any

from .context import OwnThread, current, innermost

_pool_submit = ThreadPoolExecutor.submit
_thread_start = threading.Thread.start
_on = _patched = False


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
    outer = innermost()
    if outer is None or not _on:
        return _pool_submit(self, fn, *args, **kwargs)
    before = current.get()
    current.set(None)  # a worker thread started here must not keep this session for later jobs
    try:
        return _pool_submit(self, _Carried(fn, outer), *args, **kwargs)
    finally:
        current.set(before)


@wraps(_thread_start)
def _start(self: Any) -> None:
    outer = innermost()
    if outer is not None and _on and not isinstance(self, OwnThread):
        _carry(self, outer)
    _thread_start(self)


def _carry(thread: Any, outer: Any) -> None:
    run, own = thread.run, vars(thread).get("run")

    def run_inside() -> None:
        if own is None:
            del thread.run
        else:
            thread.run = own
        current.set(outer)
        run()

    try:
        thread.run = run_inside  # on the instance, so that a subclass's own run() is carried too
    except Exception:  # noqa: BLE001 - a subclass that takes no attribute runs on its own
        pass


def install() -> None:
    """Patch the two methods, on top of earlier patches."""
    global _on, _patched, _pool_submit, _thread_start
    _on = True
    if not _patched:
        _patched = True
        _pool_submit, _thread_start = ThreadPoolExecutor.submit, threading.Thread.start
        ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
        threading.Thread.start = _start  # type: ignore[method-assign]


def uninstall() -> None:
    """Stop carrying sessions, and undo the patches unless other patches are on top of them."""
    global _on, _patched
    _on = False
    if ThreadPoolExecutor.submit is _submit and threading.Thread.start is _start:
        _patched = False
        ThreadPoolExecutor.submit = _pool_submit  # type: ignore[method-assign]
        threading.Thread.start = _thread_start  # type: ignore[method-assign]
