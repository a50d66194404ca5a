"""The books, as `stats()` and `flush()` return them."""

# without `from __future__ import annotations`, for the reason given in _record.record

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
    """Records in memory; the journal has a copy of each except the `unprotected`."""
    journalled: int = 0
    """Records only on disk: memory had no room for them while the destination was away."""
    refused: Mapping[str, int] = _NONE
    dropped: Mapping[str, int] = _NONE
    """`"not recorded"` counts calls and updates that honeytrace failed to record."""
    sampled_out: int = 0
    """Trees that sampling left out; they are not among the recorded."""
    cut: int = 0
    """Sessions missing from trees that `keep_errors` kept; they are not among the recorded."""
    left_out: int = 0
    """Spans of HTTP, databases and the like that the OpenTelemetry bridge did not record."""
    also_lost: int = 0
    """Records that a second destination refused or was away too long to take."""
    unprotected: int = 0
    """Records that found no room in the journal: a kill of the process would have lost them."""


class FlushResult(NamedTuple):
    """The result of a flush: true if everything recorded before the flush was delivered.

    A refused or dropped record makes only the next flush false. The numbers are totals.
    """

    complete: bool
    delivered: int
    pending: int
    refused: int
    dropped: int

    def __bool__(self) -> bool:
        return self.complete


for _public in (FlushResult, Stats):
    _public.__module__ = "honeytrace"  # where users find them
