"""Hooks for the end of the process and for forks, which call the runtime in force.

`os._exit` and signals that kill run no hook; the journal keeps the records they leave.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Protocol

from .._base.native_locks import RLock, get_ident
from .._delivery.flusher import Flusher
from .._durability.journal import forget_all

_IMPORTS = 5.0
"""Seconds that a fork waits for another thread that configures or imports."""


class AtWork(Protocol):
    """A runtime, as this module sees it: it can be ended."""

    flusher: Flusher

    def finish(self) -> None: ...


_RUNTIME = "honeytrace._runtime.runtime"
"""Name of the module with the runtime. Its functions are looked up by name: the interpreter holds
these hooks to its very end, and a reference would keep a sink of the program alive that long."""

_is_prepared = False
_LOCKING = {"concurrent.futures.thread": "_global_shutdown_lock", "logging": "_lock"}
"""Modules whose own fork hooks take a lock and release it afterwards, with the lock's name."""

_held: dict[int, list[Any]] = {}
"""Locks that a thread holds while it forks."""


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
    """Return the runtime that delivers and has to be ended with the process."""
    runtime = sys.modules.get(_RUNTIME)
    work: AtWork | None = None if runtime is None else runtime.active()
    return work


def _configuring() -> Any:
    """Return the lock that is held while a configuration begins."""
    runtime = sys.modules.get(_RUNTIME)
    return RLock() if runtime is None else runtime.configuring()


def prepare_for_forks() -> None:
    """Register the fork hooks, which bring the runtime to rest for every fork.

    logging is imported first: the last hook registered runs first, and this hook waits for a thread
    that may want logging's lock.
    """
    global _is_prepared
    if not _is_prepared and hasattr(os, "register_at_fork"):
        import logging  # noqa: F401 - registers its own hook first

        _is_prepared = True
        os.register_at_fork(before=_before_fork)


def _before_early_fork() -> None:
    """Run `_before_fork` for a fork that began before that hook was registered.

    Logging's hook has run already if it exists. Its lock is released meanwhile, because the thread
    that configures may want it.
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
    """Wait until no thread configures or imports. Otherwise the child would have half modules, and
    locks held by a thread that it does not have."""
    held = _held.setdefault(get_ident(), [])
    present = sys.modules.keys() & _LOCKING
    _hold(_configuring(), held)
    work = _at_work()
    if work is not None:
        work.flusher.pause()
        _hold(work.flusher.importing, held)
        _catch_up(present)
        # modules imported meanwhile have no hook in this fork
        store: Any = sys.modules.get("honeytrace.store._connection")
        if store is not None:
            store.before_fork()


def _catch_up(present: Collection[str]) -> None:
    """Take the locks of modules that were imported while this fork waited.

    Their hooks come too late to take the locks and would fail when they release them afterwards. A
    module that was `present` before takes its lock in its hook. If it were taken here as well, the
    parent would hold it for ever.
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
    """Deliver as much as possible in time, and keep the rest for the next process."""
    work = _at_work()
    if work is not None:
        work.finish()
    if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
        # CPython forgets that Ctrl-C ended the program at the next `exec` of a text, such as that
        # of a namedtuple in a module that delivery imports. The status would be 1, not -SIGINT.
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def outlive_worker() -> None:
    """Make a worker of multiprocessing deliver at its end: it ends by `os._exit`, without atexit.

    This is called when the flush thread starts, because a worker clears its finalizers at start.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, at_exit, exitpriority=-10)  # after finalizers of the program
