"""Sessions that another tracer times: their ids, parents, starts and ends come from outside.

They are journalled, sampled and delivered like any other, but never current: the other tracer
keeps its own context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.interrupts import interrupts
from .call import internal_error
from .hooks import discard, hooks, switch
from .running import prepare
from .session import Session
from .spec import Spec


class External(Session):
    """A session with a place in another tracer's trace."""

    __slots__ = ("began", "trace")

    began: int
    """Start by `hooks.clock_ns`. `_start` follows the other tracer's clock, which is not exact
    enough to decide the nesting."""
    trace: tuple[str, str] | None
    """Its trace id and span id, hex."""


def began(session: Session) -> int:
    """Return the start of a session or a stand-in by `hooks.clock_ns`."""
    return session.began if isinstance(session, External) else session._start


def begin_external(
    spec: Spec,
    parent: Session | None,
    session_id: str,
    start_ns: int,
    trace: tuple[str, str] | None = None,
) -> External:
    """Open a session that began at `start_ns` (nanoseconds since the epoch) inside `parent`.

    A session that is not recorded has `discard` as its `_submit`, and so have its children.
    """
    s = External()
    s.began, s.trace = hooks.clock_ns(), trace
    offset = hooks.offset_ns
    prepare(s, spec, session_id, start_ns - offset, offset)
    if not hooks.configured:
        hooks.configure()
    if parent is None:
        if not switch.on:
            s._submit = discard
        elif hooks.rate < 1.0:
            s._submit = hooks.sample(None)
    else:
        s._parent = parent
        s._root = parent if parent._root is None else parent._root
        s._submit = parent._submit
        if s._submit is not discard:
            if parent._children is None:
                parent._children = []
            parent._children.append(session_id)
            if parent._sealed:
                hooks.update(parent.session_id, {"children_ids": [session_id]})
    if s._submit is None:
        s._slot = hooks.opened(s)
    return s


def end_external(
    s: Session,
    end_ns: int,
    *,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    failure: tuple[str, str | None, dict[str, Any]] | None,
    extras: dict[str, Any],
) -> None:
    """End a session of `begin_external` and hand it over. Raises nothing but an interrupt.

    `failure`: status, error and details, as `exceptions.describe` returns them. `extras`: mapping
    fields, names, project and source. Values that the program set through `current_session()` win
    over all of these.
    """
    s._end = max(end_ns - s._offset, s._start) or 1  # 0 stands for running
    try:
        added = s._extras or {}
        for name, value in added.items():
            known = extras.get(name)
            extras[name] = {**known, **value} if isinstance(known, dict) else value
        if inputs:
            extras["inputs"] = {**inputs, **extras.get("inputs", {})}
        if outputs:
            extras.setdefault("outputs", outputs)
        s._failure = failure
        s._extras = extras
        s._seal()
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hooks.submit)(s)
        s._handed = True
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        s._extras = None
        if s._submit is not discard:
            hooks.keep(s)
        internal_error(exc)


def abandon(s: Session) -> None:
    """Forget a session of `begin_external` that is not to be recorded after all."""
    if s._slot is not None:
        s._slot[0].release(s._slot)
        s._slot = None
    parent = s._parent
    if parent is not None and s.session_id in (parent._children or ()):
        parent._children.remove(s.session_id)
