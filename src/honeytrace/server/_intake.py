"""Few threads for batches, and a limit on the memory of batches that wait for them.

A batch is parsed into hundreds of thousands of small objects. In any of forty worker threads, each
with an arena of its own, that took 1.9 GB; and single requests waited behind the batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ._http import RefusedError

__all__ = ["Intake"]

T = TypeVar("T")


class Intake:
    """The threads for batches, and the bytes of the batches that wait for them or are at work."""

    def __init__(self, limit: int, threads: int) -> None:
        self._limit = limit
        self._held = 0
        self._threads = ThreadPoolExecutor(threads, "honeytrace-batch")

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Hold room for a body while the block runs; call what it gives with the size of each part
        that arrives.

        Raises RefusedError when so many bytes wait already that the client should try later.
        """
        if self._held >= self._limit:
            message = "too many batches wait to be stored: try again"
            raise RefusedError(503, "server_busy", message, **{"retry-after": "1"})
        size = 0

        def hold(part: int) -> None:
            nonlocal size
            size += part
            self._held += part

        try:
            yield hold
        finally:
            self._held -= size

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
