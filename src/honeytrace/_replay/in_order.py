"""Async answers in the recorded order of their ends."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Generator
from typing import Any


class Flight:
    """The answers that are on their way.

    A live call suspends, so an answer does. Of the answers in flight, the one whose recorded call
    ended first goes first: the completion order is a decision of `as_completed` or a race that
    inputs do not tell.
    """

    def __init__(self) -> None:
        self._ranks: set[int] = set()
        self._lock = threading.Lock()

    async def land(self, rank: int) -> None:
        """Wait until every answer in flight with a lower rank has landed."""
        step = _step()
        if step is None:
            return
        with self._lock:
            self._ranks.add(rank)
        try:
            await step()
            while self._first() < rank:
                await step()
        finally:
            with self._lock:
                self._ranks.discard(rank)

    def _first(self) -> int:
        with self._lock:
            return min(self._ranks)


@types.coroutine
def _asyncio_step() -> Generator[None, None, None]:
    """Let other tasks of an asyncio loop run. A bare `yield` is what `sleep(0)` does."""
    yield


def _step() -> Any:
    """Return the function that lets other tasks run under the loop at hand; None without a loop."""
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return trio.lowlevel.checkpoint
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return _asyncio_step
    return None
