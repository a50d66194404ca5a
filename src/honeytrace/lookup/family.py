"""The relatives of a session, read from a store."""

from __future__ import annotations

from collections.abc import Sequence

from .._record.record import Record
from .._record.wire import decode
from ..store import Outline, Query, Reader
from .recorded import RecordedSession

_ALL = 1_000_000
"""The most descendants that are read; a larger tree is not drawn whole."""


class StoreFamily:
    """Reads relatives from a store.

    since: epoch milliseconds; descendants that started earlier are not looked for, which spares a
    large tree when one of its youngest parts is read.
    """

    def __init__(self, store: Reader, since: float | None = None) -> None:
        self._store, self._since = store, since

    def younger(self, since: float) -> StoreFamily:
        """Return a family of the same store whose descendants started since then."""
        return StoreFamily(self._store, since)

    def get(self, session_id: str) -> RecordedSession | None:
        record = self._store.get(session_id)
        return None if record is None else self.load(record)

    def children(self, session: RecordedSession) -> Sequence[RecordedSession]:
        """By id where the parent names them, and by parent where it could not (a forked child)."""
        records = {r.event_id: r for r in self._store.get_many(session.children_ids)}
        for record in self._store.list(Query(parent_id=session.session_id, limit=_ALL)):
            records.setdefault(record.event_id, record)
        return [self.load(record) for record in sorted(records.values(), key=_age)]

    def descendants(self, session: RecordedSession) -> Sequence[RecordedSession]:
        """Read the whole tree of `session` in order of start, in one query.

        Sessions that only `children_ids` name are added level by level.
        """
        query = Query(root_id=session.root_id, since=self._since, limit=_ALL)
        records = self._store.list(query)
        found = {record.event_id: self.load(record) for record in records}
        asked = {session.session_id, *found}
        level = [session, *found.values()]
        while named := {child for each in level for child in each.children_ids} - asked:
            asked |= named
            level = [self.load(record) for record in self._store.get_many(list(named))]
            found.update((each.session_id, each) for each in level)
        return sorted(found.values(), key=lambda each: (each.start_time, each.session_id))

    def outline(self, session: RecordedSession) -> Sequence[Outline]:
        """Read the tree as `descendants` does, without payloads."""
        found = {each.session_id: each for each in self._store.outline(session.root_id)}
        asked = {session.session_id, *found}
        level = [session.children_ids, *(each.children_ids for each in found.values())]
        while named := {child for ids in level for child in ids} - asked:
            asked |= named
            added = [Outline.of(record) for record in self._store.get_many(list(named))]
            found.update((each.session_id, each) for each in added)
            level = [each.children_ids for each in added]
        return sorted(found.values(), key=lambda each: (each.start_time, each.session_id))

    def load(self, record: Record) -> RecordedSession:
        return RecordedSession(decode(record), self)


def _age(record: Record) -> tuple[float, str]:
    return record.start_time, record.event_id
