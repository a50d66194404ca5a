"""The recorded calls that can be answered: the outermost ones that a selector names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._capture.registry import spec_of, traced_functions
from ..lookup.recorded import RecordedSession
from .code import Code, code_of
from .keys import cut_of, key_of
from .select import Selector

Caller = tuple[str, "str | None"]
"""The name of a caller and the key of its inputs."""


WHOLE = "whole"
"""The note that has every yield of a stream: `{"yields": […], "return": value}`; of a call that was
read from a file, true if its outputs are all of its yields."""


class Call:
    """One recorded call.

    label: how messages name it: the beginning of an id, or a line of a file.
    path: its callers, nearest first. rank: its place among the ends of all calls.
    """

    def __init__(self, fields: Mapping[str, Any], label: str, path: Iterable[Caller]) -> None:
        self.name: str = fields["name"]
        self.code: Code | None = code_of(fields.get("code"))
        self.stamp: str = fields.get("code") or ""
        self.event_type: str = fields.get("event_type", "")
        self.inputs: dict[str, Any] = fields["inputs"]
        self.outputs: dict[str, Any] = fields.get("outputs") or {}
        self.status: str = fields.get("status", "ok")
        self.error: str | None = fields.get("error")
        self.details: dict[str, Any] = fields.get("details") or {}
        self.metrics: dict[str, Any] = fields.get("metrics") or {}
        self.config: dict[str, Any] = fields.get("config") or {}
        self.label = label
        self.path = list(path)
        self.rank = 0
        self.used = False
        self.session: RecordedSession | None = None

    def key(self, hidden: Iterable[str] = ()) -> str | None:
        """Return the key of its inputs; None if they are not what was passed."""
        if "inputs" in self.details.get("set", ()):
            return None
        return key_of(self.inputs, cut_of(self.details), hidden)


def calls_in(root: RecordedSession, selector: Selector) -> list[Call]:
    """Return the outermost calls inside a session that match, in order of start.

    The session itself counts only if nothing inside it does: it is usually the call that is run
    again.
    """
    walked = list(root.walk())
    return _made(_outermost(walked, selector, 1)) or _made(_outermost(walked, selector, 0))


def calls_of_trees(roots: Iterable[RecordedSession], selector: Selector, around: str) -> list[Call]:
    """Return the outermost calls that match in several trees, in order of start.

    around: the id of a root that is no caller: the session of a test.
    """
    found: list[_Found] = []
    for root in roots:
        is_around = root.session_id == around
        for session, callers in _outermost(list(root.walk()), selector, int(is_around)):
            found.append((session, callers[:-1] if is_around else callers))
    return _made(found)


_Found = tuple[RecordedSession, list[RecordedSession]]
"""A session and its callers, nearest first."""


def _made(given: Iterable[_Found]) -> list[Call]:
    found = list(given)
    found.sort(key=lambda each: (each[0].start_time, each[0].session_id))
    calls = [_call(session, callers) for session, callers in found]
    ends = sorted(calls, key=lambda call: _end(call.session))
    for rank, call in enumerate(ends):
        call.rank = rank
    return calls


def names_in(root: RecordedSession) -> list[str]:
    """Return the names of all calls in a tree, each once."""
    return list(dict.fromkeys(session.session_name for session, _ in root.walk()))


def _outermost(
    walked: Iterable[tuple[RecordedSession, Any]], selector: Selector, least: int
) -> Iterator[_Found]:
    above: list[RecordedSession] = []
    inside: int | None = None
    for session, place in walked:
        del above[place.depth :]
        if inside is not None and place.depth > inside:
            above.append(session)
            continue
        inside = None
        code = code_of(session.details.get("code"))
        kind = _root_kind(session) if session.event_type == "session" else session.event_type
        if place.depth >= least and selector.matches(session.session_name, code, kind):
            inside = place.depth
            yield session, above[::-1]
        above.append(session)


def _root_kind(session: RecordedSession) -> str:
    """Return the event type of the function that recorded a root, whose record says "session"."""
    specs = (spec_of(each) for each in traced_functions())
    return next((s.event_type for s in specs if s.session_name == session.session_name), "")


def _call(session: RecordedSession, callers: list[RecordedSession]) -> Call:
    fields = {
        "name": session.session_name,
        "code": session.details.get("code"),
        "event_type": session.event_type,
        "inputs": session.inputs,
        "outputs": session.outputs,
        "status": session.status,
        "error": session.error,
        "details": session.details,
        "metrics": session.metrics,
        "config": session.config,
    }
    whole = session.details.get(WHOLE)
    if isinstance(whole, dict):
        fields.update(_whole(session, whole))
    path = [(c.session_name, key_of(c.inputs, cut_of(c.details))) for c in callers]
    call = Call(fields, session.session_id, path)
    call.session = session
    return call


def _whole(session: RecordedSession, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a stream with every yield, if its record does not have them."""
    outputs, details = session.outputs, {**session.details}
    del details[WHOLE]
    yields = whole["yields"]
    if "chunks" in details or (outputs.get("yields") == yields and "count" in outputs):
        return {"details": details}
    return {"outputs": {**whole, "count": len(yields)}, "details": {**details, WHOLE: True}}


def _end(session: RecordedSession | None) -> tuple[float, str]:
    assert session is not None
    return session.start_time + (session.duration or 0.0), session.session_id
