"""The spans of one trace in one request, combined with the stored records of the trace."""

from __future__ import annotations

from collections.abc import Mapping

from ..._record.merge import PROVISIONAL
from ..._record.record import Item as StoreItem
from ..._record.record import Record, Update
from ...otel._semconv import Span, event_id, is_infrastructure
from ...otel._semconv import session_id as trace_session_id
from .left_out import LeftOut
from .made_sessions import MadeSessions, difference, filled, made_session, widened
from .records import (
    Item,
    at,
    conversation_id,
    details_of,
    earliest,
    noted,
    own_ids,
    parent_elsewhere,
    settled,
)

__all__ = ["Trace"]


class Trace:
    """Finds the place of each span. `known`: the records that the store has, by id."""

    def __init__(
        self,
        trace_id: str,
        items: list[Item],
        known: Mapping[str, Record],
        made: MadeSessions,
        left_out: LeftOut,
    ) -> None:
        self._trace_id = trace_id
        self._items = items
        self._known = known
        self._made = made
        self._left_out = left_out
        self.session_id = trace_session_id(trace_id)
        self.stored = known.get(self.session_id)
        self.moved: tuple[str, str] | None = None
        """Old and new parents of stored children."""
        self.grouped: str | None = None
        """The conversation of the trace, if the trace was first stored as a run of its own."""
        self._root_span = self._stored_root()

    def leave_out_traffic(self) -> list[Span]:
        """Remove the spans that are only HTTP, database or similar traffic, and return them.

        A root span stays if the trace has other spans, because it names the trace.
        """
        traffic = [
            is_infrastructure(span.attributes, span.scope.get("name"), kind=span.kind)
            for span, _, _ in self._items
        ]
        named = self.stored is not None or not all(traffic)
        kept, left = [], []
        for item, only_traffic in zip(self._items, traffic, strict=True):
            if only_traffic and not (item.span.parent_id is None and named):
                left.append(item.span)
                self._left_out.add(item.span)
            else:
                kept.append(item)
        self._items = kept
        return left

    def items(self) -> list[StoreItem]:
        """Return the records of the spans, and updates of the stored records of the trace."""
        named = next((i.fields.session_id for i in self._items if i.fields.session_id), None)
        placed: list[StoreItem] = []
        rest: list[Item] = []
        for item in self._items:
            stored = self._known.get(item.record.event_id)
            own = own_ids(item.fields)
            session_id = item.fields.session_id or named
            if own is not None:
                placed.append(settled(at(item.record, item.record.event_id, *own), None))
            elif stored is not None:  # The span is repeated, or it came through the bridge before.
                placed.append(_like(stored, item.record))
            elif self.stored is not None and item.span.span_id == self._root_span:
                root = item.record._replace(event_id=self.session_id)
                placed.append(_like(self.stored, root))
            elif session_id is not None:
                placed.append(self._in_session(item, session_id.lower()))
            else:
                rest.append(item)
        return [*placed, *self._in_trace(rest)] if rest else placed

    def parent_id(self, span_id: str | None) -> str:
        """Return the id of the record that encloses a span with this parent."""
        kept = self._left_out.kept_parent(self._trace_id, span_id)
        if kept is None or kept == self._root_span:
            return self.session_id
        return event_id(self._trace_id, kept)

    def has_root(self) -> bool:
        """Return whether the root span is among these spans."""
        return any(item.span.span_id == self._root_span for item in self._items)

    def root_event(self) -> str:
        """Return the id that the root span would have as an event of its own."""
        return event_id(self._trace_id, self._root_span or "")

    def _stored_root(self) -> str | None:
        """Return the id of the span that became the stored session."""
        ids = details_of(self.stored).get("otel") if self.stored else None
        return ids[1] if type(ids) is list and len(ids) > 1 else None

    def _in_session(self, item: Item, session_id: str) -> Record:
        """Return the event in the session that its tracer names."""
        session = self._made.of_tracer(session_id, item)
        parent = self._left_out.kept_parent(self._trace_id, item.span.parent_id)
        parent_id = session_id if parent is None else event_id(self._trace_id, parent)
        return settled(at(item.record, session_id, session.root_id, parent_id), session)

    def _in_trace(self, items: list[Item]) -> list[StoreItem]:
        """Return the records of spans that name no session, including the session of the trace."""
        elsewhere = self._elsewhere(items)
        if elsewhere is not None:
            return [self._under(item, *elsewhere) for item in items]
        root = self._root(items)
        if root is not None:
            self._root_span = root.span.span_id
            self.moved = event_id(self._trace_id, root.span.span_id), self.session_id
        root_id = self._group(items, root) or self.session_id
        session = self._session(items, root, root_id)
        home = self.stored or session
        events = [
            settled(at(i.record, root_id, root_id, self.parent_id(i.span.parent_id)), home)
            for i in items
            if i is not root
        ]
        if self.stored is None:
            return [session, *events]
        update = self._update(self.stored, session, root)
        return [*events, update] if update else list(events)

    def _elsewhere(self, items: list[Item]) -> tuple[str, str] | None:
        """Return session and root of a trace that continues a run of another process."""
        for item in items:
            parent_id = item.span.parent_id
            anchor = self._known.get(event_id(self._trace_id, parent_id)) if parent_id else None
            if anchor is not None:
                if self.stored is not None and anchor.root_id == self.stored.root_id:
                    return None
                own = anchor.session_id == anchor.event_id
                return anchor.root_id if own else anchor.session_id, anchor.root_id
        if self.stored is None:
            found = (parent_elsewhere(item.span) for item in items)
            root_id = next((each[0] for each in found if each is not None), None)
            if root_id is not None:
                return root_id, root_id
        return None

    def _under(self, item: Item, session_id: str, root_id: str) -> Record:
        caller = parent_elsewhere(item.span)
        parent = self._left_out.kept_parent(self._trace_id, item.span.parent_id)
        parent_id = root_id if parent is None else event_id(self._trace_id, parent)
        if caller is not None and caller[1] is not None:
            parent_id = caller[1]
        return settled(at(item.record, session_id, root_id, parent_id), self._known.get(root_id))

    def _root(self, items: list[Item]) -> Item | None:
        """Return the root span, if it is among these spans and did not arrive before."""
        if self.stored is not None and details_of(self.stored).get(PROVISIONAL) is not True:
            return None
        roots = [item for item in items if item.span.parent_id is None]
        return earliest(roots) if roots else None

    def _group(self, items: list[Item], root: Item | None) -> str | None:
        """Return the session of the trace's conversation; None if there is none."""
        conversation = next((i.fields.conversation for i in items if i.fields.conversation), None)
        stored = self.stored
        if stored is not None and stored.root_id != self.session_id:
            group = stored.root_id  # Only some spans of a trace may name the conversation.
            if root is not None and group in self._known:
                self._made.of_conversation(conversation or "", group, root.record, is_root=True)
            return group
        if conversation is None:
            return None
        group = conversation_id(conversation)
        if root is not None:
            record, is_root = root.record, True
        elif stored is not None and details_of(stored).get(PROVISIONAL) is not True:
            record, is_root = stored, True
        else:
            record, is_root = earliest(items).record, False
        self._made.of_conversation(conversation, group, record, is_root=is_root)
        if stored is not None:
            self.grouped = group
        return group

    def _session(self, items: list[Item], root: Item | None, root_id: str) -> Record:
        """Return the session of the trace, as these spans describe it."""
        parent_id = None if root_id == self.session_id else root_id
        if root is not None:
            record = settled(root.record, self.stored)
            if record.event_type == "chain" and parent_id is None:
                record = record._replace(event_type="session")
            return at(record._replace(event_id=self.session_id), root_id, root_id, parent_id)
        session = made_session(self.session_id, earliest(items).record, provisional=True)
        for item in items:
            session = widened(session, item.record)
        return at(session, root_id, root_id, parent_id)

    def _update(self, stored: Record, session: Record, root: Item | None) -> Update | None:
        """Return the update of the stored session."""
        if root is not None:
            return filled(noted(session, **{PROVISIONAL: False}))
        new = at(stored, session.session_id, session.root_id, session.parent_id)
        if details_of(stored).get(PROVISIONAL) is True:
            new = widened(new, session)
        return difference(stored, new)


def _like(stored: Record, record: Record) -> Record:
    """Return the record, moved to the place of the stored one."""
    record = at(record, stored.session_id, stored.root_id, stored.parent_id)
    event_type = "session" if stored.event_type == "session" else record.event_type
    return settled(record._replace(event_type=event_type), stored)
