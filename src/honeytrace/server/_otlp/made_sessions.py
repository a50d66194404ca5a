"""Sessions that nobody started, built from the spans inside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._record.merge import PROVISIONAL, merge_ids
from ..._record.record import OBJECTS, RESERVED, Record, Update
from .._wire import DEFAULT_PROJECT, encode
from .records import Item, details_of, noted

__all__ = ["MadeSessions", "difference", "filled", "made_session", "widened"]


def made_session(
    session_id: str, first: Record, *, provisional: bool, metadata: Mapping[str, Any] | None = None
) -> Record:
    """Return a session with the name and times of `first`."""
    details = {**(metadata or {}), RESERVED: {PROVISIONAL: provisional}}
    empty: dict[str, Any] = dict.fromkeys(OBJECTS)
    return first._replace(
        event_id=session_id,
        session_id=session_id,
        parent_id=None,
        root_id=session_id,
        event_type="session",
        project=first.project or DEFAULT_PROJECT,
        source=first.source or "unknown",
        status="ok",
        error=None,
        **{**empty, "metadata": encode(details)},
    )


def widened(session: Record, other: Record, *, renamed: bool = True) -> Record:
    """Return the session extended to cover both: from the earlier start to the later end.

    `renamed`: the session takes the name of `other` if `other` started first.
    """
    name = other.event_name if renamed and other.start_time < session.start_time else None
    ends = [end for end in (session.end_time, other.end_time) if end is not None]
    start, end = min(session.start_time, other.start_time), max(ends, default=None)
    if (start, end) == (session.start_time, session.end_time):
        return session
    return session._replace(
        event_name=name or session.event_name,
        start_time=start,
        end_time=end,
        duration=None if end is None else max(0.0, end - start),
    )


_PLAIN = (
    *("event_type", "project", "source", "status", "start_time", "end_time", "duration", "error"),
    *("parent_id", "root_id", "session_id"),
)


def filled(record: Record) -> Update:
    """Return the update that sets a stored session to `record`; absent fields keep their values."""
    fields = {
        name: encode(value) for name in _PLAIN if (value := getattr(record, name)) is not None
    }
    fields["session_name"] = encode(record.event_name)
    fields.update({name: data for name in OBJECTS if (data := getattr(record, name)) is not None})
    return Update(record.event_id, fields)


def difference(old: Record, new: Record) -> Update | None:
    """Return the update that turns one record into the other; None if they are equal."""
    if old == new:
        return None
    names = [name for name in (*_PLAIN, *OBJECTS) if getattr(old, name) != getattr(new, name)]
    fields = {
        name: getattr(new, name) if name in OBJECTS else encode(getattr(new, name))
        for name in names
    }
    if old.children_ids != new.children_ids:
        fields["children_ids"] = new.children_ids
    if old.event_name != new.event_name:
        fields["session_name"] = encode(new.event_name)
    return Update(old.event_id, fields)


class MadeSessions:
    """Sessions named by tracers, and conversations, with the changes of one request.

    `known`: the records that the store has.
    """

    def __init__(self, known: Mapping[str, Record]) -> None:
        self._known = known
        self._now: dict[str, Record] = {}

    def of_tracer(self, session_id: str, item: Item) -> Record:
        """Return the session that a tracer names on a span, extended to the end of the span.

        A session that nobody started has the name, start, project and source of its first root
        span.
        """
        session = self._now.get(session_id) or self._known.get(session_id)
        is_root = item.span.parent_id is None
        if session is None:
            session = made_session(session_id, item.record, provisional=not is_root)
        elif is_root and details_of(session).get(PROVISIONAL) is True:
            session = noted(_renamed(session, item.record), **{PROVISIONAL: False})
        started = details_of(session).get(PROVISIONAL) is None
        if started or details_of(session).get(PROVISIONAL) is False:
            later = item.record._replace(start_time=session.start_time)
            session = widened(session, later)
        else:
            session = widened(session, item.record)
        # Clients of the API find the event by the session's id.
        if is_root and session.root_id != session_id:
            child = encode([item.record.event_id])
            session = session._replace(children_ids=merge_ids(session.children_ids, child))
        self._now[session_id] = session
        return session

    def of_conversation(
        self, conversation: str, session_id: str, record: Record, *, is_root: bool
    ) -> Record:
        """Return the session of a conversation, extended by one trace: its root span, if it has
        arrived.

        The session has the inputs of the first trace and the outputs of the last.
        """
        session = self._now.get(session_id) or self._known.get(session_id)
        if session is None:
            metadata = {"conversation_id": conversation}
            session = made_session(session_id, record, provisional=True, metadata=metadata)
            session = session._replace(event_name=_conversation_name(record))
        provisional = details_of(session).get(PROVISIONAL) is True
        first = provisional or record.start_time <= session.start_time
        last = provisional or (record.end_time or 0) >= (session.end_time or 0)
        if is_root and first:
            session = _renamed(session, record)._replace(event_name=_conversation_name(record))
            session = session._replace(
                inputs=record.inputs or session.inputs,
                user_properties=record.user_properties or session.user_properties,
            )
        if is_root and last:
            session = session._replace(outputs=record.outputs or session.outputs)
        session = widened(session, record, renamed=False)
        if is_root and provisional:
            session = noted(session, **{PROVISIONAL: False})
        self._now[session_id] = session
        return session

    def records(self) -> list[Record]:
        """Return the sessions that are new."""
        return [each for name, each in self._now.items() if name not in self._known]

    def updates(self) -> list[Update]:
        """Return the updates of the sessions that are stored already."""
        pairs = [(self._known.get(name), each) for name, each in self._now.items()]
        found = [difference(old, new) for old, new in pairs if old is not None]
        return [each for each in found if each is not None]


def _renamed(session: Record, root: Record) -> Record:
    return session._replace(
        event_name=root.event_name,
        project=root.project or session.project,
        source=root.source or session.source,
        start_time=root.start_time,
    )


def _conversation_name(first: Record) -> str:
    """Return the name of a conversation. It differs from the name of its traces, whose calls are
    counted."""
    return f"{first.event_name} conversation"
