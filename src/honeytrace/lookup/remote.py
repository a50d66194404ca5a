"""Sessions read back from the HoneyHive API, with their relatives, whichever layout sent them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from .._capture.context import paused
from .._config import Config
from .._record.merge import apply
from .._record.record import Record, Update
from .._record.wire import decode, from_start_session
from ..api import Event, EventFilter, HoneyHiveCore, Result, SDKError, SessionNotFoundError
from ..api import operations as api
from ..sinks._requests import LATE
from .recorded import RecordedSession

_PAGE = 1000
_AT_ONCE = 8


class Remote:
    """The sessions of one server. A failed request raises `honeytrace.api.APIError`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def record(self, session_id: str) -> Record | None:
        """The session of this id; None when the server knows no such."""
        found = self._records([session_id])
        return found[0] if found else None

    def load(self, record: Record) -> RecordedSession:
        return RecordedSession(decode(record), self)

    def get(self, session_id: str) -> RecordedSession | None:
        record = self.record(session_id)
        return None if record is None else self.load(record)

    def children(self, session: RecordedSession) -> Sequence[RecordedSession]:
        """By parent among the events of the session (tree layout), else by id."""
        events = self._events(session)
        found = [event for event in events if event.parent_id == session.session_id]
        known = {event.event_id for event in found}
        found += self._records(i for i in session.children_ids if i not in known)
        return self._loaded(found)

    def descendants(self, session: RecordedSession) -> Sequence[RecordedSession]:
        """Read the events of the session, then those that `children_ids` name, level by level."""
        found = {event.event_id: event for event in self._events(session)}
        named = dict.fromkeys(session.children_ids)
        for event in list(found.values()):
            named.update(dict.fromkeys(orjson.loads(event.children_ids)))
        asked = set(found)
        while level := [each for each in named if each not in asked]:
            asked.update(level)
            records = self._records(level)
            found.update((record.event_id, record) for record in records)
            named = {each: None for r in records for each in orjson.loads(r.children_ids)}
        return self._loaded(found.values())

    def _loaded(self, records: Iterable[Record]) -> list[RecordedSession]:
        return [self.load(r) for r in sorted(records, key=lambda r: (r.start_time, r.event_id))]

    def _core(self) -> HoneyHiveCore:
        return HoneyHiveCore(
            self._config.api_key,
            server_url=self._config.server_url,
            timeout=self._config.request_timeout,
        )

    def _records(self, ids: Iterable[str]) -> list[Record]:
        """The sessions of these ids that the server knows, asked for several at a time."""

        def ask(session_id: str) -> Result[Event, Any]:
            return core.call(api.get_session(session_id))

        with paused(), self._core() as core, ThreadPoolExecutor(_AT_ONCE) as pool:
            results = list(pool.map(ask, ids))
        for result in results:
            if not result.ok and not isinstance(result.error, SessionNotFoundError):
                raise result.error
        return [as_record(result.value) for result in results if result.ok]

    def _events(self, session: RecordedSession) -> list[Record]:
        """The events inside the session, where the server has a route for that."""
        with paused(), self._core() as core:
            try:
                return list(self._pages(core, session))
            except SDKError:
                return []  # without the route, relatives are found by id alone

    def _pages(self, core: HoneyHiveCore, session: RecordedSession) -> Iterator[Record]:
        of_session = [EventFilter(field="session_id", value=session.root_id or session.session_id)]
        project = session.project or self._config.project
        page = 0
        full = True
        while full:
            page += 1
            query = api.get_events(project=project, filters=of_session, limit=_PAGE, page=page)
            events = core.call(query).unwrap().events
            yield from map(as_record, events)
            full = len(events) == _PAGE


def as_record(event: Event) -> Record:
    """Return the record of an event from a server, with late updates (`LATE`) applied."""
    fields = event.to_dict()
    metadata = dict(fields.get("metadata") or {})
    late = metadata.pop(LATE, None)
    fields |= {
        "metadata": metadata,
        "session_id": event.event_id or event.session_id,
        "session_name": event.event_name,
        "project": fields.get("project") or event.project_id,
    }
    record = from_start_session(fields, str)
    if record.parent_id is None:  # a root, or not told by us
        record = record._replace(
            parent_id=event.parent_id,
            root_id=event.session_id or record.root_id,
            event_type=event.event_type or record.event_type,
        )
    if isinstance(late, dict):
        update = {name: orjson.dumps(value) for name, value in late.items()}
        record = apply(record, Update(record.event_id, update))
    return record
