"""Exceptions come out unchanged."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from honeytrace import current_session, trace_session
from twins import (
    Trace,
    caught,
    parts,
    raised,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


@same_as_undecorated
def test_exception_is_the_same_object_with_the_same_relations(trace: Trace) -> Any:
    """Identity, cause, context, notes and the exception being handled are all untouched."""
    error = ValueError("v")
    error.__notes__ = ["a note"]  # type: ignore[attr-defined]  # add_note is for Python 3.11 and later

    @trace
    def fail() -> Any:
        raise error

    @trace
    def chain() -> Any:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise TypeError("second") from first

    @trace
    def unchain() -> Any:
        try:
            raise KeyError("first")
        except KeyError:
            raise TypeError("second") from None

    @trace
    def imply() -> Any:
        try:
            chain()
        finally:
            raise TypeError("third")

    @trace
    def handled() -> Any:
        return parts(sys.exc_info()[1])

    def while_handling() -> Any:
        try:
            raise LookupError("being handled")
        except LookupError:
            seen = handled()
            try:
                chain()
            except TypeError as inner:
                return seen, parts(inner), parts(sys.exc_info()[1])

    before = error.__context__, error.__cause__, list(vars(error))
    same = caught(fail) is error
    after = error.__context__, error.__cause__, list(vars(error))
    return (
        same,
        before == after,
        [raised(f) for f in (fail, chain, unchain, imply)],
        while_handling(),
    )


@same_as_undecorated
@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt("k"),
        SystemExit(3),
        GeneratorExit("g"),
        asyncio.CancelledError("c"),
        StopIteration("s"),
        StopAsyncIteration("s"),
        RecursionError("r"),
        MemoryError(),
        AssertionError("a"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_exception_passes_and_leaves_the_context_clean(
    trace: Trace, error: BaseException
) -> Any:
    """Interrupts, exits and the exceptions of the iteration protocols pass through every kind."""

    @trace
    def function() -> Any:
        raise error

    @trace
    async def coroutine() -> Any:
        raise error

    @trace
    def generator() -> Any:
        yield 1
        raise error

    @trace
    async def async_generator() -> Any:
        yield 1
        raise error

    coro, items, stream = coroutine(), generator(), async_generator()
    first = [next(items), raised(stream.__anext__().send, None)]
    clean = [not current_session()]
    return (
        caught(function) is error,
        raised(coro.send, None),  # driven by hand: an event loop would act on interrupts itself
        first,
        raised(next, items),
        raised(stream.__anext__().send, None),
        [raised(next, items), raised(stream.__anext__().send, None)],
        clean and True,
    )


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), ValueError("v")]
)
def test_every_exception_is_recorded(sessions: Any, error: BaseException) -> None:
    """A call that ends by any exception is recorded, names it, and is no longer current."""

    @trace_session
    def function() -> Any:
        raise error

    @trace_session
    def generator() -> Any:
        yield "partial-output"
        raise error

    assert caught(function) is error
    assert not current_session()
    assert caught(list, generator()) is error
    assert not current_session()
    assert [s.session_name for s in sessions] == ["function", "generator"]
    assert all(type(error).__name__ in str([s.error, s.metadata]) for s in sessions)
    assert "partial-output" in str(sessions[1].outputs)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
@same_as_undecorated
def test_exception_group(trace: Trace) -> Any:
    """An exception group arrives with the very members it was made of, and splits as
    undecorated."""
    members = [ValueError("a"), KeyError("b")]

    @trace
    def fail() -> Any:
        raise ExceptionGroup("both", members)  # noqa: F821 - a builtin since Python 3.11

    group: Any = caught(fail)
    same = [a is b for a, b in zip(group.exceptions, members, strict=True)]
    return same, [parts(part) for part in group.split(ValueError)], parts(group)


@same_as_undecorated
def test_recursion_limit(trace: Trace) -> Any:
    """Unbounded recursion ends in RecursionError and nothing else; ordinary recursion just
    works."""

    @trace
    def endless(n: int) -> int:
        return endless(n + 1)

    @trace
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    return type(caught(endless, 0)), depth(50), type(caught(endless, 0)), depth(50)


@same_as_undecorated
def test_objects_live_no_longer(trace: Trace) -> Any:
    """Arguments, results and exceptions are freed at the same moment, without the garbage
    collector."""

    class Thing:
        pass

    @trace
    def function(thing: Any, fail: bool = False) -> Any:
        if fail:
            raise ValueError("v")
        return [thing]

    @trace
    async def coroutine(thing: Any) -> Any:
        return [thing]

    @trace
    def generator(thing: Any) -> Any:
        yield thing
        yield thing

    def failing(thing: Any) -> None:
        try:
            function(thing, fail=True)
        except ValueError:
            pass

    uses: dict[str, Callable[[Any], Any]] = {
        "function": lambda thing: len(function(thing)),
        "failure": failing,
        "coroutine": lambda thing: len(asyncio.run(coroutine(thing))),
        "exhausted": lambda thing: len(list(generator(thing))),
        "abandoned": lambda thing: type(next(generator(thing))),
        "never started": lambda thing: type(generator(thing)),
    }
    gone = {}
    gc.collect()
    gc.disable()
    try:
        for name, use in uses.items():
            thing = Thing()
            ref = weakref.ref(thing)
            use(thing)
            del thing
            gone[name] = ref() is None
    finally:
        gc.enable()
    return gone
