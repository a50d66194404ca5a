"""Delivery of what is left behind: by a sink, where one record never stops another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from .._lazy import logger
from .._record.record import Item
from ..sinks import Delivery, Sink

PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further chance of a record that failed alone."""
_FEW = 10
"""Up to a tenth of a batch is suspected when the others are taken."""


class Passage:
    """Delivers by what `make` gives, which is called for the first batch and closed by `close`.

    A batch that fails is divided until what stops it stands alone; that is refused when it fails
    again and again after nearly all others were taken. `turn` is entered for each attempt.
    """

    def __init__(
        self,
        make: Callable[[], Sink],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.alive = False
        """Something was taken, so the destination is there."""
        self.hopeless = False
        """The destination says why it takes nothing, and that waiting is no cure."""
        self._make = make
        self._turn = turn
        self._sink: Sink | None = None

    def deliver(self, batch: Sequence[Item], *, timeout: float = 60.0) -> Delivery:
        """As a sink does, but what it leaves to be tried again says that no more is taken now.

        `timeout` is for each attempt. Raises what `make` does.
        """
        return _Trip(self, batch, timeout).fate()

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def attempt(self, part: list[Item], timeout: float) -> Delivery:
        """Try these together."""
        if self._sink is None:
            self._sink = self._make()
        self.hopeless = False
        try:
            with self._turn():
                fate = self._sink.deliver(part, timeout=timeout)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            logger.debug("recovery: %r", error)
            return Delivery(part, why=str(error) or type(error).__name__)
        taken = len(fate.retry) < len(part)
        self.alive = self.alive or taken
        self.hopeless = bool(fate.why and not taken and not fate.retry_after)
        return fate


class _NoMoreError(Exception):
    """The destination takes no more just now, and asks to wait so many seconds, or does not say."""

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after


class _Trip:
    """One batch on its way."""

    def __init__(self, passage: Passage, batch: Sequence[Item], timeout: float) -> None:
        self._passage, self._batch, self._timeout = passage, list(batch), timeout
        self._left = {id(item): item for item in batch}
        self._refused: list[tuple[Item, str]] = []
        self._why: str | None = None

    def fate(self) -> Delivery:
        try:
            self._divide()
            self._insist()
        except _NoMoreError as end:
            return Delivery(list(self._left.values()), self._refused, end.retry_after, self._why)
        lost = [(item, "never taken, while others are") for item in self._left.values()]
        return Delivery(refused=self._refused + lost)

    def _divide(self) -> None:
        """Deliver all but what fails alone."""
        parts, alone = [self._batch], 0
        while parts:
            part = [item for item in parts.pop() if id(item) in self._left]
            rest = self._attempt(part) if part else []
            if part == self._batch == rest and not self._is_there():
                raise _NoMoreError
            if len(rest) == 1:
                alone += 1
            elif 0 < len(rest) < len(part):
                parts.append(rest)
            elif rest:
                half = len(rest) // 2
                parts += rest[half:], rest[:half]
            if alone > max(1, len(self._batch) // _FEW):
                raise _NoMoreError

    def _insist(self) -> None:
        """Give what fails alone its chances."""
        for pause in PAUSES:
            if self._left:
                time.sleep(pause)
                for item in list(self._left.values()):
                    self._attempt([item])

    def _attempt(self, part: list[Item]) -> list[Item]:
        """What of it is not taken."""
        fate = self._passage.attempt(part, self._timeout)
        self._why = fate.why or self._why
        self._refused += fate.refused
        waits = set(map(id, fate.retry))
        for item in part:
            if id(item) not in waits:
                self._left.pop(id(item), None)
        if fate.retry_after or self._passage.hopeless:
            raise _NoMoreError(fate.retry_after)
        return list(fate.retry)

    def _is_there(self) -> bool:
        """Whether the destination takes anything, after it took nothing of the whole."""
        if len(self._batch) == 1:
            return self._passage.alive
        return any(not self._attempt(end) for end in (self._batch[:1], self._batch[-1:]))
