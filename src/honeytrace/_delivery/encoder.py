"""Sessions to records on their way out of the queue, and what places in the journal they hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .._base.lazy import logger
from .._capture.finished import record_of
from .._capture.session import Session
from .._config import Config
from .._durability.journal import Slot
from .._record.record import Item
from .queue import Pending


class Encoder:
    """Makes records, and knows by identity where the journal has them until they are released."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.slots: dict[int, Slot] = {}
        """Places of records that were made here, and of updates."""
        self.failed = 0
        """Sessions that no record could be made of."""

    def encode(self, waiting: deque[Pending], records: list[Item]) -> None:
        """Make records of all that waits, one by one, so that an interrupt loses none."""
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
        """The item as a record, or as the update it is; None where that cannot be."""
        if not isinstance(item, Session):
            return item
        try:
            return record_of(item, self.config.project, self.config.source)
        except Exception:  # noqa: BLE001 - a defect of ours must not cost the batch
            logger.exception("honeytrace could not encode a session")
            return None

    def release(self, item: Item | Pending) -> None:
        """Give up the place in the journal of what is settled or dropped."""
        slot = self.slots.pop(id(item), None)
        if isinstance(item, Session):
            slot, item._slot = item._slot, None
        if slot is not None:
            slot[0].release(slot)

    def release_all(self, items: Iterable[Item], kept: set[int]) -> None:
        """`release` all but those whose identities are kept."""
        if not self.slots:
            return
        for item in items:
            if id(item) not in kept:
                self.release(item)
