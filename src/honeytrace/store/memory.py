"""A store in the memory of this process, for tests and programs that must not write files."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from .._base.lazy import orjson
from .._base.native_locks import RLock
from .._record.fold import fold_updates
from .._record.merge import apply, merge
from .._record.record import Record, Update
from ._derived import numbers_of, users_of
from ._query import (
    COLUMN_OF,
    NEWEST,
    Arrivals,
    Field,
    Metric,
    NameSummary,
    Outline,
    Overview,
    Query,
    StoreSize,
)
from ._spending import tokens_in, user_in
from ._statistics import Figure, bucketed, faceted, summarised
from ._tenant import tenant_name
from ._words import mentions, parts_of, terms
from .trends import By, Period, Sums, Trends, stepped

__all__ = ["MemoryStore"]


class MemoryStore:
    """A `Store` of at most `limit` sessions; beyond it, the sessions stored first are dropped."""

    where = "memory"

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._lock = RLock()
        self._tenants: dict[str, MemoryStore] = {"": self}
        self._records: dict[str, Record] = {}
        self._numbers: dict[str, int] = {}
        """The place at which each session arrived."""
        self._changes: dict[str, int] = {}
        """The place of the latest change of each changed session, in that order."""
        self._next, self._next_change = count(1).__next__, count(1).__next__
        self._waiting: dict[str, list[Update]] = {}

    def insert(self, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                if record.event_id not in self._records:
                    self._numbers[record.event_id] = self._next()
                    self._records[record.event_id] = record
                else:
                    self._change(merge(self._records[record.event_id], record))
                if waiting := self._waiting.pop(record.event_id, None):
                    known = self._records[record.event_id]
                    self._change(apply(known, fold_updates(waiting)))
            while len(self._records) > self._limit:
                self._forget(next(iter(self._records)))

    def update(self, updates: Sequence[Update]) -> None:
        with self._lock:
            by_id: dict[str, list[Update]] = {}
            for update in updates:
                by_id.setdefault(update.event_id, []).append(update)
            for event_id, some in by_id.items():
                old = self._records.get(event_id)
                if old is None:
                    self._waiting.setdefault(event_id, []).extend(some)
                else:
                    self._change(apply(old, fold_updates(some)))

    def waiting(self, session_ids: Sequence[str]) -> Sequence[Update]:
        with self._lock:
            found = (self._waiting.get(each) for each in dict.fromkeys(session_ids))
            return [fold_updates(some) for some in found if some]

    def get(self, session_id: str) -> Record | None:
        with self._lock:
            return self._records.get(session_id)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        with self._lock:
            return [self._records[i] for i in session_ids if i in self._records]

    def list(self, query: Query) -> Sequence[Record]:
        return self._found(query)[: query.limit]

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        wanted = set(root_ids)
        with self._lock:
            return [r for r in self._records.values() if r.root_id in wanted][:most]

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        with self._lock:
            return sorted(found for found in self._records if found.startswith(prefix))[:limit]

    def outline(self, root_id: str) -> Sequence[Outline]:
        return [Outline.of(record) for record in reversed(self._found(Query(root_id=root_id)))]

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        return self._after(self._numbers, after, limit)

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        return self._after(self._changes, after, limit)

    def values(self, field: Field) -> Sequence[str]:
        with self._lock:
            return sorted(
                {str(getattr(record, COLUMN_OF[field])) for record in self._records.values()}
            )

    def count(self, query: Query, most: int | None = None) -> int:
        return len(self._found(query._replace(before=None))[:most])

    def longest(self, query: Query) -> Sequence[Record]:
        found = [r for r in self._found(query._replace(before=None)) if r.duration is not None]
        return sorted(found, key=lambda r: r.duration or 0, reverse=True)[: query.limit]

    def facets(self, query: Query, newest: int = NEWEST) -> Mapping[Field, Mapping[str, int]]:
        found = self._found(query._replace(before=None))[:newest]
        return faceted((r.project, r.event_name, r.source, r.status, 1) for r in found)

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        return summarised(self._figures(query, newest), str)

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        found = self._figures(query, newest)
        over_time = bucketed(found, query, buckets, cut=len(found) == newest)
        return Overview(over_time, summarised(found, str) if names else [])

    def trends(self, query: Query, by: By, steps: int) -> Trends | None:
        with self._lock:
            starts = [record.start_time for record in self._records.values()] or [0.0]
        period = Period.of(query, min(starts), max(starts))
        return stepped(self._cells(query._replace(before=None), by), period.unit, steps)

    def _cells(self, query: Query, by: By) -> Iterator[tuple[float, str, Sums]]:
        for record in self._found(query):
            user = record.user_properties and user_in(record.user_properties)
            name = record.event_name if by == "name" else user
            if not name:
                continue
            sums = Sums()
            failed = record.status == "error"
            sums.count(failed=failed, duration=record.duration, key=record.event_id)
            objects = (record.config, record.metadata, record.metrics, record.outputs)
            spent = tokens_in([orjson.loads(each or b"{}") for each in objects], record.event_type)
            if spent:
                sums.spend(*spent)
            yield record.start_time, name, sums

    def index(self) -> None:
        """Do nothing, because there is no index."""

    def delete(self, *, before: float) -> int:
        with self._lock:
            old = [r.event_id for r in self._records.values() if r.start_time < before]
            for event_id in old:
                self._forget(event_id)
        return len(old)

    def size(self) -> StoreSize:
        with self._lock:
            parts = (part for r in self._records.values() for part in r if isinstance(part, bytes))
            return StoreSize(len(self._records), sum(map(len, parts)))

    def ready(self) -> None:
        """Return at once, because memory is always ready."""

    def for_tenant(self, tenant: str) -> MemoryStore:
        """Return the store of another tenant; the same object every time."""
        with self._lock:
            found = self._tenants.setdefault(tenant_name(tenant), MemoryStore(self._limit))
        found._tenants = self._tenants
        return found

    def close(self) -> None:
        """Do nothing; stored sessions stay readable."""

    def _found(self, query: Query) -> Sequence[Record]:
        """Return all records that match a query, newest first."""
        with self._lock:
            found = [record for record in self._records.values() if all(_checks(record, query))]
        return sorted(found, key=lambda r: (r.start_time, r.event_id), reverse=True)

    def _figures(self, query: Query, newest: int) -> Sequence[Figure]:
        found = self._found(query._replace(before=None))[:newest]
        return [(r.event_name, r.start_time, r.duration, r.status, r.event_id) for r in found]

    def _after(self, places: dict[str, int], after: int | None, limit: int) -> Arrivals:
        with self._lock:
            if after is None:
                return Arrivals([], max(places.values(), default=0))
            ids = [found for found, number in places.items() if number > after][:limit]
            last = places[ids[-1]] if ids else after
            return Arrivals([self._records[found] for found in ids], last)

    def _change(self, record: Record) -> None:
        """Replace the record of this id; an equal record does not count as a change."""
        if record != self._records[record.event_id]:
            self._records[record.event_id] = record
            self._changes.pop(record.event_id, None)  # Moves the id to the end.
            self._changes[record.event_id] = self._next_change()

    def _forget(self, event_id: str) -> None:
        del self._records[event_id], self._numbers[event_id]
        self._changes.pop(event_id, None)


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
    yield q.user is None or q.user in users_of(r)
    yield q.metric is None or _measures(r, q.metric)
    yield q.before is None or (r.start_time, r.event_id) < q.before
    yield q.text is None or mentions(parts_of(r), terms(q.text))


_COMPARED = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}


def _measures(r: Record, metric: Metric) -> bool:
    name, operator, wanted = metric
    value = numbers_of(r).get(name)
    return value is not None and _COMPARED[operator](value, wanted)
