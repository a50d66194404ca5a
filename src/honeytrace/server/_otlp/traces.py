"""Spans placed in their traces, in any order and from any number of requests.

The root span of a trace is the session of the trace: one record, whose id is derived from the trace
id. Exporters send a span when it ends, so children arrive before their root. Until the root
arrives, the session is provisional: it has the name and start of the earliest span and the end of
the latest. Then the session takes all fields from the root, and the root's children move to the
session.

A session named by a HoneyHive tracer, or one that groups the traces of a conversation, is a record
of its own with the root spans inside.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..._record.record import Item as StoreItem
from ..._record.record import Record, Update
from ...otel._semconv import Span, event_fields, event_id, is_pending
from ...otel._semconv import session_id as trace_session_id
from ...store import Query, Store
from .._homes import moved, nested
from .._http import RefusedError
from .counts import Counts
from .left_out import LeftOut
from .log_events import LogEvents, Root
from .made_sessions import MadeSessions
from .records import Item, conversation_id, record_of
from .trace import Trace

__all__ = ["Placed", "Traces"]

log = logging.getLogger("honeytrace.server")

_CHUNK = 5_000
"""Number of ids in one query to the store."""

_MOST = 100_000
"""Largest number of records of one trace that are moved."""


class Placed(NamedTuple):
    """The items to store for some spans, in order."""

    items: list[StoreItem]
    made: list[str]
    """Ids of sessions among them that nobody started, and that may have been started since."""
    roots: dict[str, Root]
    """The root spans among them, by the ids of their events."""


class Traces:
    """The traces of one store. `traffic`: keep HTTP, database and similar spans."""

    def __init__(self, store: Store, counts: Counts, *, traffic: bool = True) -> None:
        self._store = store
        self._counts = counts
        self._traffic = traffic
        self._left_out = LeftOut()
        self.log_events = LogEvents(store)
        self.lock = threading.Lock()
        """A lock, held from reading a trace until its spans are stored, because requests are
        concurrent."""

    def read(self, spans: Iterable[Span | RefusedError]) -> tuple[list[Item], list[str]]:
        """Return the spans that can be stored, and the reasons for refusing the others."""
        items: list[Item] = []
        reasons: list[str] = []
        for span in spans:
            if isinstance(span, RefusedError):
                reasons.append(str(span))
            elif not span.trace_id or not span.span_id:
                reasons.append("a span must have a traceId and a spanId that are not zero")
            elif is_pending(span):
                self._counts.add("placeholder spans")
            else:
                try:
                    items.append(_item(span))
                except RefusedError as refusal:
                    reasons.append(f"span {span.span_id[:16]}: {refusal}")
                except Exception:
                    # An unforeseen kind of span must not cost the other spans of its request.
                    log.exception("span %s could not be read", span.span_id[:16])
                    reasons.append(f"span {span.span_id[:16]}: see the server's log")
        return items, reasons

    def place(self, items: Sequence[Item]) -> Placed:
        """Return the items to store for these spans, sessions first. The caller holds `lock`."""
        known = self._known(items)
        made = MadeSessions(known)
        by_trace: dict[str, list[Item]] = {}
        for item in items:
            by_trace.setdefault(item.span.trace_id, []).append(item)
        placed: list[StoreItem] = []
        moves: list[Update] = []
        roots: dict[str, Root] = {}
        for trace_id, spans in by_trace.items():
            trace = Trace(trace_id, spans, known, made, self._left_out)
            left = [] if self._traffic else trace.leave_out_traffic()
            self._counts.add("spans left out", len(left))
            placed += trace.items()
            if trace.has_root():
                roots[trace.root_event()] = Root(trace.session_id, trace.stored)
            if trace.grouped is not None:
                moves += self._grouped(trace.session_id, trace.grouped)
            if trace.moved is not None:
                moves += self._moved(*trace.moved)
            if trace.stored is not None:
                for span in left:
                    old = event_id(trace_id, span.span_id)
                    moves += self._moved(old, trace.parent_id(span.parent_id))
        sessions = made.records()
        stored = [*sessions, *placed, *made.updates(), *moves]
        return Placed(stored, [each.event_id for each in sessions], roots)

    def late(self, placed: Placed) -> list[Update]:
        """Return the updates that follow from what other requests, at any node, have stored in the
        meantime, once these items are stored."""
        updates = self.log_events.of_roots(placed.roots)
        if placed.made:
            updates += moved(self._store, nested(self._store.get_many(placed.made)))
        return updates

    def _known(self, items: Sequence[Item]) -> dict[str, Record]:
        """Return the stored records that decide the places of these spans."""
        ids: dict[str, None] = {}
        for span, fields, record in items:
            ids[trace_session_id(span.trace_id)] = None
            ids[record.event_id] = None
            if span.parent_id is not None:
                ids[event_id(span.trace_id, span.parent_id)] = None
            if fields.session_id is not None:
                ids[fields.session_id.lower()] = None
            if fields.conversation is not None:
                ids[conversation_id(fields.conversation)] = None
        return self._get(list(ids))

    def _get(self, ids: list[str]) -> dict[str, Record]:
        chunks = (ids[i : i + _CHUNK] for i in range(0, len(ids), _CHUNK))
        found = {each.event_id: each for chunk in chunks for each in self._store.get_many(chunk)}
        # Only some spans of a trace name the conversation, so the stored traces are consulted, too.
        roots = {each.root_id for each in found.values()} - found.keys() - set(ids)
        if roots:
            found |= {each.event_id: each for each in self._store.get_many(list(roots))}
        return found

    def _moved(self, old_parent: str, new_parent: str) -> list[Update]:
        """Return updates that move the stored children of one record into another record."""
        found = self._store.list(Query(parent_id=old_parent, limit=_MOST))
        parent = b'"%b"' % new_parent.encode()
        return [Update(each.event_id, {"parent_id": parent}) for each in found]

    def _grouped(self, old_root: str, new_root: str) -> list[Update]:
        """Return updates that move a trace, stored as a run of its own, into a conversation."""
        found = self._store.list(Query(root_id=old_root, limit=_MOST))
        root = b'"%b"' % new_root.encode()
        return [
            Update(each.event_id, {"root_id": root, "session_id": root})
            for each in found
            if each.event_id != old_root
        ]


def _item(span: Span) -> Item:
    if span.parent_id == span.span_id:
        span = span._replace(parent_id=None)
    fields = event_fields(span)
    return Item(span, fields, record_of(span, fields))
