"""The sessions that events belong to: nested in others, or not known yet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from .._record.record import Item, Record, Update
from ..store import Query, Store
from ._wire import DEFAULT_PROJECT, encode

__all__ = ["Homeless", "Homes"]

_MOST = 10_000
"""Number of sessions that are awaited. Beyond it, the session awaited longest is forgotten: its
events are then found in its own tree, but not in the tree of its root."""

_EVENTS = 100_000
"""Largest number of events of one session that are moved into the tree of its root."""


class Homeless:
    """Events whose session is not known yet.

    In the default layout every call is a session, which is delivered when it ends. Events that
    another service sends before then do not know the root of the tree.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._awaited: OrderedDict[str, None] = OrderedDict()

    def add(self, session_id: str) -> None:
        """Remember that events of this session arrived before the session itself."""
        with self._lock:
            self._awaited[session_id] = None
            if len(self._awaited) > _MOST:
                self._awaited.popitem(last=False)

    def moved(self, arrived: Iterable[Item]) -> list[Update]:
        """Return the updates that bring such events into the trees of sessions that arrived."""
        if not self._awaited:
            return []
        with self._lock:
            found = [
                each
                for each in arrived
                if isinstance(each, Record) and each.event_id in self._awaited
            ]
            for each in found:
                self._awaited.pop(each.event_id, None)
        updates = []
        for session in found:
            if session.root_id == session.event_id:
                continue
            own = session.event_id
            events = self._store.list(Query(root_id=own, limit=_EVENTS))
            inside = [event for event in events if event.event_id != own]
            root = {"root_id": encode(session.root_id)}
            updates += [Update(event.event_id, dict(root)) for event in inside]
            named = [event.event_id for event in inside if event.parent_id == own]
            updates.append(Update(own, {"children_ids": encode(named)}))
        return updates


class Homes:
    """The sessions of the events of one request.

    Newer clients leave the project of an event to its session, and only the session knows the root.
    """

    def __init__(self, store: Store, homeless: Homeless) -> None:
        self._store = store
        self._homeless = homeless
        self._known: dict[str, Record | None] = {}
        self.named: list[Update] = []
        """Nested sessions and their new events; clients of the API find these by id alone."""

    def get(self, session_id: str) -> Record | None:
        """Return the session with this id, if it is known."""
        if session_id not in self._known:
            self._known[session_id] = self._store.get(session_id)
        return self._known[session_id]

    def settle(self, record: Record, payload: Mapping[str, Any]) -> Record:
        """Return the event in the tree of its session, with its project and source by default."""
        home = None if record.session_id == record.event_id else self.get(record.session_id)
        if home is not None:
            record = record._replace(root_id=home.root_id)
            if home.root_id != home.event_id and record.parent_id == home.event_id:
                children = {"children_ids": encode([record.event_id])}
                self.named.append(Update(home.event_id, children))
        elif record.session_id != record.event_id:
            self._homeless.add(record.session_id)
        if payload.get("project") and payload.get("source"):
            return record
        project = payload.get("project") or (home.project if home else DEFAULT_PROJECT)
        source = payload.get("source") or (home.source if home else record.source)
        return record._replace(project=project, source=source)
