"""The ends of a process, and its forks: what the interpreter tells of, for what is at work.

`os._exit` and signals that kill tell nobody: what they leave is in the journal.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from .._delivery.flusher import Flusher
from .._durability.journal import forget_all

_IMPORTS = 5.0
"""Seconds that a fork waits for the flush thread to have its modules."""


class AtWork(Protocol):
    """What delivers, and is told that the process ends."""

    flusher: Flusher

    def finish(self) -> None: ...


def _nothing() -> AtWork | None:
    return None


_at_work = _nothing
_is_prepared = False


def watch(at_work: Callable[[], AtWork | None], renew: Callable[[], None]) -> None:
    """Have `at_work` asked for what ends with the process, and `renew` make it anew in a forked
    child."""
    global _at_work
    _at_work = at_work
    atexit.register(at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _after_fork_in_child(renew))


def prepare_for_forks() -> None:
    """Have what is at work stand still for a fork, from now on.

    Not before logging is imported: of such hooks the last to come is the first to run, and ours
    waits for a thread that may want logging's lock.
    """
    global _is_prepared
    if not _is_prepared and hasattr(os, "register_at_fork"):
        _is_prepared = True
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)


def _before_fork() -> None:
    work = _at_work()
    if work is not None:
        work.flusher.pause()
        work.flusher.importing.acquire(timeout=_IMPORTS)
        # what was imported meanwhile has no hook in this fork
        store: Any = sys.modules.get("honeytrace.store._connection")
        if store is not None:
            store.before_fork()


def _after_fork_in_parent() -> None:
    work = _at_work()
    if work is not None:
        with suppress(RuntimeError):  # the wait was in vain
            work.flusher.importing.release()
        store: Any = sys.modules.get("honeytrace.store._connection")
        if store is not None:
            store.after_fork_in_parent()


def _after_fork_in_child(renew: Callable[[], None]) -> None:
    """Let go of the parent's files; the child has its own."""
    if _at_work() is not None:
        forget_all()
        recovery: Any = sys.modules.get("honeytrace._durability.recovery")
        if recovery is not None:
            recovery.forget()
    renew()


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
