"""Conversion of queued sessions to records, and the places in the journal that they hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .._base.lazy import logger
from .._capture.finished import record_of
from .._capture.session import Session
from .._config import Config
from .._durability.journal import Slot
from .._record.record import Item
from .._record.stamp import with_versions
from .queue import Pending


class Encoder:
    """An encoder that keeps the journal place of every record, by identity, until its release."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.slots: dict[int, Slot] = {}
        """Journal places of records that were made here, and of updates."""
        self.failed = 0
        """Number of sessions that could not be converted to a record."""
        self._versions_due = True

    def encode(self, waiting: deque[Pending], records: list[Item]) -> None:
        """Make records of all waiting items one by one, so that an interrupt loses none."""
        while waiting:
            item = waiting[0]
            record = self.record(item)
            if record is None:
                self.release(item)
                self.failed += 1
            else:
                if isinstance(item, Session) and item._slot is not None:
                    self.slots[id(record)], item._slot = item._slot, None
                records.append(record)
            waiting.popleft()

    def record(self, item: Pending) -> Item | None:
        """Return the record of an item, or the update itself; None if no record can be made."""
        if not isinstance(item, Session):
            return item
        try:
            record = record_of(item, self.config.project, self.config.source)
            if self._versions_due and record.parent_id is None and item._end:
                self._versions_due = False  # one root of a process has them
                record = with_versions(record)
            return record
        except Exception:  # noqa: BLE001 - a defect of honeytrace must not cost the batch
            logger.exception("honeytrace could not encode a session")
            return None

    def release(self, item: Item | Pending) -> None:
        """Release the journal places of items that are settled or dropped."""
        slot = self.slots.pop(id(item), None)
        if isinstance(item, Session):
            slot, item._slot = item._slot, None
        if slot is not None:
            slot[0].release(slot)

    def release_all(self, items: Iterable[Item], kept: set[int]) -> None:
        """Release all items except those whose identities are kept."""
        if not self.slots:
            return
        for item in items:
            if id(item) not in kept and (slot := self.slots.pop(id(item), None)) is not None:
                slot[0].release(slot)
