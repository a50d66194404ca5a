"""Locks of the operating system, also in programs patched by gevent or eventlet.

These libraries replace `threading` with greenlets, which all run in one thread of the system. What
our own threads share with the program needs real locks. Only `Condition.wait` is cooperative: other
greenlets run while one of them waits.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_POLL = 0.005
"""Seconds between two checks of a waiting greenlet."""


def patcher(module: str) -> Any:
    """Return the library that has replaced a module of the standard library, or None."""
    gevent: Any = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched(module):
        return gevent
    eventlet: Any = sys.modules.get("eventlet.patcher")
    names = {"threading": "thread", "_thread": "thread"}
    if eventlet is not None and eventlet.is_monkey_patched(names.get(module, module)):
        return eventlet
    return None


def original(module: Any, name: str) -> Any:
    """Return an attribute of a module of the standard library, as it was before any patch."""
    found = patcher(module.__name__)
    if found is None:
        return getattr(module, name)
    if hasattr(found, "get_original"):
        return found.get_original(module.__name__, name)
    return getattr(found.original(module.__name__), name)


allocate_lock: Callable[[], Any] = original(_thread, "allocate_lock")
get_ident: Callable[[], int] = original(_thread, "get_ident")
sleep: Callable[[float], None] = original(time, "sleep")
_system_rlock: Callable[[], Any] = original(_thread, "RLock")  # neither replaces the type in C
_MOST = 200
"""Locks after which those that nobody else refers to are forgotten."""
_UNUSED = 2
"""References to such a lock: one of the list, one of the call that counts."""


class _Locks(list[Any]):
    """Every lock of `RLock`.

    `eventlet.monkey_patch()` finds the locks of the process, here, too, and puts locks of greenlets
    in their places. It uses one new lock for all places of an old one, so what is put in here is
    made into a lock of the system at once, wherever else it is.
    """

    def __setitem__(self, index: Any, lock: Any) -> None:
        super().__setitem__(index, lock)
        _make_native(lock, held_here=False)


_locks = _Locks()
_sweeping = allocate_lock()


def RLock() -> Any:  # noqa: N802 - it stands for `threading.RLock`
    """Return a re-entrant lock of the system, which stays one when a program is patched later."""
    lock = _system_rlock()
    if len(_locks) > _MOST and _sweeping.acquire(blocking=False):
        try:
            for index in range(len(_locks) - 1, -1, -1):
                if sys.getrefcount(_locks[index]) <= _UNUSED:
                    del _locks[index]
        finally:
            _sweeping.release()
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
    """Make the locks that eventlet put in place of ours into locks of the system again, those that
    were held meanwhile.

    held_here: a lock that is held is held by this thread; otherwise it is left for the next time.
    """
    if "eventlet.patcher" in sys.modules:
        for lock in _locks:
            _make_native(lock, held_here)


def _make_native(lock: Any, held_here: bool) -> None:
    if type(lock) is threading._PyRLock and (held_here or not lock._count):  # type: ignore[attr-defined]
        lock._block = allocate_lock()
        if lock._count:
            lock._block.acquire()
            lock._owner = get_ident()
        lock.__class__ = _PlainRLock


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
        greenlets = self._cooperative and patcher("time") is not None
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
