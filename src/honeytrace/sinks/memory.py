"""A sink that keeps its records in memory, and lets a test wait for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .._record.record import Item, Record
from ..store.memory import MemoryStore
from . import Delivery
from .store import StoreSink

__all__ = ["MemorySink"]


class MemorySink(StoreSink):
    """Accepts everything at once. `store` holds the sessions, merged by id."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.items: list[Item] = []
        """All items in the order of delivery, repeated deliveries and updates included."""
        self._delivered = threading.Condition()

    def wait(self, count: int, *, timeout: float) -> list[Record]:
        """Return the sessions in order of first arrival, once there are at least `count`.

        Raises `TimeoutError` if there are fewer after `timeout` seconds.
        """
        with self._delivered:
            if not self._delivered.wait_for(lambda: len(self._ids()) >= count, timeout):
                have = len(self._ids())
                raise TimeoutError(f"{have} of {count} sessions were delivered in {timeout} s")
            return self.store.get_many(self._ids())

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        with self._delivered:
            self.items += batch
            delivery = super().deliver(batch, timeout=timeout)
            self._delivered.notify_all()
        return delivery

    def _ids(self) -> list[str]:
        records = (item.event_id for item in self.items if isinstance(item, Record))
        return list(dict.fromkeys(records))
