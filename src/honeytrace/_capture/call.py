"""One mechanism under `@trace_session` and `session(...)`: `begin`, then `done` or `fail`.

This is the hot path: every traced call runs `begin` and one of the other two. The session is
current only while the traced frame runs; a generator steps in and out at every yield.

A signal handler may raise between any two instructions of Python, and right behind a call into C.
`begin` therefore runs inside the `try` of the wrapper: whatever is raised, and wherever, `fail`
restores the outer session and releases the place in the journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.interrupts import interrupts
from .._base.lazy import logger, orjson
from .context import SAMPLED_OUT, current
from .exceptions import describe
from .hooks import discard, hooks, switch
from .running import nearest_running
from .session import Session

if not cython.compiled:  # otherwise call.pxd has them in C
    from .._base.primitives import get_var, is_finalizing, new, set_var, untrack
    from .running import Running, id_of, let_go
    from .spec import Spec

MAX_LATE = 100
"""Most children that an ended session adopts; each one is an update of its finished record."""
LATE_NS = 60_000_000_000
"""Nanoseconds after its end in which a session adopts children. Otherwise a worker that a request
started would keep that request as its parent for ever."""

_compiled = cython.compiled
_clock_ns, _time_ns = time.perf_counter_ns, time.time_ns


def begin(  # noqa: C901 - one function, because every further call costs time
    spec: Spec, parent: Any, bound: Any, session_id: str | None = None
) -> Any:
    """Return a running session and make it current.

    parent: the current session, or None.
    bound: the inputs by name, or None if they are not recorded.
    session_id: the id, if it was chosen.
    """
    late: Any = None
    root: Any = None
    child: Any = None
    submit: Any = None
    if is_finalizing():
        return MUTE  # the interpreter shuts down: nothing can be imported or logged any more
    if not hooks.configured and not _configure():
        set_var(current, SAMPLED_OUT)
        return MUTE
    s: Any = new(Session)
    s._spec = spec
    s._id = session_id
    s._handed = s._sealed = False
    s._end = s._late = 0
    s._children = s._details = s._extras = s._failure = s._inputs = s._masked = None
    s._outputs = s._raised = s._slot = s._text = None
    if hooks.adopt is not None:
        parent = hooks.adopt(s, parent)
    if parent is not None and parent._end and not _adopts(parent):
        late, parent = parent, None
    if parent is not None:
        root = parent if parent._root is None else parent._root
        submit = parent._submit
    elif hooks.rate < 1.0 or spec.sample_rate is not None:
        submit = _sample(spec.sample_rate)
        if submit is discard:
            set_var(current, SAMPLED_OUT)
            return MUTE
    s._parent = parent
    s._root = root
    s._submit = submit
    # the interpreted code never takes anything from the garbage collector
    s._plain = (
        _compiled and not spec.fixed and spec.reduce is None and (parent is None or parent._plain)
    )
    try:
        if bound is not None:
            s._inputs = snapshot(s, bound, "inputs")
        s._tick = hooks.tick()
        s._start = hooks.clock_ns()
        if parent is not None:
            s._offset = parent._offset
        elif hooks.clock_ns is _clock_ns:
            # the offset measured with the last batch is wrong after a pause of the machine
            s._offset = _time_ns() - s._start
        else:
            s._offset = hooks.offset_ns  # a test has injected a clock
        if parent is not None:
            child = session_id or (s._start + s._offset, s._tick)
            if _compiled and session_id is None:
                untrack(child)  # two numbers, which the collector need not scan
            if parent._children is None:
                parent._children = []
            parent._children.append(child)
            if parent._parent is not None or parent._end:
                _below(s, parent)
        elif late is not None:
            s._details = {"follows_from": id_of(late)}
        if submit is None:
            s._slot = hooks.opened(s)  # a tree that is held stays in memory
        set_var(current, s)
        return s
    except BaseException as exc:  # noqa: BLE001 - an exception of the program is raised there
        return _not_begun(s, parent, child, exc)


def _configure() -> bool:
    """Configure at the first call; return whether the call is recorded."""
    try:
        hooks.configure()
    except Exception as exc:  # an interrupt, or a defect of honeytrace
        if interrupts(exc):
            raise
        hooks.unrecorded += 1
        internal_error(exc)
        return False
    recording: bool = hooks.configured and switch.on
    return recording


def _adopts(parent: Running) -> bool:
    """Return whether a session that has ended still takes a child."""
    if parent._late < 0:
        return True
    return parent._late < MAX_LATE and hooks.clock_ns() - parent._end < LATE_NS


def _below(s: Any, parent: Any) -> None:
    """Let go of ended sessions above a child, and add a late child to its parent's record."""
    let_go(parent)
    if parent._end and parent._late >= 0:
        parent._late += 1
    if parent._sealed:
        hooks.update(parent.session_id, {"children_ids": [s.session_id]})


def _not_begun(s: Any, parent: Any, child: Any, exc: BaseException) -> Any:
    """Return the stand-in for a call that `begin` could not record; called in its `except`."""
    if isinstance(exc, Exception) and (type(exc) is RecursionError or not interrupts(exc)):
        hooks.unrecorded += 1
        internal_error(exc)  # recording never raises into the user's code
        return MUTE
    _take_back(s, parent, child)  # an interrupt: the call does not happen
    set_var(current, parent)
    raise exc


def _take_back(s: Any, parent: Any, child: Any) -> None:
    """Forget a session whose call did not happen."""
    slot, s._slot = s._slot, None
    s._handed = True
    if slot is not None:
        slot[0].release(slot)
    if parent is not None and child in (parent._children or ()):
        parent._children.remove(child)


def done(s: Any, out: Any, outer: Any) -> Any:
    """Finish a call that returned `out`: restore `outer`, snapshot, hand over. Return `out`.

    An interrupt in this function is passed on to `fail`.
    """
    if get_var(current) is s and outer is None:
        set_var(current, None)
    else:
        leave(s, outer)
    s._end = hooks.clock_ns()
    try:
        if s._outputs is None:
            wanted = s._spec.capture_outputs
            if wanted is True:
                s._outputs = snapshot(s, out, "outputs")
            elif wanted is not False:
                s._outputs = output(s, out)
        if s._extras is not None:
            s._seal()
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        if s._submit is None:
            hooks.submit(s)
        else:
            s._submit(s)
        s._handed = True
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        s._extras = None  # sealed or not
        if not s._handed and s._submit is not discard:
            s._handed = True
            hooks.keep(s)  # in C: at the recursion limit nothing else can be called
        internal_error(exc)
    return out


def fail(s: Any, exc: BaseException, outer: Any) -> None:
    """Finish a call that raised, or that an interrupt stopped in `begin` or `done`.

    `s` is None if `begin` did not return.
    """
    if s is None:
        _undo(outer)
        return
    leave(s, outer)
    if s._submit is discard or s._handed:
        return
    try:
        s._end = hooks.clock_ns()
        if s._extras is not None:
            s._seal()
        inside = s._raised if s._raised and s._raised[0] == id(exc) else None
        s._failure = describe(exc, hooks.redact, inside)
        if s._parent is not None:
            s._parent._raised = (id(exc), s.session_id, s._failure[1])
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hooks.submit)(s)
        s._handed = True
    except BaseException as error:
        s._extras = None
        if not s._handed:
            s._handed = True
            hooks.keep(s)
        if type(error) is not RecursionError and interrupts(error):
            raise
        internal_error(error)


def _undo(outer: Any) -> None:
    """Restore `outer` after an interrupt that came before `begin` returned."""
    begun: Any = current.get()
    if begun is outer:
        return
    set_var(current, outer)
    if isinstance(begun, Running) and not begun._end:
        child = begun._id or (begun._start + begun._offset, begun._tick)
        _take_back(begun, begun._parent, child)


def leave(s: Any, outer: Any) -> None:
    """Restore `outer`, but only in a context where `s` was current.

    A coroutine may be closed by the garbage collector, a block left by another task.
    """
    now: Any = get_var(current)
    if s._submit is discard:
        now = s if now is SAMPLED_OUT else None
    while now is not None and now is not s:
        now = None if now.off else now._parent
    if now is s is not None:
        if isinstance(outer, Running) and outer._end >= s._start:
            outer = nearest_running(outer)  # coroutines that share one context end in any order
        set_var(current, outer)


def snapshot(s: Any, value: Any, path: str) -> Any:
    """Return JSON of a value, and note on the session the fields that were masked."""
    masked: list[str] = []
    data = hooks.encode(value, masked, path)
    if masked:
        s._masked = (s._masked or []) + masked
    return data


def output(s: Any, out: Any) -> Any:
    """Return JSON of an output as the spec asks: whole, or some keys of a dict."""
    names = s._spec.capture_outputs
    if isinstance(names, frozenset):
        if not isinstance(out, dict):
            tree = orjson.loads(hooks.encode(out, [], "outputs"))
            out = tree if isinstance(tree, dict) else {}
        out = {name: value for name, value in out.items() if name in names}
    return snapshot(s, out, "outputs")


def _sample(rate: float | None) -> Callable[[Any], None] | None:
    """Return the `_submit` of the tree of a root that has its own sample rate."""
    try:
        return hooks.sample(rate)
    except Exception as exc:  # an interrupt, or a defect of honeytrace
        if interrupts(exc):
            raise
        hooks.unrecorded += 1
        internal_error(exc)
        return discard


MUTE: Any = Session()
"""A session that leaves no trace, for calls that are not recorded. It is never current."""
MUTE._spec = Spec("", capture_inputs=False, capture_outputs=False)
MUTE._submit = discard
MUTE._outputs = MUTE._extras = MUTE._slot = MUTE._parent = MUTE._raised = MUTE._masked = None
MUTE._end = 0
MUTE._start = 1 << 62
MUTE._handed = False

_reported = False


def internal_error(exc: BaseException) -> None:
    """Log a defect of honeytrace, once and with its traceback; the program never sees it."""
    global _reported
    if not _reported and not isinstance(exc, RecursionError):  # the program's own depth
        _reported = True
        logger.warning("honeytrace could not record a call; the call is not affected", exc_info=exc)


def current_here() -> Any:
    """Return the value of the ContextVar.

    This is a function and not the variable's own `get`, so that a traced function pickles by value
    if its module cannot be imported. cloudpickle does so with functions of `__main__`.
    """
    return get_var(current)
