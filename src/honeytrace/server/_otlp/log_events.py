"""GenAI events that arrive as OTLP logs: evaluations, and the content of a model call.

Source: OpenTelemetry's semantic conventions for GenAI, `gen_ai.evaluation.result` and
`gen_ai.client.inference.operation.details`. Such a log record carries the ids of its span.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from ..._record.record import OBJECTS, Update
from ...otel._semconv import Span, event_fields, event_id, session_id
from ...store import Store
from .._wire import encode
from .log_event import LogEvent
from .records import details_of

__all__ = ["LogEvents"]

_PREFIX = "gen_ai."

_EARLY = 10_000
"""Number of events of missing spans that are also kept in memory; beyond it, the oldest is
dropped."""


class LogEvents:
    """Turns GenAI log records into updates of their spans."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._early: OrderedDict[tuple[str, str], list[Update]] = OrderedDict()

    def updates(self, events: Sequence[LogEvent]) -> list[Update]:
        """Return the updates of the spans that these events belong to.

        The store keeps the update of a span that has not arrived yet, under the id of its event.
        The root span of a trace is stored under the session's id instead, so events that arrive
        before a root span are also kept here.
        """
        found = [
            (each, fields)
            for each in events
            if each.trace_id and each.span_id and each.event.name.startswith(_PREFIX)
            if (fields := _fields(each))
        ]
        ids = {session_id(each.trace_id) for each, _ in found}
        ids |= {event_id(each.trace_id, each.span_id) for each, _ in found}
        known = {each.event_id: each for each in self._store.get_many(list(ids))}
        updates = []
        for each, fields in found:
            trace, span = session_id(each.trace_id), event_id(each.trace_id, each.span_id)
            session = known.get(trace)
            told = details_of(session).get("otel") if session else None
            is_root = type(told) is list and told[1:2] == [each.span_id]
            updates.append(Update(trace if is_root else span, fields))
            if not is_root and span not in known:
                self._keep(each, Update(trace, fields))
        return updates

    def of_root(self, trace_id: str, span_id: str) -> list[Update]:
        """Return the updates that arrived before this root span."""
        return self._early.pop((trace_id, span_id), [])

    def _keep(self, event: LogEvent, update: Update) -> None:
        self._early.setdefault((event.trace_id, event.span_id), []).append(update)
        if len(self._early) > _EARLY:
            self._early.popitem(last=False)


def _fields(log: LogEvent) -> dict[str, bytes]:
    """Return the fields that this event adds to its span."""
    span = Span(log.trace_id, log.span_id, None, "", 0, 0, {}, events=[log.event])
    fields = event_fields(span)
    objects = {name: getattr(fields, name) for name in OBJECTS}
    return {name: encode(value) for name, value in objects.items() if value}
