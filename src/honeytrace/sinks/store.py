"""The sink of a store: a batch becomes few transactions, in an order that loses nothing.

A fault of the whole store (disk full, not writable, damaged) leaves `deliver` as a `StoreError`.
The batch then stays whole, and because delivery is idempotent, nothing is stored twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from .._record.record import Item, Record, Update
from ..store import Store
from ..store.errors import RecordRefusedError, StoreBusyError
from . import Delivery
from ._bisect import bisect

__all__ = ["StoreSink"]

Refused = list[tuple[Item, str]]
T = TypeVar("T", Record, Update)


class StoreSink:
    """Delivers into `store`. The sink owns the store from now on, and `close` closes it.

    `tell_unknown` takes the ids of updates whose session the store does not have yet. The updates
    are kept for it in any case.
    """

    def __init__(
        self, store: Store, tell_unknown: Callable[[Sequence[str]], None] | None = None
    ) -> None:
        self.store = store
        self._tell_unknown = tell_unknown

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Store the batch; a record that can never be stored is refused alone.

        Records that a busy store did not take are to be tried again. `timeout` is left to the
        store's own busy timeout: a transaction takes milliseconds.
        """
        refused: Refused = []
        steps = list(_steps(batch))
        try:
            while steps:
                records, updates = steps[0]
                _write(self.store.insert, records, refused)
                records.clear()
                _write(self.store.update, updates, refused)
                self._look_for_sessions(updates)
                del steps[0]
        except StoreBusyError:
            gone = {id(item) for item, _ in refused}
            left = [item for step in steps for part in step for item in part]
            return Delivery([item for item in left if id(item) not in gone], refused)
        return Delivery(refused=refused)

    def _look_for_sessions(self, updates: Sequence[Update]) -> None:
        if self._tell_unknown is None or not updates:
            return
        ids = list(dict.fromkeys(update.event_id for update in updates))
        known = {record.event_id for record in self.store.get_many(ids)}
        if unknown := [each for each in ids if each not in known]:
            self._tell_unknown(unknown)

    def close(self) -> None:
        self.store.close()


def _write(write: Callable[[Sequence[T]], None], items: Sequence[T], refused: Refused) -> None:
    """Write items of one kind, and note those that can never be written."""
    why = ""

    def attempt(part: Sequence[T]) -> Sequence[T]:
        nonlocal why
        try:
            write(part)
        except RecordRefusedError as reason:
            why = str(reason)
            return part
        return ()

    if items:
        for item in bisect(items, attempt):
            refused.append((item, why))


def _steps(batch: Sequence[Item]) -> Iterator[tuple[list[Record], list[Update]]]:
    """The batch as pairs of records and the updates that follow them.

    A record moves ahead of the updates of other sessions, which are nothing to it, so that a batch
    that alternates is still one pair; it never passes an update of its own session.
    """
    records: list[Record] = []
    updates: list[Update] = []
    if Update not in set(map(type, batch)):
        yield list(batch), updates  # type: ignore[arg-type]
        return
    updated: set[str] = set()
    for item in batch:
        if isinstance(item, Update):
            updates.append(item)
            updated.add(item.event_id)
        elif item.event_id in updated:
            yield records, updates
            records, updates, updated = [item], [], set()
        else:
            records.append(item)
    yield records, updates
