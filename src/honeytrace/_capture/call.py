"""One mechanism under `@trace_session` and `session(...)`: begin, then done or fail.

This is the hot path: every traced call runs `begin` and one of the other two. The session is
current only while the traced frame runs; a generator steps in and out at every yield.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .._compiled import native, prefer
from .._interrupts import interrupts
from .._lazy import logger, orjson
from .context import SAMPLED_OUT, Off, current, discard, hot
from .exceptions import describe, error_text
from .session import Session, Spec

_get, _set = current.get, current.set
MAX_YIELDS = 1_000
MAX_YIELDED_BYTES = 1_000_000
"""How much of what a generator yields its record keeps; all yields are counted."""


def begin(spec: Spec, parent: Any, bound: Any, session_id: str | None = None) -> Session:
    """A running session, current from here on.

    `parent` is what is current, a Session or None; `bound` holds the inputs by name, or is None.
    """
    s = Session()
    s._spec = spec
    s._children = []
    s._sealed = False
    s._id = session_id
    s._raised = s._text = None
    s._outputs = s._failure = s._extras = s._masked = s._inputs = s._slot = None
    s._end = 0
    if hot.adopt is not None:
        parent = hot.adopt(s, parent)
    s._parent = parent
    if parent is not None:
        s._root = parent if parent._root is None else parent._root
        s._submit = parent._submit
    else:
        s._root = s._submit = None
        if hot.rate < 1.0 or spec.sample_rate is not None:
            s._submit = _sample(spec.sample_rate)
            if s._submit is discard:
                _set(SAMPLED_OUT)
                return MUTE
    child = None
    try:
        if bound is not None:
            masked: list[str] = []
            s._inputs = hot.encode(bound, masked, "inputs")
            if masked:
                s._masked = masked
        s._tick = hot.tick()
        s._offset = hot.offset_ns
        s._start = start = hot.clock_ns()
        if parent is not None:
            child = session_id or (start + s._offset, s._tick)
            parent._children.append(child)
            if parent._sealed:
                hot.update(parent.session_id, {"children_ids": [s.session_id]})
        s._slot = hot.opened(s) if s._submit is None else None  # a held tree stays in memory
        _set(s)
        return s
    except BaseException as exc:  # noqa: BLE001 - the program's own is raised there
        return _not_begun(s, parent, child, exc)


def _not_begun(s: Session, parent: Any, child: Any, exc: BaseException) -> Session:
    """What a call gets where `begin`, in its `except`, could not record it."""
    if isinstance(exc, Exception) and (type(exc) is RecursionError or not interrupts(exc)):
        internal_error(exc)  # recording never raises into the user's code
        return MUTE
    # an interrupt: the call does not happen
    if s._slot is not None:
        s._slot[0].release(s._slot)
    _set(parent)
    if parent is not None and child in parent._children:
        parent._children.remove(child)
    raise exc


def done(s: Session, out: Any, outer: Session | Off | None) -> None:
    """The traced code returned: put `outer` back as current, snapshot, hand over.

    An interrupt in here goes on to `fail`.
    """
    _set(outer)
    s._end = hot.clock_ns()
    try:
        names = s._spec.capture_outputs
        if names is True and s._outputs is None:  # `_output`, written out for speed
            masked: list[str] = []
            s._outputs = hot.encode(out, masked, "outputs")
            if masked:
                s._masked = (s._masked or []) + masked
        elif names is not False and s._outputs is None:
            s._outputs = _output(s, out)
        if s._extras is not None:
            s._seal()
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hot.submit)(s)
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        s._extras = None  # sealed or not
        if s._submit is not discard:
            hot.keep(s)  # in C: at the recursion limit nothing else can be called
        internal_error(exc)


def fail(s: Session, exc: BaseException, outer: Session | Off | None) -> None:
    """The traced code raised, or an interrupt came while it was `done`."""
    if s._submit is discard:
        leave(s, outer)
        return
    try:
        if _get() is s:
            _set(outer)
        else:
            leave(s, outer)
        s._end = hot.clock_ns()
        if s._extras is not None:
            s._seal()
        inside = s._raised if s._raised and s._raised[0] == id(exc) else None
        s._failure = describe(exc, hot.redact, inside and inside[1])
        if s._parent is not None:
            s._parent._raised = (id(exc), s.session_id)
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hot.submit)(s)
    except Exception as error:
        s._extras = None
        if s._submit is not discard:
            hot.keep(s)
        if type(error) is not RecursionError and interrupts(error):
            raise
        internal_error(error)


def leave(s: Session, outer: Session | Off | None) -> None:
    """Put `outer` back as current, but only in a context where `s` was.

    A coroutine may be closed by the garbage collector, a block left by another task.
    """
    now: Any = _get()
    if s._submit is discard:
        now = s if now is SAMPLED_OUT else None
    while now is not None and now is not s:
        now = None if now.off else now._parent
    if now is s:
        _set(outer)


def _output(s: Session, out: Any) -> bytes:
    names = s._spec.capture_outputs
    if isinstance(names, frozenset):
        if not isinstance(out, dict):
            tree = orjson.loads(hot.encode(out, [], "outputs"))
            out = tree if isinstance(tree, dict) else {}
        out = {name: value for name, value in out.items() if name in names}
    masked: list[str] = []
    data = hot.encode(out, masked, "outputs")
    if masked:
        s._masked = (s._masked or []) + masked
    return data


def _sample(rate: float | None) -> Callable[[Session], None] | None:
    """How to submit the tree of a root that has this rate of its own."""
    try:
        submit = hot.sample(rate)
    except Exception as exc:  # the first call configures
        if interrupts(exc):
            raise
        internal_error(exc)
        return discard
    return submit if hot.on else discard


MUTE = Session()
"""A session that leaves no trace: what a call gets where nothing is recorded. Never current."""
MUTE._spec = Spec("", capture_inputs=False, capture_outputs=False)
MUTE._submit = discard
MUTE._outputs = MUTE._extras = MUTE._slot = None

_reported = False


def internal_error(exc: Exception) -> None:
    """A defect of ours: said once with its traceback, and never raised into the traced program."""
    global _reported
    if not _reported and not isinstance(exc, RecursionError):  # the program's own depth
        _reported = True
        logger.warning("honeytrace could not record a call; the call is not affected", exc_info=exc)


if native is not None:
    native.use_capture(
        *(hot, current, discard, interrupts, Session),
        *(begin, _output, _not_begun, internal_error),
        *(MAX_YIELDS, MAX_YIELDED_BYTES),
    )
    begin, done = native.begin, native.done


class StreamFields:
    """Where the fields of a `Stream` are."""

    __slots__ = ("count", "here", "items", "kept", "outer", "s", "size", "spec")

    count: int
    here: Any
    items: list[Any]
    kept: bool
    outer: Any
    s: Session
    size: int
    spec: Spec


if native is not None:
    StreamFields = native.StreamFields  # type: ignore[misc]


class Stream(StreamFields):
    """A generator's session: stepped in and out of at every yield.

    `outer` is what is current in the consumer, `here` what is current in the generator's frame (a
    with-block may be open in it). Its outputs are `{"yields": […], "count": n, "return": value}`,
    or what `reduce` makes of the list of yields.
    """

    __slots__ = ()

    def __init__(self, spec: Spec, parent: Any, bound: Any) -> None:
        self.spec = spec
        self.outer = parent
        self.items = []
        self.count = self.size = 0
        self.s = begin(spec, parent, bound)
        self.kept = spec.capture_outputs is not False and self.s._submit is not discard
        self.here = _get()

    def suspend(self, item: Any) -> None:
        self.here = _get()
        _set(self.outer)
        self.count += 1
        try:
            if not self.kept:
                pass
            elif self.spec.reduce is not None:
                self.items.append(item)
            elif self.count <= MAX_YIELDS and self.size <= MAX_YIELDED_BYTES:
                data = _output(self.s, item)
                self.size += len(data)
                self.items.append(data)
        except Exception as exc:
            if interrupts(exc):
                raise
            internal_error(exc)

    def resume(self) -> None:
        self.outer = _get()
        _set(self.here)

    def done(self, value: Any) -> None:
        try:
            self._fold(value)
            done(self.s, None, self.outer)
        except BaseException as exc:  # an interrupt
            fail(self.s, exc, self.outer)
            raise

    def fail(self, exc: BaseException) -> None:
        self._fold(None)
        fail(self.s, exc, self.outer)

    def _fold(self, value: Any) -> None:
        _set(self.outer)  # what a traced `reduce` records is not inside the generator
        if not self.kept:
            return
        try:
            if self.spec.reduce is not None:
                self.s._outputs = _output(self.s, self.spec.reduce(self.items))
                return
            end = b"" if value is None else b',"return":' + _output(self.s, value)
            self.s._outputs = b'{"yields":[%b],"count":%d%b}' % (
                b",".join(self.items),
                self.count,
                end,
            )
        except Exception as exc:  # the user's `reduce` may do anything
            if interrupts(exc):
                raise
            text = hot.redact(error_text(exc))
            self.s._outputs = hot.encode({"reduce_error": text}, [], "outputs")


prefer(Stream, "__init__", "suspend", "resume")


def first_step(gen: Any) -> Callable[[Any], Any]:
    """`gen.asend` for the first step, hidden from the event loop's list of open generators.

    The loop closes every generator on its list at shutdown; ours closes the user's.
    """

    def asend(value: Any) -> Any:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            return gen.asend(value)
        finally:
            sys.set_asyncgen_hooks(*hooks)

    return asend


def thrown(exc: BaseException) -> BaseException:
    """An exception thrown into our frame, without our frame in its traceback."""
    tb = exc.__traceback__
    return exc.with_traceback(tb.tb_next if tb is not None else None)


class Bystander:
    """What an async generator gets in place of a `Stream` where nothing is recorded."""

    __slots__ = ()

    def __init__(self, spec: Spec, parent: Any, bound: Any) -> None:
        pass

    def suspend(self, item: Any) -> None:
        pass

    def resume(self) -> None:
        pass

    def done(self, value: Any) -> None:
        pass

    def fail(self, exc: BaseException) -> None:
        pass
