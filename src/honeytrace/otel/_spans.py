"""The spans that run in this process, and the sessions that stand for them.

A session and a span nest in each other in both directions: of the session that is current and the
span around it, the one that began later is the parent.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import INVALID_SPAN, SpanContext, SpanKind, get_current_span

from .._capture import remote
from .._capture.external import External, abandon, began, begin_external, end_external
from .._capture.hooks import discard, hooks
from .._capture.remote import Foreign, Remote, Stranger
from .._capture.session import Session
from .._record.span_ids import event_id, session_id
from ..propagation._traceparent import VENDOR, caller
from . import _langchain
from ._reading import spec
from ._semconv import event_type

MOST = 10_000
"""Spans that are remembered at least after their end, for children that begin later."""

MOST_RUNNING = 100_000
"""Spans that may run at once; beyond it, the oldest are recorded as interrupted."""

_LAST_NS = (1 << 63) - 1

HELD = (SpanKind.SERVER, SpanKind.CONSUMER)
"""Kinds of the spans of requests."""

_SESSION = "_honeytrace_session"
"""The attribute of a span that holds the session which calls inside it have as parent."""

Key = tuple[int, int]

Ended = tuple[str, str, bool]
"""Of a span that has ended: its session, the root of that, and True if they are not recorded."""


class Running:
    """A span that runs: its session, and whether it is to be recorded."""

    __slots__ = ("alive", "kept", "own", "session")

    def __init__(self, session: Session | None, *, own: bool, kept: bool) -> None:
        self.alive: _Alive | None = None
        self.session = session
        """Of the span itself, or of the nearest one around it that is recorded."""
        self.own = own
        """True if it is the span's own."""
        self.kept = kept
        """False for a span that is not wanted for itself. If the session is its own all the same,
        it is recorded when something inside it was: the span of a request."""


class _Alive(weakref.ref[Any]):
    """A reference to a span that runs. It knows the span's key when the span is gone."""

    __slots__ = ("key",)
    key: Key


class Spans:
    """Every span between its start and its end. One for the process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start empty."""
        self._running: dict[Key, Running] = {}
        self._ended: dict[Key, Ended] = {}
        self._ended_before: dict[Key, Ended] = {}
        self._roots: dict[int, Session] = {}
        """By trace, the session of the span that began it, while that runs."""

    def open(
        self, span: Any, attributes: Mapping[str, Any], running: Any, *, kept: bool, held: bool
    ) -> None:
        """A span starts: find its parent and open its session. `running`: the current session."""
        context, up = span.get_span_context(), span.parent
        key = context.trace_id, context.span_id
        if key in self._running:
            return  # another processor has opened the span's session
        if up is not None:
            outer = self._around(up)
        else:
            outer = self._callback_run() if _langchain.seen() else None
        links: list[dict[str, Any]] = []
        if isinstance(running, Stranger):  # whoever called is not trusted, whatever the span says
            links, running, outer = running.links, None, self._local(up)
        parent = inner(running, outer)
        if not kept and not (held and (parent is None or type(parent) is Foreign)):
            self._add(key, Running(parent, own=False, kept=False), span)
            return
        session = self.begin(span, attributes, parent)
        if links:
            session.metadata["links"] = links
        if up is None:
            self._roots[key[0]] = session
        self._add(key, Running(session, own=True, kept=kept), span)

    def begin(self, span: Any, attributes: Mapping[str, Any], parent: Session | None) -> External:
        """The session of a span, with the ids that the server derives when it comes by OTLP."""
        context = span.get_span_context()
        trace = trace_of(context)
        own = event_id(trace[0], "" if span.parent is None else trace[1])  # as `session_id`
        kind = event_type(attributes, span.kind._name_)  # `name` takes its time
        start = nanoseconds(span.start_time)
        return begin_external(spec(span.name, kind), parent, own, start, trace)

    def stand_in(self, session: External) -> None:
        """Record a session for the root of a trace that began elsewhere; see `remote.stand_in`."""
        if session._submit is not discard:
            offset = session._offset
            start, end = session._start + offset, session._end + offset
            remote.stand_in(session, session._spec, start, end)

    def close(self, context: SpanContext) -> Running | None:
        """A span ends; None for one that began before the bridge did."""
        key = context.trace_id, context.span_id
        found = self._running.pop(key, None)
        session = None if found is None else found.session
        if self._roots.get(key[0]) is session:
            self._roots.pop(key[0], None)
        if session is not None:
            root = session if session._root is None else session._root
            if len(self._ended) >= MOST:
                self._ended, self._ended_before = {}, self._ended
            self._ended[key] = session.session_id, root.session_id, session._submit is discard
        return found

    def of(self, context: SpanContext) -> Session | None:
        """The session that is the parent of calls inside a span."""
        found = self._running.get((context.trace_id, context.span_id))
        return None if found is None else found.session

    def _add(self, key: Key, running: Running, span: Any) -> None:
        if len(self._running) >= MOST_RUNNING:
            self._give_up(next(iter(self._running)))
        self._running[key] = running
        if issubclass(type(span), ReadableSpan):  # a stand-in for a span may be gone at once
            alive = _Alive(span, self._collected)
            alive.key, running.alive = key, alive
        scope = span.instrumentation_scope
        if scope is not None and scope.name == _langchain.SCOPE:
            _langchain.began(running.session)
        # the hook of every session that begins reads this one attribute
        setattr(span, _SESSION, running.session)

    def _collected(self, alive: Any) -> None:
        """Record a span that nobody can end any more."""
        key: Key = alive.key
        running = self._running.get(key)
        if running is not None and running.alive is alive:
            self._give_up(key)

    def _give_up(self, key: Key) -> None:
        """End a span that was not ended as interrupted."""
        running = self._running.pop(key, None)
        if running is not None and self._roots.get(key[0]) is running.session:
            self._roots.pop(key[0], None)
        if running is None or not running.own or not isinstance(running.session, External):
            return
        session = running.session
        if running.kept or session._children:
            now = hooks.clock_ns() + hooks.offset_ns
            failure: tuple[str, None, dict[str, Any]] = ("interrupted", None, {})
            end_external(session, now, inputs={}, outputs={}, failure=failure, extras={})
        else:
            abandon(session)

    def _callback_run(self) -> Session | None:
        """Return the session of the LangChain run around here."""
        span = _langchain.runnable()
        chain = None if span is None else self._around(span.get_span_context())
        return inner(_langchain.newest(), chain)

    def _local(self, up: SpanContext | None) -> Session | None:
        return None if up is None or up.is_remote else self._around(up)

    def _around(self, up: SpanContext) -> Session | None:
        """The session of a parent span: running, ended, or in another process.

        A span of this process may be unknown: a sampler dropped it, or its provider has no
        processor of ours. Nobody records it, so what is inside belongs to the root of its trace,
        and without that one is a root itself.
        """
        key = up.trace_id, up.span_id
        found = self._running.get(key)
        if found is not None:
            return found.session
        ended = self._ended.get(key) or self._ended_before.get(key)
        if ended is not None:
            own, root, muted = ended
            stand_in = Remote(own, None if own == root else Remote(root))
            if muted:
                stand_in._submit = discard
            return stand_in
        if not up.is_remote:
            return self._roots.get(up.trace_id)
        trace = f"{up.trace_id:032x}"
        told = caller(up.trace_state.get(VENDOR), trace)
        if told is None:
            return Foreign(event_id(trace, f"{up.span_id:016x}"), Remote(session_id(trace)))
        own, root = told
        return Remote(own, None if own == root else Remote(root))

    def after_fork_in_child(self) -> None:
        """Spans that run at a fork are the parent process's to record; here they are parents."""
        for key, running in self._running.items():
            session = running.session
            if session is not None:
                root = session if session._root is None else session._root
                muted = session._submit is discard
                self._ended[key] = session.session_id, root.session_id, muted
        self._running, self._roots = {}, {}


def inner(session: Session | None, span: Session | None) -> Session | None:
    """The one that began later."""
    if session is None or span is None:
        return span if session is None else session
    return session if began(session) > began(span) else span


def adopt(s: Session | None, parent: Session | None) -> Session | None:
    """`hooks.adopt`: the parent of a session that begins, where a span may be in between."""
    span = get_current_span()
    run = _langchain.runnable()
    if span is INVALID_SPAN and run is None:
        return remote.adopt(s, parent)
    found: Session | None = None
    try:
        for each in (span, run):
            if each is None or each is INVALID_SPAN:
                continue
            around: Session | None = getattr(each, _SESSION, None)
            if around is None:
                around = SPANS.of(each.get_span_context())
            if around is not None and not around._end:
                found = inner(found, around)
    except Exception:  # noqa: BLE001 - a span of another library may do anything
        return remote.adopt(s, parent)
    if found is None:
        return remote.adopt(s, parent)
    return found if type(parent) is Stranger else inner(parent, found)


def nanoseconds(time: int | None) -> int:
    """Return a time of a span as one that 64 bits hold; the program may have set any number."""
    if type(time) is int and 0 < time < _LAST_NS:
        return time
    return min(max(int(time or 0), 0), _LAST_NS)


def trace_of(context: SpanContext) -> tuple[str, str]:
    """Return the trace id and the span id, hex."""
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


SPANS = Spans()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SPANS.after_fork_in_child)
