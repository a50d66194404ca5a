"""Delivery from the command line: with patience, and with every trouble told."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._record import Item
from ..errors import HoneytraceError
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
    """Delivers through a sink, which it closes.

    What that logs, such as a wrong key, is an error here; what else is logged meanwhile is kept for
    `tell`. `refused` are the items that were refused, each with its reason.
    """

    def __init__(self, sink: Sink) -> None:
        self.refused: list[tuple[Item, str]] = []
        self._sink = sink
        self._said = _Said()
        self._logger = logging.getLogger("honeytrace")
        self._logger.addHandler(self._said)

    def __enter__(self) -> Courier:
        return self

    def __exit__(self, *exc: object) -> None:
        self._logger.removeHandler(self._said)
        self._sink.close()

    def deliver(self, batch: Sequence[Item]) -> None:
        """See a batch delivered or refused.

        Raises HoneytraceError when nothing more of it can be delivered for now.
        """
        waiting, failures = batch, 0
        while True:
            trouble, wait = "the destination is busy", _FIRST_WAIT * 2**failures
            before = len(waiting)
            try:
                fate = self._sink.deliver(waiting, timeout=_TIMEOUT)
                waiting, wait = fate.retry, fate.retry_after or wait
                self.refused += fate.refused
            except HoneytraceError as error:
                trouble = str(error)
            else:
                if fate.why and not fate.retry_after and len(waiting) == before:
                    raise HoneytraceError(fate.why)  # waiting is no cure for a wrong key
            if not waiting:
                return
            failures = failures + 1 if len(waiting) == before else 0
            if failures == _TRIES:
                raise HoneytraceError(f"{trouble}; run it again later, it goes on from here")
            time.sleep(wait)

    def tell(self) -> None:
        """Say what was refused, and what else was logged."""
        for text in self._said.texts:
            say(text)
        for item, reason in self.refused[:_SAID]:
            say(f"refused: {item.event_id}: {reason}")
        if len(self.refused) > _SAID:
            say(f"… and {len(self.refused) - _SAID:,} more")


class _Said(logging.Handler):
    """Keeps what honeytrace warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().removeprefix("honeytrace: "))
