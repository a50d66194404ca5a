"""A store in this process's memory: for tests, and wherever no file is to be written."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence

from .._record import Record, Update, apply, merge
from . import Query, StoreSize

__all__ = ["MemoryStore"]


class MemoryStore:
    """A `Store` of at most `limit` sessions; beyond it the first ones stored go."""

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._waiting: dict[str, list[Update]] = {}

    def insert(self, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                old = self._records.get(record.event_id)
                record = record if old is None else merge(old, record)
                for update in self._waiting.pop(record.event_id, ()):
                    record = apply(record, update)
                self._records[record.event_id] = record
            while len(self._records) > self._limit:
                del self._records[next(iter(self._records))]

    def update(self, updates: Sequence[Update]) -> None:
        with self._lock:
            for update in updates:
                old = self._records.get(update.event_id)
                if old is None:
                    self._waiting.setdefault(update.event_id, []).append(update)
                else:
                    self._records[update.event_id] = apply(old, update)

    def get(self, session_id: str) -> Record | None:
        with self._lock:
            return self._records.get(session_id)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        with self._lock:
            return [self._records[i] for i in session_ids if i in self._records]

    def list(self, query: Query) -> Sequence[Record]:
        with self._lock:
            found = [record for record in self._records.values() if all(_checks(record, query))]
        found.sort(key=lambda r: (r.start_time, r.event_id), reverse=True)
        return found[: query.limit]

    def delete(self, *, before: float) -> int:
        with self._lock:
            old = [r.event_id for r in self._records.values() if r.start_time < before]
            for event_id in old:
                del self._records[event_id]
        return len(old)

    def size(self) -> StoreSize:
        with self._lock:
            parts = (part for r in self._records.values() for part in r if isinstance(part, bytes))
            return StoreSize(len(self._records), sum(map(len, parts)))

    def close(self) -> None:
        """Nothing to close; what was stored stays readable."""


def _checks(r: Record, q: Query) -> Iterator[bool]:
    yield q.project in (None, r.project)
    yield q.session_name in (None, r.event_name)
    yield q.source in (None, r.source)
    yield q.status in (None, r.status)
    yield q.error is None or q.error == (r.error is not None)
    yield q.since is None or r.start_time >= q.since
    yield q.until is None or r.start_time < q.until
    yield q.min_duration is None or (r.duration is not None and r.duration >= q.min_duration)
    yield q.max_duration is None or (r.duration is not None and r.duration <= q.max_duration)
    yield q.root_id in (None, r.root_id)
    yield q.parent_id in (None, r.parent_id)
    yield not q.roots_only or r.parent_id is None
    yield q.before is None or (r.start_time, r.event_id) < q.before
    yield q.text is None or _mentions(r, q.text)


def _mentions(r: Record, text: str) -> bool:
    parts = (r.event_name.encode(), r.inputs or b"", r.outputs or b"", (r.error or "").encode())
    have = re.findall(r"\w+", b" ".join(parts).decode().lower())
    *whole, last = re.findall(r"\w+", text.lower()) or [""]
    return set(whole) <= set(have) and any(word.startswith(last) for word in have)
