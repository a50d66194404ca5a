"""`inject` and `continue_from`: one trace across processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from .._base.interrupts import interrupts
from .._capture.call import internal_error
from .._capture.context import PAUSED, Off, current, innermost
from .._capture.external import External
from .._capture.remote import Foreign, Remote, Stranger, expect_callers
from .._capture.session import Session
from .._record.span_ids import event_id, session_id
from ._traceparent import Trace, caller, entry, parse, trace_ids, tracestate, vendors

Headers = Mapping[str, str] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""A mapping, or pairs of text or bytes, in whatever case: HTTP headers, a WSGI `environ`, the
environment of a process, the headers of a message."""

M = TypeVar("M", bound=MutableMapping[str, str])

LEFT_OUT = Off("left out by the caller")
_LEFT_OUT = "-"
"""The value of `ht` of a caller that sampling left out."""

_NAMES = {
    "traceparent": 0,
    "http_traceparent": 0,
    "tracestate": 1,
    "http_tracestate": 1,
}


@overload
def inject(headers: None = None) -> dict[str, str]: ...
@overload
def inject(headers: M) -> M: ...
def inject(headers: Any = None) -> Any:
    """Add the current session to the headers of a call to another process, and return them.

    headers: any mutable mapping; None makes a new dict. It gets `traceparent` and `tracestate` (W3C
    Trace Context), and nothing outside of any session. A `traceparent` that another tracer wrote
    stays. Never raises.
    """
    headers = {} if headers is None else headers
    try:
        running = innermost()
        if running is not None and running is not PAUSED:
            _inject(headers, running)
    except Exception as error:
        if interrupts(error):
            raise
        internal_error(error)
    return headers


def _inject(headers: MutableMapping[str, str], running: Session | Off) -> None:
    ours, others = vendors(headers["tracestate"]) if "tracestate" in headers else (None, "")
    # another tracer's span is named by the header already, unless that is left from a call before
    told = parse(headers["traceparent"]) if ours is None and "traceparent" in headers else None
    if isinstance(running, Off):
        random = os.urandom(24).hex()
        trace, value = Trace(random[:32], random[32:], False), _LEFT_OUT
    elif isinstance(running, Stranger):
        return
    else:
        own = running.session_id
        root = running if running._root is None else running._root
        root_id = root.session_id
        trace = Trace(*_ids(running, own, root_id), running._submit is None)
        value = entry(own, root_id, (told or trace).trace_id) or ""
        if not others and isinstance(root, Remote):
            others = root.tracestate
    if told is None:
        headers["traceparent"] = f"00-{trace.trace_id}-{trace.span_id}-{trace.sampled:02x}"
    state = tracestate(value, others)
    if state:
        headers["tracestate"] = state


def _ids(running: Session, own: str, root_id: str) -> tuple[str, str]:
    if isinstance(running, External) and running.trace is not None:
        return running.trace
    return trace_ids(own, root_id)


class continue_from:  # noqa: N801 - used as a statement
    """`with continue_from(request.headers):` makes sessions inside children of the caller's.

    headers: those that the caller's `inject` filled, also as pairs; `os.environ` for a subprocess.
    trust: False for callers whom anybody can be. Sessions inside are then roots of their own, with
    a link to the caller in `metadata.links`.

    Headers without a valid `traceparent` change nothing. A caller that honeytrace's sampling left
    out has its callee left out, too, if it is trusted.
    """

    __slots__ = ("_found", "_outer")

    def __init__(self, headers: Headers, *, trust: bool = True) -> None:
        self._outer: list[Any] = []
        self._found: Session | Off | None = None
        try:
            traceparent, state = _read(headers)
            trace = parse(traceparent) if traceparent else None
            if trace is not None:
                self._found = _caller(trace, state) if trust else _stranger(trace, state)
        except Exception as error:
            if interrupts(error):
                raise
            internal_error(error)

    def __enter__(self) -> None:
        self._outer.append(current.get())
        if self._found is not None and self._outer[-1] is not PAUSED:
            current.set(self._found)

    def __exit__(self, *exc: object) -> None:
        current.set(self._outer.pop())
        if type(self._found) is Foreign:
            self._found.end()


def _caller(trace: Trace, state: str) -> Session | Off:
    ours, others = vendors(state)
    if ours == _LEFT_OUT:
        return LEFT_OUT
    found = caller(ours, trace.trace_id)
    if found is None:  # another tracer: the ids that its spans have when they arrive by OTLP
        expect_callers()
        root = Remote(session_id(trace.trace_id), tracestate=others)
        return Foreign(event_id(trace.trace_id, trace.span_id), root)
    own, root_id = found
    if own == root_id:
        return Remote(own, tracestate=others)
    return Remote(own, Remote(root_id, tracestate=others))


def _stranger(trace: Trace, state: str) -> Stranger:
    link = {"trace_id": trace.trace_id, "span_id": trace.span_id}
    found = caller(vendors(state)[0], trace.trace_id)
    if found is not None:
        link["session_id"] = found[0]
    expect_callers()
    return Stranger([link])


def _read(headers: Headers) -> tuple[str, str]:
    """`traceparent` and `tracestate`; the first is empty where it is given several times."""
    found: tuple[list[str], list[str]] = ([], [])
    pairs: Iterable[tuple[Any, Any]] = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        if isinstance(name, bytes):
            name, value = name.decode("latin-1"), value.decode("latin-1")
        place = _NAMES.get(name.lower()) if isinstance(name, str) else None
        if place is not None and isinstance(value, str):
            found[place].append(value)
    traceparents, states = found
    return (traceparents[0] if len(traceparents) == 1 else "", ",".join(states))
