"""The sessions that events belong to: nested in others, or not known yet.

In the default layout every call is a session, which is delivered when it ends. Events that another
service sends before then do not know the root of the tree, and are stored in a tree of their own.
They are brought into the tree of the root by the node that stores the session, or by the node that
stores the events, whichever is later: both write first and look for the other side afterwards. So
a node remembers nothing, and any node can be killed: its client sends the request again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._record.merge import PROVISIONAL
from .._record.record import Item, Record, Update
from ..store import Store
from ._otlp.records import details_of
from ._wire import DEFAULT_PROJECT, encode

__all__ = ["Homes", "moved", "nested"]

_EVENTS = 100_000
"""Largest number of events that one request moves into the trees of their roots."""


def nested(items: Iterable[Item]) -> dict[str, str]:
    """Return the sessions among these items that are inside other sessions, with their roots."""
    return {
        each.event_id: each.root_id
        for each in items
        if isinstance(each, Record) and each.root_id != each.event_id
    }


def moved(store: Store, sessions: Mapping[str, str]) -> list[Update]:
    """Return the updates that bring events of these sessions, which are stored, into the trees of
    the sessions; `sessions` are given with their roots."""
    if not sessions:
        return []
    inside = defaultdict(list)
    for event in store.trees(list(sessions), _EVENTS):
        inside[event.root_id].append(event)
    # There are rarely any, so the sessions are read only now.
    updates = []
    for session in store.get_many(list(inside)):
        own, root = session.event_id, session.root_id
        if root == own:
            if details_of(session).get(PROVISIONAL) is None:
                continue  # It was a run of its own, and goes on inside another one.
            root = sessions[own]  # It was made of its spans, which do not know the root.
        events = sorted(inside[own], key=lambda each: (each.start_time, each.event_id))
        updates += [Update(event.event_id, {"root_id": encode(root)}) for event in events]
        named = [event.event_id for event in events if event.parent_id == own]
        updates.append(Update(own, {"children_ids": encode(named)}))
    return updates


class Homes:
    """The sessions of the events of one request, read at once."""

    def __init__(self, store: Store, events: Sequence[Record]) -> None:
        self._store = store
        named = dict.fromkeys(e.session_id for e in events if e.session_id != e.event_id)
        self._known = {each.event_id: each for each in store.get_many(list(named))}
        self._missing = [each for each in named if each not in self._known]
        self.named: list[Update] = []
        """Nested sessions and their new events; clients of the API find these by id alone."""

    def settle(self, record: Record, payload: Mapping[str, Any]) -> Record:
        """Return the event in the tree of its session, with its project and source by default.

        Newer clients leave the project of an event to its session, and only the session knows the
        root.
        """
        home = None
        if record.session_id != record.event_id:
            home = self._known.get(record.session_id)
        if home is not None:
            record = record._replace(root_id=home.root_id)
            if home.root_id != home.event_id and record.parent_id == home.event_id:
                children = {"children_ids": encode([record.event_id])}
                self.named.append(Update(home.event_id, children))
        if payload.get("project") and payload.get("source"):
            return record
        project = payload.get("project") or (home.project if home else DEFAULT_PROJECT)
        source = payload.get("source") or (home.source if home else record.source)
        return record._replace(project=project, source=source)

    def late(self) -> list[Update]:
        """Return the updates that bring the events, which are stored by now, into the trees of
        sessions that arrived in the meantime."""
        if not self._missing:
            return []
        return moved(self._store, nested(self._store.get_many(self._missing)))
