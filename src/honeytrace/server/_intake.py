"""A few threads for batches, and a limit on the memory of the batches that wait for them.

A batch is parsed into hundreds of thousands of small objects. When any of forty worker threads did
so, each in its own memory arena, the server took 1.9 GB, and single requests waited behind batches.
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
    """The threads for batches, and the total size of the batches that wait or are being stored."""

    def __init__(self, limit: int, threads: int) -> None:
        self._limit = limit
        self._held = 0
        self._threads = ThreadPoolExecutor(threads, "honeytrace-batch")

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Reserve room for a body while the block runs. Yields a function to call with the size of
        each part that arrives.

        Raises RefusedError if too many bytes are waiting already; the client should try again
        later.
        """
        if self._held >= self._limit:
            message = "too many batches are waiting to be stored: try again later"
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
        """Run `work` in one of the threads and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
