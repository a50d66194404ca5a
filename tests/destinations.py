"""Destinations that a test holds in its hand, and a runtime that no other test hears of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from honeytrace import trace_session
from honeytrace._record.record import Item
from honeytrace._runtime import runtime as _runtime
from honeytrace._runtime.capturing import captured
from honeytrace.sinks import Delivery
from surroundings import clear

PATIENCE = 30.0
"""Seconds after which a test that waits has failed; none of them ever pass in one that holds."""


@trace_session
def call(x: int = 0) -> int:
    return x


class Scripted:
    """A sink that does as `answer` says: an exception to raise, a `Delivery`, or None: taken."""

    def __init__(self, answer: Callable[[list[Item]], Any] = lambda batch: None) -> None:
        self.answer = answer
        self.batches: list[list[Item]] = []
        self.closed = 0
        self._heard = threading.Condition()

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        with self._heard:
            self.batches.append(list(batch))
            self._heard.notify_all()
        answer = self.answer(list(batch))
        if isinstance(answer, BaseException):
            raise answer
        return Delivery() if answer is None else answer

    def close(self) -> None:
        self.closed += 1

    def wait_batches(self, count: int) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.batches) >= count, PATIENCE)

    @property
    def items(self) -> list[Item]:
        return [item for batch in self.batches for item in batch]


class Gate(Scripted):
    """A sink that delivers nothing until `open` is set."""

    def __init__(self) -> None:
        super().__init__(self._hold)
        self.entered, self.open = threading.Event(), threading.Event()

    def _hold(self, batch: list[Item]) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE)


@contextmanager
def isolated(monkeypatch: Any, tmp_path: Any) -> Iterator[None]:
    """An unconfigured runtime in an empty directory and environment; the one before comes back."""
    clear(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with captured({}, lambda runtime, item: None):
        _runtime.unconfigured()
        try:
            yield
        finally:
            if (left := _runtime._runtime) is not None:
                left.flusher.serve(left.config, lambda damage: Scripted())
                left.flusher.stop(PATIENCE)
                left.destination.close()
