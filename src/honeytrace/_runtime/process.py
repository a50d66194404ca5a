"""The ends of a process, and its forks: what the interpreter tells of, for what is at work.

`os._exit` and signals that kill tell nobody: what they leave is in the journal.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Protocol

from .._delivery.flusher import Flusher
from .._delivery.native_threads import RLock, get_ident
from .._durability.journal import forget_all

_IMPORTS = 5.0
"""Seconds that a fork waits for another thread to have configured, or to have its modules."""


class AtWork(Protocol):
    """The runtime, which is told that the process ends."""

    flusher: Flusher

    def finish(self) -> None: ...


_RUNTIME = "honeytrace._runtime.runtime"
"""The module that has what is at work. Its functions are looked up by name: the interpreter holds
these hooks to its very end, where a reference would keep a sink of the program's own alive."""

_is_prepared = False
_LOCKING = {"concurrent.futures.thread": "_global_shutdown_lock", "logging": "_lock"}
"""Modules whose own hooks take a lock before a fork and release it afterwards, and its name."""

_held: dict[int, list[Any]] = {}
"""Locks that a thread holds during its fork."""


def watch() -> None:
    """Register the hooks of the interpreter."""
    atexit.register(at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_early_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )


def _at_work() -> AtWork | None:
    """Return what delivers, and ends with the process."""
    runtime = sys.modules.get(_RUNTIME)
    work: AtWork | None = None if runtime is None else runtime.active()
    return work


def _configuring() -> Any:
    """Return the lock that is held while a configuration begins."""
    runtime = sys.modules.get(_RUNTIME)
    return RLock() if runtime is None else runtime.configuring()


def prepare_for_forks() -> None:
    """Have what is at work stand still for a fork, from now on.

    Not before logging is imported: of such hooks the last to come is the first to run, and ours
    waits for a thread that may want logging's lock.
    """
    global _is_prepared
    if not _is_prepared and hasattr(os, "register_at_fork"):
        import logging  # noqa: F401 - its own hook comes first

        _is_prepared = True
        os.register_at_fork(before=_before_fork)


def _before_early_fork() -> None:
    """Do as `_before_fork`, where a fork began before that was registered.

    Logging's hook has run by then if there is one. Its lock is given back meanwhile, because the
    thread that configures may want it.
    """
    if get_ident() in _held:
        return
    lock: Any = getattr(sys.modules.get("logging"), "_lock", None)
    is_owned = lock is not None and lock._is_owned()
    if is_owned:
        lock.release()
    _before_fork()
    if is_owned and not lock._is_owned():
        lock.acquire()


def _before_fork() -> None:
    """Wait until no thread configures or imports: the child would find modules and locks halfway,
    held by a thread that it does not have."""
    held = _held.setdefault(get_ident(), [])
    present = sys.modules.keys() & _LOCKING
    _hold(_configuring(), held)
    work = _at_work()
    if work is not None:
        work.flusher.pause()
        _hold(work.flusher.importing, held)
        _catch_up(present)
        # what was imported meanwhile has no hook in this fork
        store: Any = sys.modules.get("honeytrace.store._connection")
        if store is not None:
            store.before_fork()


def _catch_up(present: Collection[str]) -> None:
    """Take the locks of modules that were imported while this fork waited.

    Their hooks come too late to take them, and would complain when they release them afterwards. A
    module that was `present` before has its hook take its lock: taken here as well, it would be
    held in the parent for ever.
    """
    for name in _LOCKING.keys() - present:
        lock = getattr(sys.modules.get(name), _LOCKING[name], None)
        if lock is not None:
            lock.acquire(blocking=False)


def _hold(lock: Any, held: list[Any]) -> None:
    if lock.acquire(timeout=_IMPORTS):
        held.append(lock)


def _after_fork_in_parent() -> None:
    held = _held.pop(get_ident(), None)
    if held is None:
        return
    for lock in reversed(held):
        lock.release()
    store: Any = sys.modules.get("honeytrace.store._connection")
    if store is not None and _at_work() is not None:
        store.after_fork_in_parent()


def _after_fork_in_child() -> None:
    """Let go of the parent's files; the child has its own.

    Nothing is imported here: a thread that the child does not have may hold a module's lock.
    """
    _held.clear()
    if _at_work() is not None:
        forget_all()
        recovery: Any = sys.modules.get("honeytrace._durability.recovery")
        if recovery is not None:
            recovery.forget()
    runtime = sys.modules.get(_RUNTIME)
    if runtime is not None:
        runtime.renew()


def at_exit() -> None:
    """Deliver what can be in time, and keep the rest for the next process."""
    work = _at_work()
    if work is not None:
        work.finish()
    if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
        # CPython forgets at the next `exec` of a text, such as a namedtuple's in what delivery
        # imports, that Ctrl-C ended the program: the exit status would be 1, not -SIGINT
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def outlive_worker() -> None:
    """Have a worker of multiprocessing deliver at its end: it leaves by `os._exit`, without atexit.

    Called when the flush thread starts, since such a process begins by clearing its finalizers.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, at_exit, exitpriority=-10)  # after those of the program
