"""Calls under way, also those of other processes on this machine, laid over the stored sessions.

So are calls that a process left in its journal when it ended, until a recovery delivers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._durability.dead_journals import left
from .._durability.directories import candidates
from .._durability.open_calls import open_calls
from .._record.record import Item, Record
from ..store import Reader

__all__ = ["RUNNING", "innermost", "left_behind", "under_way", "with_running"]

RUNNING = "running"
"""The status of a call that has not ended."""

_MOST = 2_000
"""Calls of dead processes that a lookup reads. If there are more, the destination is away, and
reading all of them every time would take too long."""


def under_way(journal: str) -> list[Record]:
    """The calls that living processes have recorded and not delivered yet, in order of start.

    journal: the directory that the processes are configured with. A call that runs has the status
    `running` and no end; one that ended waits for its delivery, a moment as a rule. Processes
    without a journal are not seen.
    """
    return sorted(_everywhere(journal), key=lambda each: (each.start_time, each.event_id))


def left_behind(journal: str) -> list[Item]:
    """Calls and updates that processes left when they died, or ended before their delivery.

    They are in no store until a recovery delivers them. Calls that ran have the status
    `interrupted`.
    """
    found: list[Item] = []
    for directory in candidates(journal):
        found += left(directory, _MOST - len(found))
    return found


def with_running(store: Reader, journal: str) -> Reader:
    """The store with the calls under way, and those of dead processes that it does not have yet,
    on top: they are found, listed and drawn like others."""
    found = [*left_behind(journal), *under_way(journal)]
    if not found:
        return store
    from ..store.overlay import Overlay  # 4 ms that a list without such calls does not need

    return Overlay(store, found)


def _everywhere(journal: str) -> Iterator[Record]:
    for directory in candidates(journal):
        yield from open_calls(directory)


def innermost(found: Sequence[Record], root_id: str) -> Record | None:
    """Of a run's calls under way, the one that began last; None where none runs."""
    running = [each for each in found if each.root_id == root_id and each.end_time is None]
    return max(running, key=lambda each: each.start_time, default=None)
