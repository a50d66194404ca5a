"""Delivery from the command line: with patience, and with every trouble told."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._durability.redelivery import Redelivery
from .._record.record import Item
from ..sinks import Delivery
from ._terminal import say

if TYPE_CHECKING:
    from ..sinks import Sink

__all__ = ["Courier"]

_TIMEOUT = 120.0
"""Seconds that one batch may take."""

_TRIES, _FIRST_WAIT = 5, 0.5
"""So many tries in a row that deliver nothing, with longer and longer waits, and it gives up."""

_SAID = 10
"""So many refusals are told of one by one."""


class Courier:
    """Delivers through a sink and closes the sink at the end.

    Log messages are kept for `tell`, and so are the first refused records. `refused` counts all of
    them.
    """

    def __init__(self, sink: Sink) -> None:
        self.refused = 0
        self._redelivery = Redelivery(lambda: sink)
        self._examples: list[str] = []
        self._gave_up: str | None = None
        self._sink = sink
        self._said = _Said()
        self._logger = logging.getLogger("honeytrace")
        self._logger.addHandler(self._said)

    def __enter__(self) -> Courier:
        return self

    def __exit__(self, *exc: object) -> None:
        self._logger.removeHandler(self._said)
        self._sink.close()

    def deliver(self, batch: Sequence[Item]) -> Delivery:
        """See a batch delivered or refused, as far as that can be for now.

        Once something of one had to be left, nothing more is tried.
        """
        waiting, failures = batch, 0
        refused: list[tuple[Item, str]] = []
        while self._gave_up is None and waiting:
            before = len(waiting)
            fate = self._redelivery.deliver(waiting, timeout=_TIMEOUT)
            waiting = fate.retry
            refused += fate.refused
            failures = failures + 1 if len(waiting) == before else 0
            why = fate.why or "the destination is busy"
            if self._redelivery.hopeless:
                self._gave_up = why
            elif failures == _TRIES:
                self._gave_up = f"{why}; run it again later, it goes on from here"
            elif waiting:
                time.sleep(fate.retry_after or _FIRST_WAIT * 2 ** max(0, failures - 1))
        self.refused += len(refused)
        for item, reason in refused[: _SAID - len(self._examples)]:
            self._examples.append(f"refused: {item.event_id}: {reason}")
        return Delivery(waiting, refused, why=self._gave_up)

    def tell(self) -> None:
        """Print the refused records and the log messages."""
        for text in (*self._said.texts, *self._examples):
            say(text)
        if self.refused > _SAID:
            say(f"… and {self.refused - _SAID:,} more")


class _Said(logging.Handler):
    """Keeps the warnings of honeytrace."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().removeprefix("honeytrace: "))
