"""A sink that keeps what it is given, for `honeytrace.testing` and for tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .._record import Item, Record, Update, apply, merge
from . import Delivery

__all__ = ["MemorySink"]


class MemorySink:
    """Keeps records in order of arrival, merged by id as a store does. Thread-safe."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        """Everything delivered, as it came: redeliveries and updates too."""
        self._records: dict[str, Record] = {}
        self._pending: dict[str, list[Update]] = {}
        self._changed = threading.Condition()

    @property
    def records(self) -> list[Record]:
        """The sessions, as a store would hold them now."""
        with self._changed:
            return list(self._records.values())

    def get(self, session_id: str) -> Record | None:
        """The session of this id, or None."""
        with self._changed:
            return self._records.get(session_id)

    def wait(self, count: int, timeout: float | None = None) -> list[Record]:
        """The records, once there are at least `count`.

        Raises `TimeoutError` when there are fewer after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._records) >= count, timeout):
                have = len(self._records)
                raise TimeoutError(f"{have} of {count} sessions arrived in {timeout} s")
            return list(self._records.values())

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self.items.clear()
            self._records.clear()
            self._pending.clear()

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Accept everything at once."""
        with self._changed:
            for item in batch:
                self.items.append(item)
                if isinstance(item, Update):
                    self._update(item)
                else:
                    self._insert(item)
            self._changed.notify_all()
        return Delivery()

    def close(self) -> None:
        """Nothing to release; what was kept stays readable."""

    def _insert(self, record: Record) -> None:
        known = self._records.get(record.event_id)
        merged = record if known is None else merge(known, record)
        for update in self._pending.pop(record.event_id, ()):
            merged = apply(merged, update)
        self._records[record.event_id] = merged

    def _update(self, update: Update) -> None:
        known = self._records.get(update.event_id)
        if known is None:
            self._pending.setdefault(update.event_id, []).append(update)
        else:
            self._records[update.event_id] = apply(known, update)
