"""The destinations of finished records.

A sink takes a batch and reports the fate of each item. It makes no decisions: retries, waits and
drops are the flush thread's.

store       the embedded store, or another one
memory      a list in memory, for tests
api         the HoneyHive API, in these parts:
_requests   a batch as requests; _body their bodies, in one piece or in chunks
_shipment   the meaning of each reply for the records of a batch
_bisect     divides a batch around the records that a destination refuses
_in_order   updates that must not travel inside their session's record
_driver     many requests at a time, driven by the calling thread
_exchange   one kept-alive connection; _reply parses what arrives, _answer is the result
_endpoint   the server's address, its TLS and the heads of requests; _resolver looks its name up
_detour     requests by httpx: through proxies, and after redirects
"""

# no `from __future__ import annotations` here: `NamedTuple` would compile each text at import

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
