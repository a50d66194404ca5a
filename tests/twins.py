"""The conformance suite's harness: run a program undecorated and traced, and compare what it saw.

A *scenario* takes its decorator as a parameter and returns what it saw. `same_as_undecorated` makes
a test of it: undecorated first, then with `trace_session` in every way of `WAYS`; what was seen,
logged and left behind in the context must be equal.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import inspect
import re
import types
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, session, trace_session
from honeytrace.testing import capture

Trace = Callable[[Any], Any]


def undecorated(target: Any) -> Any:
    return target


def traced_with_options(target: Any) -> Any:
    return trace_session(capture_inputs=False, capture_outputs=False, metadata={"way": 2})(target)


#: How a scenario is traced: the decorator, and the block its run stands in.
WAYS = {
    "recorded": (trace_session, contextlib.nullcontext),
    "inside-a-session": (trace_session, lambda: session("outer")),
    "with-options": (traced_with_options, contextlib.nullcontext),
    "paused": (trace_session, honeytrace.paused),
}


def run(scenario: Callable[..., Any], trace: Trace, params: dict[str, Any]) -> tuple[Any, bool]:
    """What the scenario saw, and whether the session current afterwards is the one from before."""

    def current() -> str | None:
        return current_session().session_id if current_session() else None

    async def main() -> tuple[Any, bool]:
        before = current()
        return await scenario(trace, **params), current() == before

    if inspect.iscoroutinefunction(scenario):
        return asyncio.run(main())
    before = current()
    return scenario(trace, **params), current() == before


def same_as_undecorated(scenario: Any = None, *, silent: bool = False) -> Any:
    """Make a test of `scenario(trace, ...)`; `silent` says that it records nothing or need not."""
    if scenario is None:
        return functools.partial(same_as_undecorated, silent=silent)

    @functools.wraps(scenario)
    def test(way: str, caplog: pytest.LogCaptureFixture, **params: Any) -> None:
        plain, logged = run(scenario, undecorated, params), caplog.messages[:]
        caplog.clear()
        trace, block = WAYS[way]
        with capture() as sessions, block():
            seen = run(scenario, trace, params)
        assert plain[0] is not None, "the scenario returns nothing to compare"
        assert seen == plain
        assert caplog.messages == logged
        inner = [s for s in sessions if s.session_name != "outer"]
        assert silent or bool(inner) == (way != "paused")

    given = [p for p in inspect.signature(scenario).parameters.values() if p.name != "trace"]
    ours = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("way", "caplog")]
    test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # pytest reads it
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in given] + ours
    )
    return pytest.mark.parametrize("way", WAYS)(test)


def recorded() -> Iterator[Any]:
    """A fixture: what is recorded during the test, in order of finishing."""
    with capture() as sessions:
        yield sessions
    assert not current_session()


def parts(error: BaseException | None) -> Any:
    """An exception as values that compare: type, arguments, notes, and the same of what it hangs on
    to."""
    if error is None:
        return None
    return (
        type(error).__name__,
        [a if isinstance(a, (str, int)) else type(a).__name__ for a in error.args],
        getattr(error, "__notes__", None),
        error.__suppress_context__,
        parts(error.__cause__),
        parts(error.__context__),
        [parts(member) for member in getattr(error, "exceptions", ())],
    )


def caught(call: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseException:
    """The exception that the call raises."""
    try:
        call(*args, **kwargs)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


async def caught_async(awaitable: Awaitable[Any]) -> BaseException:
    try:
        await awaitable
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raised(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return parts(caught(call, *args, **kwargs))


def attempt(probe: Callable[..., Any], *args: Any) -> Any:
    """What the probe finds, be it an exception; addresses are left out of texts."""
    try:
        found = probe(*args)
    except Exception as error:
        found = f"raises {error!r}"
    return re.sub(r"0x[0-9a-fA-F]+", "0x…", found) if isinstance(found, str) else found


def stacked(trace: Trace, other: Any, order: str) -> Callable[[Any], Any]:
    """A decorator: `trace` above or below `other`."""
    if order == "above":
        return lambda target: trace(other(target))
    return lambda target: other(trace(target))


both_orders = pytest.mark.parametrize("order", ["above", "below"])


# ---- one of each kind of callable ----------------------------------------------------------------

SHARED: list[int] = [1]


def a_function(trace: Trace) -> Any:
    @trace
    def subject(
        a: int, /, b: str = "b", *rest: float, key: list[int] = SHARED, **extra: bytes
    ) -> dict[str, object]:
        """Say what was bound.

        >>> 1 + 1
        2
        """
        return {"a": a, "b": b, "rest": rest, "key": key, "extra": extra}

    subject.tag = "kept"
    return subject


def a_coroutine_function(trace: Trace) -> Any:
    @trace
    async def subject(a: int, /, b: str = "b", *, key: list[int] = SHARED) -> dict[str, object]:
        """Say later what was bound."""
        return {"a": a, "b": b, "key": key}

    return subject


def a_generator_function(trace: Trace) -> Any:
    @trace
    def subject(a: int, /, b: str = "b", *, key: list[int] = SHARED) -> Iterator[object]:
        """Say one by one what was bound."""
        yield a
        yield b
        yield key

    return subject


def an_async_generator_function(trace: Trace) -> Any:
    @trace
    async def subject(a: int, /, b: str = "b", *, key: list[int] = SHARED) -> AsyncIterator[object]:
        """Say one by one, later, what was bound."""
        yield a
        yield b
        yield key

    return subject


def a_lambda(trace: Trace) -> Any:
    return trace(lambda a, /, b="b", *, key=SHARED: [a, b, key])


def _a_class(trace: Trace) -> Any:
    class Box:
        @trace
        def method(self, a: int, /, b: str = "b", *, key: list[int] = SHARED) -> list[object]:
            """Say what was bound to a method."""
            return [a, b, key]

        @trace
        @classmethod
        def above_class(cls, a: int, b: str = "b") -> list[object]:
            """Say what was bound to a class."""
            return [cls.__name__, a, b]

        @classmethod
        @trace
        def below_class(cls, a: int, b: str = "b") -> list[object]:
            """Say what was bound to a class."""
            return [cls.__name__, a, b]

        @trace
        @staticmethod
        def above_static(a: int, b: str = "b") -> list[object]:
            """Say what was bound to nothing."""
            return [a, b]

        @staticmethod
        @trace
        def below_static(a: int, b: str = "b") -> list[object]:
            """Say what was bound to nothing."""
            return [a, b]

    return Box


KINDS: dict[str, Callable[[Trace], Any]] = {
    "function": a_function,
    "coroutine function": a_coroutine_function,
    "generator function": a_generator_function,
    "async generator function": an_async_generator_function,
    "lambda": a_lambda,
    "unbound method": lambda trace: _a_class(trace).method,
    "bound method": lambda trace: _a_class(trace)().method,
    "classmethod, traced above": lambda trace: _a_class(trace).above_class,
    "classmethod, traced below": lambda trace: _a_class(trace).below_class,
    "staticmethod, traced above": lambda trace: _a_class(trace).above_static,
    "staticmethod, traced below": lambda trace: _a_class(trace)().below_static,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def drained(result: Any) -> Any:
    """What a call of any kind finally gives."""

    async def collected() -> list[Any]:
        return [item async for item in result]

    async def awaited() -> Any:
        return await result

    if inspect.isasyncgen(result):
        return asyncio.run(collected())
    if inspect.isawaitable(result):
        return asyncio.run(awaited())
    return list(result) if inspect.isgenerator(result) else result


FLAGS: list[Callable[[Any], Any]] = [
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    inspect.isfunction,
    inspect.ismethod,
    inspect.isroutine,
    inspect.isbuiltin,
    inspect.isdatadescriptor,
    inspect.ismethoddescriptor,
    callable,
    lambda f: isinstance(f, types.FunctionType),
    lambda f: isinstance(f, types.MethodType),
    lambda f: isinstance(f, collections.abc.Callable),
]


def asyncio_says_coroutine_function(subject: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # deprecated since Python 3.14
        return asyncio.iscoroutinefunction(subject)


def public_attributes(cls: type) -> list[Any]:
    return [a for a in inspect.classify_class_attrs(cls) if not a.name.startswith("_")]
