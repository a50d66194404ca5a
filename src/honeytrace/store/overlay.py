"""Pending sessions on top of stored ones, so that a lookup sees undelivered sessions."""

from __future__ import annotations

from collections.abc import Sequence

from .._record.record import Item, Record, Update
from ._protocol import Reader
from ._query import Outline, Query
from .memory import MemoryStore

__all__ = ["Overlay"]


class Overlay:
    """A `Reader` of a store (or None) with pending items on top."""

    def __init__(self, store: Reader | None, pending: Sequence[Item]) -> None:
        self._store = store
        ids = list(dict.fromkeys(item.event_id for item in pending))
        self._top = MemoryStore(limit=len(ids))
        if store is not None:
            self._top.insert(store.get_many(ids))
        for item in pending:
            if isinstance(item, Update):
                self._top.update([item])
            else:
                self._top.insert([item])

    def get(self, session_id: str) -> Record | None:
        found = self._top.get(session_id)
        return found if found is not None or self._store is None else self._store.get(session_id)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        found = (self.get(session_id) for session_id in session_ids)
        return [record for record in found if record is not None]

    def list(self, query: Query) -> Sequence[Record]:
        # Read as many more as may be covered, because a short page would end the paging.
        below = query._replace(limit=query.limit + self._top.size().sessions)
        stored = [] if self._store is None else self._store.list(below)
        merged = [record for record in stored if self._top.get(record.event_id) is None]
        merged += self._top.list(query)
        merged.sort(key=lambda r: (r.start_time, r.event_id), reverse=True)
        return merged[: query.limit]

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        below = most + self._top.size().sessions
        stored = () if self._store is None else self._store.trees(root_ids, below)
        found = [record for record in stored if self._top.get(record.event_id) is None]
        return [*found, *self._top.trees(root_ids, most)][:most]

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        stored = () if self._store is None else self._store.find_ids(prefix, limit)
        return sorted({*stored, *self._top.find_ids(prefix, limit)})[:limit]

    def outline(self, root_id: str) -> Sequence[Outline]:
        stored = () if self._store is None else self._store.outline(root_id)
        below = [each for each in stored if self._top.get(each.session_id) is None]
        return sorted(
            [*below, *self._top.outline(root_id)], key=lambda o: (o.start_time, o.session_id)
        )
