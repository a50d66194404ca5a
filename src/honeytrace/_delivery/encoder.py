"""Conversion of queued sessions to records, and the places in the journal that they hold."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.lazy import logger
from .._base.native_locks import sleep
from .._capture.external import External, complete
from .._config import Config
from .._durability.journal import Slot
from .._record.record import Item
from .._record.stamp import with_versions
from .queue import Pending

if not cython.compiled:  # otherwise encoder.pxd has them in C
    from .._base.primitives import identity
    from .._capture.finished import Alike, record_of
    from .._capture.running import Running

_AT_ONCE = 500
"""Records that are made before other threads may run. Compiled, no bytecode gives the GIL away."""

_STAMPED = 60.0
"""Seconds after which another root of the process names the versions. Readers find the versions of
a run near it, then, and libraries that were imported late are told of."""


class Encoder:
    """An encoder that keeps the journal place of every record, by identity, until its release.

    config: has the project and the source of sessions that name none.
    slots: journal places of records that were made here, and of updates.
    failed: number of sessions that could not be converted to a record.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.slots: dict[int, Slot] = {}
        self.failed = 0
        self._stamp_due = -_STAMPED

    def encode(self, waiting: deque[Pending], records: list[Item]) -> None:
        """Make records of all waiting items one by one, so that an interrupt loses none."""
        alike: Any = Alike()
        while waiting:
            item = waiting[0]
            session: Any = item if isinstance(item, Running) else None
            record: Any = item if session is None else self._made(session, alike)
            if record is None:
                self.release(item)
                self.failed += 1
            else:
                if session is not None and session._slot is not None:
                    self.slots[identity(record)], session._slot = session._slot, None
                records.append(record)
            waiting.popleft()
            if len(records) % _AT_ONCE == 0:
                sleep(0)

    def record(self, item: Pending) -> Item | None:
        """Return the record of an item, or the update itself; None if no record can be made."""
        return self._made(item, Alike()) if isinstance(item, Running) else item

    def _made(self, session: Any, alike: Any) -> Any:
        """Return the record of a session, or None."""
        try:
            if type(session) is External:
                complete(session)
            is_root = session._parent is None
            record = record_of(session, self.config.project, self.config.source, alike)
            if is_root and session._end and time.monotonic() >= self._stamp_due:
                self._stamp_due = time.monotonic() + _STAMPED
                record = with_versions(record)
            return record
        except Exception:  # noqa: BLE001 - a defect of honeytrace must not cost the batch
            logger.exception("honeytrace could not encode a session")
            return None

    def release(self, item: Item | Pending) -> None:
        """Release the journal place of an item that is settled or dropped."""
        slot = self.slots.pop(id(item), None)
        if isinstance(item, Running):
            slot, item._slot = item._slot, None
        if slot is not None:
            slot[0].release(slot)

    def release_all(self, items: Iterable[Item], kept: set[int]) -> None:
        """Release all items except those whose identities are kept."""
        if not self.slots:
            return
        run: list[Slot] = []
        journal: Any = None
        for item in items:
            key = identity(item)
            slot = None if kept and key in kept else self.slots.pop(key, None)
            if slot is not None:
                if slot[0] is not journal:
                    if run:
                        journal.release_run(run)
                    journal = slot[0]
                run.append(slot)
                if not cython.compiled:  # where an interrupt may come before the next item
                    journal.release_run(run)
        if run:
            journal.release_run(run)
