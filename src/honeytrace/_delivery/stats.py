"""The books, as `stats()` and `flush()` return them."""

# annotations are no texts here: see _record

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_NONE: Mapping[str, int] = MappingProxyType({})


class Stats(NamedTuple):
    """The fate of every record: recorded = delivered + pending + journalled + refused + dropped.

    Updates count like sessions. `refused` and `dropped` map a reason to a number.
    """

    recorded: int = 0
    delivered: int = 0
    pending: int = 0
    """In memory; the journal has a copy of each, but for the `unprotected`."""
    journalled: int = 0
    """On disk alone: memory had no room for them while the destination was away."""
    refused: Mapping[str, int] = _NONE
    dropped: Mapping[str, int] = _NONE
    sampled_out: int = 0
    """Trees that sampling left out; they are not among the recorded."""
    cut: int = 0
    """Sessions missing from trees that `keep_errors` kept; they are not among the recorded."""
    left_out: int = 0
    """Spans of HTTP, databases and the like that the OpenTelemetry bridge did not record."""
    also_lost: int = 0
    """Records that a second destination refused, or that it was away too long for."""
    unprotected: int = 0
    """Records that found no room in the journal: the death of the process would have cost them."""


class FlushResult(NamedTuple):
    """True when all that was recorded before the flush is delivered.

    What was refused or dropped makes one flush false: the next. The numbers are totals.
    """

    complete: bool
    delivered: int
    pending: int
    refused: int
    dropped: int

    def __bool__(self) -> bool:
        return self.complete
