"""The functions of the package that act on the runtime: flush, shutdown, stats, update_session."""

from __future__ import annotations

import sys
import time
from typing import Any

from .._base import lazy
from .._base.lazy import ready
from .._capture.context import innermost
from .._capture.finished import record_so_far
from .._capture.hooks import hooks
from .._capture.names import masked_id
from .._capture.session import Session
from .._delivery.stats import FlushResult, Stats
from .._record.record import Item
from .runtime import active, runtime, update


def flush(timeout: float | None = None) -> FlushResult:
    """Deliver everything recorded so far, for at most `timeout` seconds (default: 10).

    The result is true when everything accepted so far was delivered, and carries the counts.
    """
    work = active()
    if work is None:
        return _nothing_flushed()
    timeout = 10.0 if timeout is None else timeout
    deadline = time.monotonic() + timeout
    result = work.flusher.flush(timeout)
    if work.is_broken:
        return result._replace(complete=False)
    if not work.destination.also:
        return result
    others = work.destination.wait_for_others(max(deadline - time.monotonic(), 0))
    return result._replace(complete=result.complete and others)


def _nothing_flushed() -> FlushResult:
    """Return the result of a flush before any configuration; calls may have failed to begin one."""
    return FlushResult(not (hooks.unrecorded or lazy.warned), 0, 0, 0, hooks.unrecorded)


async def aflush(timeout: float | None = None) -> FlushResult:
    """Flush like `flush`, while the event loop of asyncio or trio keeps running."""
    trio = _running_trio()
    if trio is not None:
        return await trio.to_thread.run_sync(flush, timeout, abandon_on_cancel=True)  # type: ignore[no-any-return]
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    # a separate pool, because the default one may be full of the program's work
    pool = ThreadPoolExecutor(1, "honeytrace-aflush")
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, flush, timeout)
    finally:
        pool.shutdown(wait=False)


def _running_trio() -> Any:
    """Return the module trio if its loop runs here, otherwise None."""
    trio = sys.modules.get("trio")
    try:
        return trio and trio.lowlevel.current_task() and trio
    except (AttributeError, RuntimeError):
        return None


def shutdown(timeout: float | None = None) -> FlushResult:
    """Flush for at most `timeout` seconds (default: `exit_timeout`), and end the flush thread.

    The end of the process does this by itself. Sessions recorded later start the thread again.
    """
    work = active()
    if work is None:
        return _nothing_flushed()
    return work.flusher.stop(work.config.exit_timeout if timeout is None else timeout)


def stats() -> Stats:
    """Return the books; recorded = delivered + pending + journalled + refused + dropped, always."""
    work = active()
    if work is None:
        lost = hooks.unrecorded
        return Stats(recorded=lost, refused={}, dropped={"not recorded": lost} if lost else {})
    return work.flusher.stats()._replace(
        sampled_out=work.sampled_out,
        cut=work.sampler.cut,
        unprotected=work.keeper.unprotected,
        left_out=work.spans_left_out,
        also_lost=sum(each.dropped + each.refused for each in work.destination.also),
    )


def count_left_out() -> None:
    """Count a span that the OpenTelemetry bridge did not record."""
    work = active()
    if work is not None:
        work.spans_left_out += 1


def pending(session_id: str | None = None) -> list[Item]:
    """Return the undelivered items: sessions that run here, then those that wait.

    Of the items that are only on disk, these are the items in the tree of this session.
    """
    rt = runtime()
    found: list[Item] = []
    running: Any = innermost()
    while isinstance(running, Session):
        if not running._end:
            found.insert(0, record_so_far(running, rt.config.project, rt.config.source))
        running = running._parent
    return found + rt.flusher.pending(session_id)


def update_session(session_id: str, **fields: Any) -> None:
    """Add to a session that has ended, wherever it was recorded.

    It takes the fields of `Session.update`. Mapping fields merge, all others are replaced. The
    update is delivered after its session. Raises TypeError for an unknown field.
    """
    unknown = sorted(set(fields) - set(_UPDATABLE))
    if unknown:
        raise TypeError(f"update_session() has no field {unknown}; it has {_UPDATABLE}")
    given = {name: value for name, value in fields.items() if value is not None}
    if given and ready() and runtime().config.enabled:
        update(masked_id(session_id), given)


_UPDATABLE = Session.update.__code__.co_varnames[1 : 1 + Session.update.__code__.co_kwonlyargcount]


for _public in (aflush, flush, shutdown, stats, update_session):
    _public.__module__ = "honeytrace"  # where users find them
