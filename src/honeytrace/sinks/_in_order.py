"""Updates that must not travel inside their session's record.

An update whose session is in the same batch is folded into the record, because the API has routes
for few of an update's fields. A server that has the record already takes a second one for a
redelivery and changes nothing, so the update would be lost. Where a record may have been delivered
before, it goes again as it was, and its updates follow when it has been taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .._record.record import Item, Update
from ..errors import HoneytraceError
from . import Delivery

__all__ = ["Doubtful", "deliver_in_order", "updates_apart"]

_MOST = 100_000
"""Ids that are remembered, about 10 MB. With more, every session is in doubt."""


class Doubtful:
    """The sessions whose record was sent without an answer that says that it was taken."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._everything = False

    def apart(self, batch: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
        """Return the batch without the updates that must wait for their record, and these."""
        if not self._ids and not self._everything:
            return batch, ()
        known = None if self._everything else self._ids
        return updates_apart(batch, known)

    def settle(self, batch: Sequence[Item], retry: Sequence[Item]) -> None:
        """Note the fate of a batch: what is retried may have been delivered all the same."""
        if self._ids:
            self._ids.difference_update(item.event_id for item in batch)
        self._ids.update(item.event_id for item in retry if not isinstance(item, Update))
        if len(self._ids) > _MOST:
            self._everything = True
            self._ids.clear()


def updates_apart(
    batch: Sequence[Item], doubtful: set[str] | None = None
) -> tuple[Sequence[Item], Sequence[Item]]:
    """Return the batch without the updates whose record is in it too, and these updates.

    doubtful: the ids of the sessions that count; None for all.
    """
    records = {item.event_id for item in batch if not isinstance(item, Update)}
    if doubtful is not None:
        records &= doubtful
    later = [item for item in batch if isinstance(item, Update) and item.event_id in records]
    if not later:
        return batch, ()
    waits = set(map(id, later))
    return [item for item in batch if id(item) not in waits], later


def deliver_in_order(
    deliver: Callable[[Sequence[Item]], Delivery], first: Sequence[Item], later: Sequence[Item]
) -> Delivery:
    """Deliver `first`, and `later` once nothing of `first` is left; return the fate of both."""
    fate = deliver(first)
    if not later:
        return fate
    if fate.retry:
        return fate._replace(retry=[*fate.retry, *later])
    try:
        rest = deliver(later)
    except HoneytraceError as error:
        return Delivery(later, fate.refused, why=str(error))
    return rest._replace(refused=[*fate.refused, *rest.refused])
