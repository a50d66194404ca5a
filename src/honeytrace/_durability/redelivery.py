"""Delivery of records that dead processes left; no record stops another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from .._base.lazy import logger
from .._record.record import Item
from ..sinks import Delivery, Sink
from ..sinks._bisect import bisect
from ..sinks._in_order import deliver_in_order, updates_apart

PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further attempt at a record that failed alone."""
_FEW = 10
"""Share of a batch that is suspected when the others are taken: up to a tenth."""


class Redelivery:
    """A delivery through the sink that `make` returns; the first batch makes it, `close` closes it.

    A batch that fails is divided until the record that stops it stands alone. That record is
    refused when it fails again after nearly all others were taken. `turn` is entered for each
    attempt.
    """

    def __init__(
        self,
        make: Callable[[], Sink],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.alive = False
        """True once the destination has taken something, so it is up."""
        self.hopeless = False
        """True if the destination takes nothing and reports that waiting does not help."""
        self._make = make
        self._turn = turn
        self._sink: Sink | None = None

    def deliver(self, batch: Sequence[Item], *, timeout: float = 60.0) -> Delivery:
        """Deliver like a sink; a non-empty `retry` means the destination accepts no more for now.

        timeout: seconds for each attempt. Raises the errors of `make`.
        """
        return _Division(self, batch, timeout).fate()

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def attempt(self, part: list[Item], timeout: float) -> Delivery:
        """Deliver these together, once."""
        if self._sink is None:
            self._sink = self._make()
        self.hopeless = False
        try:
            with self._turn():
                # the dead process may have delivered any of these records
                deliver = partial(self._sink.deliver, timeout=timeout)
                fate = deliver_in_order(deliver, *updates_apart(part))
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            logger.debug("recovery: %r", error)
            return Delivery(part, why=str(error) or type(error).__name__)
        taken = len(fate.retry) < len(part)
        self.alive = self.alive or taken
        self.hopeless = bool(fate.why and not taken and not fate.retry_after)
        return fate


class _NoMoreError(Exception):
    """The destination accepts no more for now. It may have asked to wait `retry_after` seconds."""

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after


class _Division:
    """A batch that is divided around the records the destination does not take."""

    def __init__(self, way: Redelivery, batch: Sequence[Item], timeout: float) -> None:
        self._way, self._batch, self._timeout = way, list(batch), timeout
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
        """Deliver everything except the records that fail on their own."""
        suspects = max(1, len(self._batch) // _FEW)
        for alone, _ in enumerate(bisect(self._batch, self._deliver), 1):
            if alone > suspects:
                raise _NoMoreError

    def _deliver(self, part: Sequence[Item]) -> list[Item]:
        """Deliver a part and return the rest; `_is_there` may have delivered some of it."""
        left = [item for item in part if id(item) in self._left]
        rest = self._attempt(left) if left else []
        if len(rest) == len(self._batch) and not self._is_there():
            raise _NoMoreError
        return rest

    def _insist(self) -> None:
        """Repeat the records that fail on their own, after a pause each time."""
        for pause in PAUSES:
            if self._left:
                time.sleep(pause)
                for item in list(self._left.values()):
                    self._attempt([item])

    def _attempt(self, part: list[Item]) -> list[Item]:
        """Deliver a part; return the records that were not taken."""
        fate = self._way.attempt(part, self._timeout)
        self._why = fate.why or self._why
        self._refused += fate.refused
        waits = set(map(id, fate.retry))
        for item in part:
            if id(item) not in waits:
                self._left.pop(id(item), None)
        if fate.retry_after or self._way.hopeless:
            raise _NoMoreError(fate.retry_after)
        return list(fate.retry)

    def _is_there(self) -> bool:
        """Return whether the destination takes any record, after it took none of the batch."""
        if len(self._batch) == 1:
            return self._way.alive
        return any(not self._attempt(end) for end in (self._batch[:1], self._batch[-1:]))
