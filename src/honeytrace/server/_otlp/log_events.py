"""GenAI events that arrive as OTLP logs: evaluations, and the content of a model call.

Source: OpenTelemetry's semantic conventions for GenAI, `gen_ai.evaluation.result` and
`gen_ai.client.inference.operation.details`. Such a log record carries the ids of its span.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..._record.merge import merge_objects
from ..._record.record import OBJECTS, RESERVED, Record, Update
from ...otel._semconv import Span, event_fields, event_id, session_id
from ...store import Store
from .._wire import encode
from .log_event import LogEvent
from .records import details_of

__all__ = ["LogEvents", "Root"]

_PREFIX = "gen_ai."

_TAKEN = "logs"
"""The key among honeytrace's details of a session that has taken the log events of its root span
that arrived before the span."""


class Root(NamedTuple):
    """The session that holds a root span, and its record as it was read, if it was stored."""

    session_id: str
    session: Record | None


class LogEvents:
    """Turns GenAI log records into updates of their spans.

    The store keeps the update of a span that has not arrived yet, under the id of its event. The
    root span of a trace is stored under the session's id instead, and takes what waits under the
    id of its event when it arrives. If both arrive at once, at any nodes, both are stored first and
    look for the other side afterwards.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def updates(self, events: Sequence[LogEvent]) -> list[Update]:
        """Return the updates of the spans that these events belong to."""
        found = [
            (each, fields)
            for each in events
            if each.trace_id and each.span_id and each.event.name.startswith(_PREFIX)
            if (fields := _fields(each))
        ]
        roots = self._roots({session_id(each.trace_id) for each, _ in found})
        updates = []
        for each, fields in found:
            span = event_id(each.trace_id, each.span_id)
            root = roots.get(span)
            updates.append(Update(span if root is None else root.event_id, fields))
        return updates

    def late(self, events: Sequence[LogEvent], updates: Sequence[Update]) -> list[Update]:
        """Return those of the `updates` again, which are stored by now, whose spans turn out to be
        roots that arrived in the meantime."""
        missing = {update.event_id for update in updates} - self._known(updates)
        if not missing:
            return []
        found = self._roots({session_id(each.trace_id) for each in events if each.trace_id})
        roots = {span: session for span, session in found.items() if span in missing}
        taken = [span for span, session in roots.items() if details_of(session).get(_TAKEN)]
        again = [
            Update(roots[each.event_id].event_id, each.fields)
            for each in updates
            if each.event_id in taken
        ]
        return [*again, *self.of_roots({i: Root(s.event_id, s) for i, s in roots.items()})]

    def of_roots(self, roots: Mapping[str, Root]) -> list[Update]:
        """Return the updates that wait for root spans that are stored by now, given by the ids of
        their events."""
        # A session takes them once, even if its root span is sent again much later.
        wanted = [
            span
            for span, (_, session) in roots.items()
            if session is None or not details_of(session).get(_TAKEN)
        ]
        taken = encode({RESERVED: {_TAKEN: True}})
        updates = []
        for each in self._store.waiting(wanted) if wanted else ():
            metadata = merge_objects(each.fields.get("metadata"), taken)
            fields = {**each.fields, "metadata": metadata or taken}
            updates.append(Update(roots[each.event_id].session_id, fields))
        return updates

    def _known(self, updates: Sequence[Update]) -> set[str]:
        """Return the ids of those that are stored."""
        ids = list(dict.fromkeys(each.event_id for each in updates))
        return {each.event_id for each in self._store.get_many(ids)}

    def _roots(self, session_ids: Iterable[str]) -> dict[str, Record]:
        """Return those of the sessions that hold the root span of a trace, by the ids of the spans'
        events."""
        roots = {}
        for session in self._store.get_many(list(session_ids)):
            told = details_of(session).get("otel")
            if type(told) is list and len(told) > 1:
                roots[event_id(str(told[0]), str(told[1]))] = session
        return roots


def _fields(log: LogEvent) -> dict[str, bytes]:
    """Return the fields that this event adds to its span."""
    span = Span(log.trace_id, log.span_id, None, "", 0, 0, {}, events=[log.event])
    fields = event_fields(span)
    objects = {name: getattr(fields, name) for name in OBJECTS}
    return {name: encode(value) for name, value in objects.items() if value}
