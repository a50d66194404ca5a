"""Threads of the operating system, also in programs patched by gevent or eventlet.

A flush thread that is a greenlet would stop the whole program whenever it waits in C code, and it
would run only while the program waits. So the flush thread is always a real thread.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._base.native_locks import allocate_lock, get_ident, keep_native, original, patcher
from .._capture.context import OwnThread


class NativeThread:
    """A thread of the system that `threading` does not know, for programs that patch `threading`.

    It ends with the process, like a daemon.
    """

    ident: int | None = None
    native_id: int | None = None

    def __init__(self, target: Callable[[], object]) -> None:
        self._target = target
        self._running = allocate_lock()

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if the system cannot start one."""
        start_new_thread: Any = original(_thread, "start_new_thread")
        self._running.acquire()
        try:
            start_new_thread(self._run, ())
        except BaseException:
            self._running.release()
            raise

    def _run(self) -> None:
        self.ident = get_ident()
        try:
            self._target()
        finally:
            self._running.release()

    def is_alive(self) -> bool:
        return bool(self._running.locked())

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, for at most `timeout` seconds."""
        if self._running.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
            self._running.release()


class _DaemonThread(OwnThread):
    """A thread that ends quietly even if `threading` was patched while it ran.

    A signal handler may raise inside `start`, which then forgets the thread that it has started.
    """

    def start(self) -> None:
        interrupt: BaseException | None = None
        try:
            super().start()
        except KeyError as exc:  # the thread itself was quicker to leave the list of `start`
            interrupt = exc.__context__ or exc
        if interrupt is not None:
            raise interrupt

    def _bootstrap_inner(self) -> None:
        try:
            super()._bootstrap_inner()  # type: ignore[misc]
        except KeyError:  # it is no longer on the list: it ends, and another one is started
            self._delete()

    def _delete(self) -> None:
        with suppress(KeyError):  # the patched `threading` looks for the id of a greenlet
            super()._delete()  # type: ignore[misc]


def new_thread(target: Callable[[], object], name: str) -> OwnThread | NativeThread:
    """Return a daemon thread of the system that is not started yet."""
    keep_native(held_here=True)
    if patcher("threading") is None:
        return _DaemonThread(target=target, name=name, daemon=True)
    return NativeThread(target)
