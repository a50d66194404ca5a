"""Threads and locks of the operating system, also in programs patched by gevent or eventlet.

These libraries replace `threading` with greenlets, which all run in one thread of the system. A
flush thread that is a greenlet would stop the whole program whenever it waits in C code, and it
would run only while the program waits. So the flush thread is always a real thread, and everything
it shares with the program's threads uses real locks. Only `Condition.wait` is cooperative: other
greenlets run while one of them flushes.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._capture.context import OwnThread

_POLL = 0.005
"""Seconds between two checks of a waiting greenlet."""


def _patcher(module: str) -> Any:
    """Return the library that has replaced a module of the standard library, or None."""
    gevent: Any = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched(module):
        return gevent
    eventlet: Any = sys.modules.get("eventlet.patcher")
    names = {"threading": "thread", "_thread": "thread"}
    if eventlet is not None and eventlet.is_monkey_patched(names.get(module, module)):
        return eventlet
    return None


def _original(module: Any, name: str) -> Any:
    """Return an attribute of a module of the standard library, as it was before any patch."""
    patcher = _patcher(module.__name__)
    if patcher is None:
        return getattr(module, name)
    if hasattr(patcher, "get_original"):
        return patcher.get_original(module.__name__, name)
    return getattr(patcher.original(module.__name__), name)


allocate_lock: Callable[[], Any] = _original(_thread, "allocate_lock")
get_ident: Callable[[], int] = _original(_thread, "get_ident")
sleep: Callable[[float], None] = _original(time, "sleep")
_system_rlock: Callable[[], Any] = _original(_thread, "RLock")  # neither replaces the type in C
_locks: list[Any] = []
"""Every lock of `RLock`; `eventlet.monkey_patch()` finds them here, too, and replaces them."""
_MOST = 200
"""Locks after which those that nobody else holds are forgotten."""


def RLock() -> Any:  # noqa: N802 - it stands for `threading.RLock`
    """Return a re-entrant lock of the system."""
    lock = _system_rlock()
    if len(_locks) > _MOST:
        _locks[:] = [each for each in _locks if sys.getrefcount(each) > 3]
    _locks.append(lock)
    return lock


class _PlainRLock:
    """A re-entrant lock made of a plain lock of the system.

    `eventlet.monkey_patch()` puts locks of greenlets in place of all re-entrant locks that it finds
    in the process. Two threads of the system that meet at one of these fail with "Cannot switch to
    a different thread", so `keep_native` makes them into this.
    """

    _block: Any
    _owner: int | None
    _count: int

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._is_owned():
            self._count += 1
            return True
        taken: bool = self._block.acquire(blocking, timeout)
        if taken:
            self._owner, self._count = get_ident(), 1
        return taken

    def release(self) -> None:
        if not self._is_owned():
            raise RuntimeError("cannot release a lock that this thread does not hold")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._block.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self._owner == get_ident()

    def _release_save(self) -> tuple[int, int | None]:
        state = self._count, self._owner
        self._count, self._owner = 0, None
        self._block.release()
        return state

    def _acquire_restore(self, state: tuple[int, int | None]) -> None:
        self._block.acquire()  # `state` may be of the lock that was here when the wait began
        self._owner, self._count = get_ident(), state[0]

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()
        self._owner, self._count = None, 0


def keep_native(*, held_here: bool = False) -> None:
    """Make the locks that eventlet put in place of ours into locks of the system again.

    held_here: a lock that is held is held by this thread; otherwise it is left for the next time.
    """
    if "eventlet.patcher" not in sys.modules:
        return
    for lock in _locks:
        if type(lock) is threading._PyRLock and (held_here or not lock._count):  # type: ignore[attr-defined]
            lock._block = allocate_lock()
            if lock._count:
                lock._block.acquire()
                lock._owner = get_ident()
            lock.__class__ = _PlainRLock


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
        start_new_thread: Any = _original(_thread, "start_new_thread")
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
    if _patcher("threading") is None:
        return _DaemonThread(target=target, name=name, daemon=True)
    return NativeThread(target)


class Condition:
    """A `threading.Condition` over a re-entrant lock, made of locks of the system.

    A wait inside a wait, such as that of a signal handler, releases the lock completely.
    """

    def __init__(self, lock: Any, *, cooperative: bool = True) -> None:
        self._lock, self._cooperative = lock, cooperative
        self._waiters: deque[Any] = deque()

    def wait(self, timeout: float) -> None:
        """Release the lock until `notify_all`, or for `timeout` seconds at most.

        It may return early.
        """
        greenlets = self._cooperative and _patcher("time") is not None
        waiter = allocate_lock()
        waiter.acquire()
        self._waiters.append(waiter)
        held = self._lock._release_save()
        try:
            if greenlets:
                time.sleep(min(timeout, _POLL))
            else:
                waiter.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))
        finally:
            self._lock._acquire_restore(held)
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def notify_all(self) -> None:
        """Wake everyone who waits."""
        while self._waiters:
            self._waiters.popleft().release()


class Event:
    """A `threading.Event` made of locks of the system."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._changed = Condition(self._lock, cooperative=False)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            self._is_set = True
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait for `set`, for at most `timeout` seconds; return whether it is set."""
        end = time.monotonic() + timeout
        with self._lock:
            while not self._is_set and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
        return self._is_set
