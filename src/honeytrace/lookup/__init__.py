"""Finding sessions again: by id, by condition, by text. Lookup reads and never writes.

Everything here first delivers what this process has pending, so it reads its own writes; what
cannot be delivered in time is found where it waits (by id alone where that is the disk).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .._config import NO_JOURNAL
from .._record.merge import apply
from .._record.record import Record, Update
from .._record.wire import decode
from .._runtime import runtime as _runtime
from .._runtime.public import pending as pending_items
from ..errors import ConfigurationError, SessionNotFound
from ..store import Metric, Outline, Query, Reader
from ..store.memory import outline_of
from ..store.overlay import Overlay
from .recorded import RecordedSession
from .running import under_way

if TYPE_CHECKING:
    from .table import DataFrame

__all__ = ["SessionList", "get_session", "list_sessions", "search_sessions"]

_ALL = 1_000_000
"""More descendants than this are not drawn."""


class StoreFamily:
    """Reads relatives from a store."""

    def __init__(self, store: Reader) -> None:
        self._store = store

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
        """Everything of the tree that `session` is in, in order of start, in one query.

        What only `children_ids` name is added level by level.
        """
        records = self._store.list(Query(root_id=session.root_id, limit=_ALL))
        found = {record.event_id: self.load(record) for record in records}
        asked = {session.session_id, *found}
        level = [session, *found.values()]
        while named := {child for each in level for child in each.children_ids} - asked:
            asked |= named
            level = [self.load(record) for record in self._store.get_many(list(named))]
            found.update((each.session_id, each) for each in level)
        return sorted(found.values(), key=lambda each: (each.start_time, each.session_id))

    def outline(self, session: RecordedSession) -> Sequence[Outline]:
        """What `descendants` gives, without payloads; `_tree.walk` puts it in its places."""
        found = {each.session_id: each for each in self._store.outline(session.root_id)}
        asked = {session.session_id, *found}
        level = [session.children_ids, *(each.children_ids for each in found.values())]
        while named := {child for ids in level for child in ids} - asked:
            asked |= named
            added = [outline_of(record) for record in self._store.get_many(list(named))]
            found.update((each.session_id, each) for each in added)
            level = [each.children_ids for each in added]
        return sorted(found.values(), key=lambda each: (each.start_time, each.session_id))

    def load(self, record: Record) -> RecordedSession:
        return RecordedSession(decode(record), self)


def _age(record: Record) -> tuple[float, str]:
    return record.start_time, record.event_id


class SessionList(list[RecordedSession]):
    """One page of sessions, newest first. `next_page()` gives the older ones; empty at the end."""

    def __init__(self, found: Iterable[RecordedSession], query: Query) -> None:
        super().__init__(found)
        self._query = query

    def next_page(self) -> SessionList:
        if len(self) < self._query.limit:
            return SessionList([], self._query)
        return _page(self._query._replace(before=(self[-1].start_time, self[-1].session_id)))

    def pages(self) -> Iterator[SessionList]:
        """This page and all that follow."""
        page = self
        while page:
            yield page
            page = page.next_page()

    def to_pandas(self) -> DataFrame:
        """This page as a `pandas.DataFrame`, one row a session.

        Columns are the session's fields; what is in `inputs`, `outputs`, `metrics` and the like
        has a column each, `outputs.result`. `start_time` and `end_time` are UTC timestamps,
        `duration` milliseconds. Raises ImportError without pandas.
        """
        from .table import frame

        return frame(self)

    def _repr_html_(self) -> str:
        from .notebook import list_html

        return list_html(self)


def get_session(session_id: str, *, timeout: float = 5.0) -> RecordedSession:
    """The session of this id: running around the caller, pending in this process, in the embedded
    store, or at the API.

    timeout: seconds that delivering this process's own pending sessions may take first.
    Raises SessionNotFound, which names where it was looked for, StoreError, and
    `honeytrace.api.APIError` when the API was asked (an API key is configured) and failed.
    """
    reader = _reader(timeout, session_id)
    record = reader.get(session_id)
    if record is not None:
        return StoreFamily(reader).load(record)
    found = _at_the_api(session_id)
    if found is None:
        raise SessionNotFound(
            f"no session {session_id!r} is pending in this process or stored in "
            f"{_runtime.runtime().destination.where()}; configure(store=…) says which store is read"
        )
    return found


def _at_the_api(session_id: str) -> RecordedSession | None:
    """The session as the API has it, with the updates that still wait here."""
    rt = _runtime.runtime()
    if not rt.destination.is_api:
        return None
    from .remote import Remote  # brings httpx, 40 ms

    remote = Remote(rt.config)
    record = remote.record(session_id)
    if record is None:
        return None
    for item in pending_items(session_id):
        if isinstance(item, Update) and item.event_id == session_id:
            record = apply(record, item)
    return remote.load(record)


def _reader(timeout: float, session_id: str | None = None) -> Reader:
    """The store, with what is under way on this machine and what this process could not deliver
    laid over; of what waits on disk that which is in the tree of this session."""
    rt = _runtime.runtime()
    rt.flusher.flush(timeout, patient=False)
    store, pending = rt.destination.reader(), pending_items(session_id)
    if rt.destination.memory is None and rt.config.journal != NO_JOURNAL:
        # first, since what this process knows of its own calls is newer
        pending = [*under_way(rt.config.journal), *pending]
    return store if store is not None and not pending else Overlay(store, pending)


def list_sessions(
    *,
    project: str | None = None,
    session_name: str | None = None,
    source: str | None = None,
    status: str | None = None,
    error: bool | None = None,
    since: datetime | float | None = None,
    until: datetime | float | None = None,
    min_duration: float | None = None,
    max_duration: float | None = None,
    roots_only: bool = False,
    user: str | None = None,
    metric: str | Metric | None = None,
    limit: int = 100,
) -> SessionList:
    """Sessions of the embedded store that meet every condition, newest first, `limit` a page.

    What went to the API is listed there; `get_session` finds it by id.

    error: True for those with an error, False for those without.
    since, until: started at or after, and before: a datetime or epoch seconds.
    min_duration, max_duration: seconds, both inclusive.
    roots_only: only those that ran inside no other.
    user: exactly a value of `user_properties`, whatever its key: an id, an email, a name.
    metric: a condition on a metric as people write it, `"score<0.5"`.
    Raises ConfigurationError for a limit below 1 or a time that is none, and StoreError.
    """
    return _page(
        Query(
            project=project,
            session_name=session_name,
            source=source,
            status=status,
            error=error,
            since=_ms(since),
            until=_ms(until),
            min_duration=None if min_duration is None else min_duration * 1000,
            max_duration=None if max_duration is None else max_duration * 1000,
            roots_only=roots_only,
            user=user,
            metric=Metric.parse(metric) if isinstance(metric, str) else metric,
            limit=limit,
        )
    )


def search_sessions(
    text: str,
    *,
    project: str | None = None,
    session_name: str | None = None,
    source: str | None = None,
    status: str | None = None,
    error: bool | None = None,
    since: datetime | float | None = None,
    until: datetime | float | None = None,
    min_duration: float | None = None,
    max_duration: float | None = None,
    roots_only: bool = False,
    user: str | None = None,
    metric: str | Metric | None = None,
    limit: int = 100,
) -> SessionList:
    """Sessions of the embedded store with every word of `text` in name, inputs, outputs or error.

    Newest first. The last word may be the beginning of one. The conditions are as `list_sessions`
    has them.
    """
    return _page(
        Query(
            project=project,
            session_name=session_name,
            source=source,
            status=status,
            error=error,
            since=_ms(since),
            until=_ms(until),
            min_duration=None if min_duration is None else min_duration * 1000,
            max_duration=None if max_duration is None else max_duration * 1000,
            roots_only=roots_only,
            user=user,
            metric=Metric.parse(metric) if isinstance(metric, str) else metric,
            text=text,
            limit=limit,
        )
    )


def _page(query: Query) -> SessionList:
    if query.limit < 1:
        raise ConfigurationError(f"limit is at least 1, not {query.limit}")
    reader = _reader(timeout=5.0)
    family = StoreFamily(reader)
    return SessionList([family.load(record) for record in reader.list(query)], query)


def _ms(moment: datetime | float | None) -> float | None:
    if moment is None:
        return None
    if isinstance(moment, datetime):
        return moment.timestamp() * 1000
    if isinstance(moment, (int, float)):
        return moment * 1000
    raise ConfigurationError(f"since and until are a datetime or epoch seconds, not {moment!r}")


for _public in (SessionList, get_session, list_sessions, search_sessions):
    _public.__module__ = "honeytrace"
