"""The destinations of finished records.

A sink takes a batch and reports the fate of each item. It makes no decisions: retries, waits and
drops are the flush thread's.

api      the HoneyHive API       store    the embedded store, or another one
memory   for tests
"""

# annotations are no texts here: see _record

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .._record.record import Item

__all__ = ["Delivery", "Sink"]


class Delivery(NamedTuple):
    """The fate of a batch. An item in neither list was accepted for good."""

    retry: Sequence[Item] = ()
    """Items that were not delivered and are worth another attempt, in their order."""
    refused: Sequence[tuple[Item, str]] = ()
    """Items that will never be accepted, each with its reason."""
    retry_after: float | None = None
    """Seconds that the destination asked to wait."""
    why: str | None = None
    """The reason why `retry` was not delivered, for the log, with the cure if there is one."""


class Sink(Protocol):
    """One destination. Only the flush thread calls `deliver`, and never twice at once."""

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Deliver within `timeout` seconds. An exception means that the whole batch is retried."""

    def close(self) -> None: ...
