"""A generator's session: the steps of the function that stands in for a generator function.

The session is current only while the generator's own frame runs, never in its consumer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.interrupts import interrupts
from .call import fail, internal_error, output
from .context import current
from .exceptions import error_text
from .hooks import discard, hooks
from .spec import Spec

if not cython.compiled:  # otherwise stream.pxd has them in C
    from .._base.primitives import get_var, set_var
    from .call import begin, done, snapshot

MAX_YIELDS = 1_000
MAX_PIECES = 100_000
MAX_YIELDED_BYTES = 1_000_000
"""Bounds on the yielded values that a record keeps, values of any kind and strings. All of them are
counted. A model's answer of 4,000 tokens is kept whole."""


class Stream:
    """The session of one generator, entered and left at every yield.

    `outer` is the current session of the consumer, `here` that of the generator's frame (a
    with-block may be open in it). The outputs are `{"yields": […], "count": n, "return": value}`,
    or the result of `reduce` for the list of yields.
    """

    __slots__ = ("count", "here", "items", "kept", "outer", "s", "size", "spec")

    def __init__(self, spec: Spec, parent: Any, bound: Any) -> None:
        self.spec = spec
        self.outer = parent
        self.items: Any = []
        self.count = self.size = 0
        self.kept = False
        self.s: Any = None
        self.here: Any = parent
        try:
            self.s = begin(spec, parent, bound)
            self.kept = spec.capture_outputs is not False and self.s._submit is not discard
            self.here = get_var(current)
            set_var(current, parent)
        except BaseException as exc:
            fail(self.s, exc, parent)
            raise

    def resume(self) -> None:
        """Enter the session: the generator's frame runs next."""
        self.outer = get_var(current)
        set_var(current, self.here)

    def suspend(self, item: Any) -> None:
        """Leave the session: the generator has yielded an item."""
        self.here = get_var(current)
        set_var(current, self.outer)
        self.count += 1
        if self.count == 1:
            self._first()
        try:
            if not self.kept:
                pass
            elif self.spec.reduce is not None:
                self.items.append(item)
            elif self.size <= MAX_YIELDED_BYTES and (
                self.count <= MAX_YIELDS or (type(item) is str and self.count <= MAX_PIECES)
            ):
                if self.spec.capture_outputs is True:
                    data = snapshot(self.s, item, "outputs")
                else:
                    data = output(self.s, item)
                self.size += len(data)
                self.items.append(data)
        except Exception as exc:
            if interrupts(exc):
                raise
            internal_error(exc)

    def _first(self) -> None:
        """Record the milliseconds until the first item."""
        s = self.s
        if s._submit is not discard:
            details = s._details or {}
            details["first_item"] = (hooks.clock_ns() - s._start) / 1e6
            s._details = details

    def returned(self, value: Any) -> None:
        """End the session of a generator that returned a value."""
        try:
            self._fold(value)
            done(self.s, None, self.outer)
        except BaseException as exc:  # an interrupt
            fail(self.s, exc, self.outer)
            raise

    def raised(self, exc: BaseException) -> None:
        """End the session of a generator that raised."""
        self._fold(None)
        fail(self.s, exc, self.outer)

    def _fold(self, value: Any) -> None:
        """Make the outputs from the yielded and returned values."""
        set_var(current, self.outer)  # a traced `reduce` does not run inside the generator
        if not self.kept or self.s._handed:
            return
        try:
            if self.spec.reduce is not None:
                self._reduce()
                return
            end = b"" if value is None else b'"return":' + output(self.s, value)
            yields = b",".join(self.items)
            parts = (b'{"yields":[', yields, b'],"count":%d' % self.count, end and b"," + end, b"}")
            self.s._outputs = b"".join(parts)
        except Exception as exc:  # the user's `reduce` may do anything
            if interrupts(exc):
                raise
            text = hooks.redact(error_text(exc))
            self.s._outputs = hooks.encode({"reduce_error": text}, [], "outputs")

    def _reduce(self) -> None:
        """Make the outputs by `reduce`; note the pieces of a text that is their concatenation."""
        s, items = self.s, self.items
        reduce: Any = self.spec.reduce
        reduced = reduce(items)
        s._outputs = output(s, reduced)
        if type(reduced) is str and all(type(item) is str for item in items):
            sizes = [len(item) for item in items]
            if sum(sizes) == len(reduced) and "".join(items) == reduced:
                s._details = {**(s._details or {}), "chunks": sizes}


def first_step(gen: Any) -> Callable[[Any], Any]:
    """Return `gen.asend` for the first step, hidden from the event loop's list of open generators.

    The loop closes every generator on its list at shutdown. The wrapper closes the user's itself.
    """

    def asend(value: Any) -> Any:
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            return gen.asend(value)
        finally:
            sys.set_asyncgen_hooks(*before)

    return asend


def thrown(exc: BaseException) -> BaseException:
    """Return an exception thrown into the wrapper, without the wrapper in its traceback."""
    tb = exc.__traceback__
    return exc.with_traceback(tb.tb_next if tb is not None else None)


class Bystander:
    """A stand-in for `Stream` while nothing is recorded."""

    __slots__ = ()

    def __init__(self, spec: Spec, parent: Any, bound: Any) -> None:
        pass

    def suspend(self, item: Any) -> None:
        pass

    def resume(self) -> None:
        pass

    def returned(self, value: Any) -> None:
        pass

    def raised(self, exc: BaseException) -> None:
        pass
