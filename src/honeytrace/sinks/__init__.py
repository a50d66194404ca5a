"""Where finished records go: a sink takes a batch and says what became of it, deciding nothing."""

# annotations are no texts here: see _record

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .._record.record import Item

__all__ = ["Delivery", "Sink"]


class Delivery(NamedTuple):
    """The fate of a batch. What is in neither list was accepted for good."""

    retry: Sequence[Item] = ()
    """Not delivered, worth another try, in their order."""
    refused: Sequence[tuple[Item, str]] = ()
    """Never to be accepted, each with its reason."""
    retry_after: float | None = None
    """Seconds the other side asked to wait."""
    why: str | None = None
    """Why `retry` is not delivered, for the log, with the cure where somebody has to bring it."""


class Sink(Protocol):
    """One destination. `deliver` is called by the flush thread alone, never twice at once."""

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Deliver within `timeout` seconds; an exception means: retry the whole batch."""

    def close(self) -> None: ...
