"""The conformance suite, part one: the checklist on which tracers differ, in its usual order.

Most tests are scenarios, run undecorated and traced, that must see the same (see `twins.py`); tests
that take `sessions` say what was recorded meanwhile. What a call costs is a benchmark's matter, so
here it is counted in Python calls and traceback frames, never read off a clock.
"""

from __future__ import annotations

import abc
import asyncio
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import gc
import inspect
import io
import math
import operator
import pydoc
import sys
import threading
import types
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable
from unittest import mock

import pytest

import honeytrace
from honeytrace import current_session, session, trace_session
from twins import (
    FLAGS,
    KINDS,
    Trace,
    asyncio_says_coroutine_function,
    attempt,
    both_orders,
    caught,
    caught_async,
    drained,
    every_kind,
    parts,
    public_attributes,
    raised,
    recorded,
    same_as_undecorated,
    stacked,
    undecorated,
)

sessions = pytest.fixture(recorded)

# ---- sync and async functions; generators; asynchronous generators -------------------------------


@same_as_undecorated
@every_kind
def test_every_kind_of_callable_gives_its_result(trace: Trace, kind: str) -> Any:
    """A call gives what it gives undecorated, through every kind of callable."""
    subject = KINDS[kind](trace)
    bind = (None,) if kind == "unbound method" else ()
    return drained(subject(*bind, 1)), drained(subject(*bind, 2, b="two"))


def test_function_and_coroutine_are_recorded(sessions: Any) -> None:
    """One call is one session: named, with inputs by parameter name, its output, and times that
    fit."""

    @trace_session
    def add(a: int, b: int = 2) -> int:
        return a + b

    @trace_session
    async def scale(*factors: int, **named: int) -> dict[str, Any]:
        return {"product": math.prod(factors) * math.prod(named.values())}

    assert add(1) == 3
    assert asyncio.run(scale(2, 3, c=4)) == {"product": 24}
    first, second = sessions
    assert (first.session_name, first.inputs, first.outputs) == (
        "add",
        {"a": 1, "b": 2},
        {"result": 3},
    )
    assert (second.session_name, second.outputs) == ("scale", {"product": 24})
    assert second.inputs == {"factors": [2, 3], "named": {"c": 4}}
    assert first.error is None
    assert first.duration >= 0
    assert first.start_time <= first.end_time <= math.ceil(second.start_time)


def test_generator_body_is_recorded_until_exhaustion(sessions: Any) -> None:
    """A generator's session spans its body, not its creation, and is never current in its
    consumer."""

    @trace_session
    def leaf(where: str) -> None: ...

    @trace_session
    def stream() -> Iterator[str]:
        leaf("body")
        yield current_session().session_id
        leaf("body")
        yield current_session().session_id

    items = stream()
    seen = []
    for item in items:
        seen.append(item)
        assert not current_session()
        assert not sessions.by_name("stream")
        leaf("consumer")
    (recorded,) = sessions.by_name("stream")
    leaves = sessions.by_name("leaf")
    inside = [s.session_id for s in leaves if s.inputs == {"where": "body"}]
    assert seen == [recorded.session_id] * 2
    assert recorded.children_ids == inside
    assert [s.parent_id for s in leaves] == [recorded.session_id, None] * 2
    assert recorded.session_id in str(recorded.outputs)


def test_async_generator_body_is_recorded_until_exhaustion(sessions: Any) -> None:
    """An asynchronous generator's session spans its body and is never current in its consumer."""

    @trace_session
    async def leaf(where: str) -> None: ...

    @trace_session
    async def stream() -> AsyncIterator[str]:
        await leaf("body")
        yield current_session().session_id
        await leaf("body")
        yield current_session().session_id

    async def consume() -> list[str]:
        seen = []
        async for item in stream():
            seen.append(item)
            assert not current_session()
            assert not sessions.by_name("stream")
            await leaf("consumer")
        return seen

    seen = asyncio.run(consume())
    (recorded,) = sessions.by_name("stream")
    leaves = sessions.by_name("leaf")
    inside = [s.session_id for s in leaves if s.inputs == {"where": "body"}]
    assert seen == [recorded.session_id] * 2
    assert recorded.children_ids == inside
    assert [s.parent_id for s in leaves] == [recorded.session_id, None] * 2


def _end_by_close(items: Any) -> None:
    items.close()


def _end_by_error(items: Any) -> None:
    with contextlib.suppress(ValueError):
        items.throw(ValueError("late"))


def _end_by_exhaustion(items: Any) -> None:
    collections.deque(items, maxlen=0)


def _end_by_collection(items: Any) -> None: ...


@pytest.mark.parametrize(
    "end", [_end_by_close, _end_by_error, _end_by_exhaustion, _end_by_collection]
)
def test_generator_session_ends_however_it_ends(sessions: Any, end: Callable[[Any], None]) -> None:
    """Exhaustion, close, an error and being dropped each end the session once, with what was
    yielded."""

    @trace_session
    def stream() -> Iterator[str]:
        yield "first-item"
        yield "second-item"

    items = stream()
    assert next(items) == "first-item"
    end(items)
    del items
    gc.collect()
    (recorded,) = sessions
    assert "first-item" in str(recorded.outputs)
    assert bool(recorded.error) == (end is _end_by_error)


# ---- send, throw, return; asend, athrow, aclose --------------------------------------------------


@same_as_undecorated
def test_generator_send(trace: Trace) -> Any:
    """What is sent reaches the generator, None included."""

    @trace
    def echo() -> Any:
        received = []
        while len(received) < 3:
            received.append((yield len(received)))
        return received

    items = echo()
    seen = [next(items), items.send("a"), items.send(None)]
    return seen, caught(items.send, "c").value  # type: ignore[attr-defined]  # StopIteration


@same_as_undecorated
def test_generator_throw(trace: Trace) -> Any:
    """What is thrown in is the very object caught inside, and the generator may go on or let it
    out."""
    error = KeyError("k")

    @trace
    def stubborn() -> Any:
        try:
            yield 1
        except KeyError as caught_inside:
            yield caught_inside is error
        yield 3

    items = stubborn()
    seen = [next(items), items.throw(error), next(items)]
    return seen, caught(items.throw, error) is error, list(items)


@same_as_undecorated
def test_generator_return_value(trace: Trace) -> Any:
    """The `return` value comes with StopIteration, and out of `yield from`."""

    @trace
    def inner() -> Any:
        received = yield 1
        return [received]

    @trace
    def outer() -> Any:
        return (yield from inner())

    direct, delegated = inner(), outer()
    firsts = next(direct), next(delegated)
    return firsts, [caught(g.send, "x").value for g in (direct, delegated)]  # type: ignore[attr-defined]


@same_as_undecorated
async def test_async_generator_asend_and_athrow(trace: Trace) -> Any:
    """What is sent or thrown reaches the asynchronous generator, which may go on."""
    error = KeyError("k")

    @trace
    async def echo() -> Any:
        received = yield "ready"
        try:
            yield received
        except KeyError as caught_inside:
            yield caught_inside is error

    items = echo()
    seen = [await items.asend(None), await items.asend("a"), await items.athrow(error)]
    return seen, parts(await caught_async(items.asend("b"))), [item async for item in items]


@same_as_undecorated
async def test_aclose_runs_finally_at_once(trace: Trace) -> Any:
    """When `aclose` returns, the generator's `finally` has run, awaits in it included."""
    log = []

    @trace
    async def stream() -> Any:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append("finally")

    items = stream()
    log.append(await anext(items))
    await items.aclose()
    log.append("closed")
    return log, [item async for item in items]


@same_as_undecorated
async def test_aclose_from_another_task(trace: Trace) -> Any:
    """A stream may be closed by another task than the one that reads it, and nothing is logged."""
    log: list[Any] = []

    @trace
    async def stream() -> Any:
        try:
            yield 1
            yield 2
        finally:
            log.append("finally")

    async def pull(items: Any) -> Any:
        return await anext(items)

    items = stream()
    log.append(await asyncio.create_task(pull(items)))
    await asyncio.create_task(items.aclose())
    other = stream()
    log.append(await asyncio.create_task(pull(other)))
    log.append(await asyncio.create_task(pull(other)))
    await asyncio.create_task(caught_async(pull(other)))
    return log


# ---- kind flags and signature --------------------------------------------------------------------


@same_as_undecorated(silent=True)
@every_kind
def test_kind_flags(trace: Trace, kind: str) -> Any:
    """Every question that `inspect` and `asyncio` can ask about a callable's kind has the same
    answer."""
    subject = KINDS[kind](trace)
    return [flag(subject) for flag in FLAGS], asyncio_says_coroutine_function(subject)


@same_as_undecorated(silent=True)
@every_kind
def test_flags_of_what_a_call_returns(trace: Trace, kind: str) -> Any:
    """A call returns a coroutine, a generator or an asynchronous generator as undecorated."""
    bind = (None,) if kind == "unbound method" else ()
    subject = KINDS[kind](trace)
    result = subject(*bind, 1)
    questions = (
        inspect.iscoroutine,
        inspect.isawaitable,
        inspect.isgenerator,
        inspect.isasyncgen,
        lambda r: isinstance(r, types.GeneratorType),
        lambda r: isinstance(r, collections.abc.Coroutine),
        lambda r: isinstance(r, collections.abc.AsyncGenerator),
        lambda r: [getattr(r, name, None) for name in ("__name__", "__qualname__")],
    )
    answers = [question(result) for question in questions]
    drained(result)
    return answers


@same_as_undecorated(silent=True)
@every_kind
def test_signature(trace: Trace, kind: str) -> Any:
    """The signature is kept, for `inspect.signature` and for those that do not look through
    wrappers."""
    subject = KINDS[kind](trace)
    return attempt(inspect.signature, subject), attempt(inspect.getfullargspec, subject)


# ---- in the caller's task and context, the same objects ------------------------------------------


@same_as_undecorated
async def test_coroutine_runs_in_callers_task_and_context(trace: Trace) -> Any:
    """A coroutine runs in the caller's task, and context variables it sets stay visible to the
    caller."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    async def outer() -> Any:
        await asyncio.sleep(0)
        await inner()
        return asyncio.current_task()

    @trace
    async def inner() -> None:
        var.set("inner")

    return await outer() is asyncio.current_task(), var.get()


@same_as_undecorated
def test_function_runs_in_callers_thread_and_context(trace: Trace) -> Any:
    """A function runs in the caller's thread, and context variables it sets or resets stay so."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    def enter() -> Any:
        return var.set("set"), threading.get_ident()

    @trace
    def leave(token: contextvars.Token[str]) -> None:
        var.reset(token)

    token, thread = enter()
    seen = [var.get(), thread == threading.get_ident()]
    leave(token)
    return seen, var.get()


@same_as_undecorated
def test_generator_shares_its_consumers_context(trace: Trace) -> Any:
    """A context variable set in a generator is seen by its consumer at once, and the other way
    round."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    def stream() -> Any:
        yield var.get()
        token = var.set("body")
        yield var.get()
        var.reset(token)
        yield var.get()

    seen = []
    for item in stream():
        seen.append((item, var.get()))
        if item == "unset":
            var.set("consumer")
    return seen


@same_as_undecorated
async def test_anext_runs_in_callers_task_and_context(trace: Trace) -> Any:
    """Each `__anext__` runs in the task that awaits it, and what it sets there stays visible."""
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)

    @trace
    async def stream() -> Any:
        for number in (1, 2):
            var.set(number)
            await asyncio.sleep(0)
            yield asyncio.current_task()

    async def pull(items: Any) -> Any:
        return await anext(items) is asyncio.current_task(), var.get()

    same_task = [(task is asyncio.current_task(), var.get()) async for task in stream()]
    items = stream()
    return same_task, [await asyncio.create_task(pull(items)) for _ in range(2)]


class Marked(str):
    """A str with a type of its own."""


RESULTS: dict[str, Any] = {
    "None": None,
    "int": 12345678901234567890,
    "float": math.nan,
    "str subclass": Marked("m"),
    "bytes": bytearray(b"b"),
    "list": [1],
    "dict": {"k": "v"},
    "tuple": (1, [2]),
    "object": object(),
    "exception": ValueError("a value"),
    "iterator": iter("abc"),
    "class": Marked,
    "function": len,
    "NotImplemented": NotImplemented,
    "Ellipsis": ...,
}


@same_as_undecorated
@pytest.mark.parametrize("value", RESULTS)
def test_the_same_object_goes_in_and_out(trace: Trace, value: str) -> Any:
    """Arguments, results, yields and return values are the very objects of the caller and the
    callee."""
    given = RESULTS[value]

    @trace
    def function(x: Any, *rest: Any, **extra: Any) -> Any:
        return x if all(y is x for y in (*rest, *extra.values())) else "another object"

    @trace
    async def coroutine(x: Any) -> Any:
        return x

    @trace
    def generator(x: Any) -> Any:
        return (yield x)

    async def awaited() -> Any:
        return await coroutine(given)

    items = generator(given)
    yielded = next(items)
    returned = caught(items.send, given).value  # type: ignore[attr-defined]  # StopIteration
    results = function(given, given, y=given), asyncio.run(awaited()), yielded, returned
    return [result is given for result in results]


# ---- user kwargs untouched -----------------------------------------------------------------------

#: Names that tracers have taken for their own, and those any wrapper is tempted to use.
NAMES = """
    self cls fn func function wrapped wrapper instance args kwargs config name tracer trace session
    session_name session_id source project inputs outputs error metadata metrics feedback parent
    parent_id children_ids event_name event_type tags run_id user_properties user_id start_time
    end_time duration capture_inputs capture_outputs reduce sample_rate target
"""


@same_as_undecorated
@pytest.mark.parametrize("name", NAMES.split())
def test_user_keyword_is_untouched(trace: Trace, name: str) -> Any:
    """A keyword of any name reaches the function, declared or not, beside a positional one of that
    name."""
    scope: dict[str, Any] = {}
    exec(  # a parameter's name cannot be parametrised otherwise
        f"def declared({name}): return {name}\n"
        f"def defaulted(*, {name}=1): return {name}\n"
        f"def collected(**extra): return extra\n"
        f"def both({name}, /, **extra): return {name}, extra\n"
        f"async def later(x=0, **extra): return x, extra\n"
        f"def stream(x=0, **extra): yield x, extra\n",
        scope,
    )
    declared, defaulted, collected, both, later, stream = (
        trace(scope[f]) for f in ("declared", "defaulted", "collected", "both", "later", "stream")
    )
    return (
        declared(**{name: "v"}),
        defaulted(**{name: "v"}),
        defaulted(),
        collected(**{name: "v"}),
        both("p", **{name: "v"}),
        asyncio.run(later(**{name: "v"})),
        list(stream(**{name: "v"})),
    )


@same_as_undecorated
def test_user_dictionary_is_not_shared(trace: Trace) -> Any:
    """The dictionary spread into a call stays the caller's own, and a masked name reaches the
    function."""

    @trace
    def take(**extra: Any) -> Any:
        extra["added"] = True
        return extra

    given = {"password": "hunter2", "nested": {"api_key": "k"}}
    taken = take(**given)
    return given, taken, taken["nested"] is given["nested"]


# ---- one-shot and hostile arguments --------------------------------------------------------------

ONE_SHOT: dict[str, Callable[[], Any]] = {
    "generator": lambda: (n for n in range(3)),
    "iterator": lambda: iter([1, 2, 3]),
    "map": lambda: map(str, [1, 2]),
    "zip": lambda: zip([1], [2], strict=True),
    "text file": lambda: io.StringIO("a\nb\n"),
    "binary file": lambda: io.BytesIO(b"a\nb\n"),
}


@same_as_undecorated
@pytest.mark.parametrize("kind", ONE_SHOT)
def test_one_shot_argument_survives_unconsumed(trace: Trace, kind: str) -> Any:
    """An iterator or file that passes through, in or out, still has everything in it."""

    @trace
    def through(items: Any, *, nested: Any) -> Any:
        return items

    return [list(through(ONE_SHOT[kind](), nested={"a": [ONE_SHOT[kind]()]})) for _ in range(2)]


@same_as_undecorated
async def test_awaitable_argument_is_not_awaited(trace: Trace) -> Any:
    """A coroutine, an asynchronous generator or a future as argument is left to the function."""

    async def seven() -> int:
        return 7

    async def stream() -> AsyncIterator[int]:
        yield 8

    @trace
    async def combine(one: Any, items: Any, pending: Any) -> Any:
        return [await one, [item async for item in items], pending.done()]

    return await combine(seven(), stream(), asyncio.get_running_loop().create_future())


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("do not touch")


def _with_trap(name: str, *bases: type) -> Callable[[], Any]:
    trap = property(_refuse) if name in ("__class__", "__dict__") else _refuse
    return lambda: type("Trapped", bases, {name: trap})()


def _cyclic_list() -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def _cyclic_object() -> Any:
    node = types.SimpleNamespace()
    node.self = {"node": [node]}
    return node


def _deep(wrap: Callable[[Any], Any]) -> Any:
    value: Any = "bottom"
    for _ in range(5000):
        value = wrap(value)
    return value


def _dead_proxy() -> Any:
    return weakref.proxy(Marked("gone"))


def _endless_repr() -> Any:
    return type("Endless", (), {"__repr__": lambda self: repr(self)})()


def _endless_getattr() -> Any:
    return type("Chatty", (), {"__getattr__": lambda self, name: self})()


class HostileMeta(type):
    """A metaclass whose classes cannot be shown, compared or asked."""

    __repr__ = __hash__ = __eq__ = __instancecheck__ = _refuse  # type: ignore[assignment]


@dataclasses.dataclass
class HalfMade:
    """A dataclass of which an instance lacks its fields."""

    field: int
    other: Any = None


TRAPS = """
    __repr__ __str__ __getattr__ __getattribute__ __class__ __dict__ __eq__ __hash__ __bool__
    __len__ __iter__ __next__ __reduce__ __deepcopy__ __copy__ __format__ __float__ __index__
    __fspath__ __array__ __json__ __enter__ __call__ __getstate__ __length_hint__ __contains__
    __getitem__ __sizeof__
"""

HOSTILE: dict[str, Callable[[], Any]] = {
    **{f"{name} raises": _with_trap(name) for name in TRAPS.split()},
    "list whose __iter__ raises": _with_trap("__iter__", list),
    "dict whose items() raises": _with_trap("items", dict),
    "dict whose __iter__ raises": _with_trap("__iter__", dict),
    "str whose __str__ raises": _with_trap("__str__", str),
    "exception whose __str__ raises": _with_trap("__str__", Exception),
    "model whose model_dump raises": _with_trap("model_dump"),
    "cyclic list": _cyclic_list,
    "cyclic object": _cyclic_object,
    "5000-deep list": lambda: _deep(lambda value: [value]),
    "5000-deep dict": lambda: _deep(lambda value: {"k": value}),
    "5000-deep tuple": lambda: _deep(lambda value: (value,)),
    "5000-deep object": lambda: _deep(lambda value: types.SimpleNamespace(v=value)),
    "dead weak proxy": _dead_proxy,
    "endless __repr__": _endless_repr,
    "endless __getattr__": _endless_getattr,
    "class of a hostile metaclass": lambda: HostileMeta("Hostile", (), {}),
    "instance of a hostile metaclass": lambda: HostileMeta("Hostile", (), {})(),
    "half-made dataclass": lambda: HalfMade.__new__(HalfMade),
    "mock": mock.MagicMock,
    "int of 10,000 digits": lambda: 10**10_000,
    "lone surrogate": lambda: "\ud800",
    "dict with odd keys": lambda: {1: 1, None: 2, (1, 2): 3, b"b": 4, "\udfff": 5, object(): 6},
    "lock": threading.Lock,
    "module": lambda: types,
    "frame": lambda: sys._getframe(),
    "closed file": lambda: contextlib.closing(io.StringIO()).__enter__().close() or io.StringIO(),
}


@same_as_undecorated
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_value_never_raises_into_user_code(trace: Trace, kind: str) -> Any:
    """Whatever passes as argument, default, item, result, yield or error arrives as it is."""
    value = HOSTILE[kind]()
    error = ValueError(value)

    @trace
    def function(x: Any, *rest: Any, default: Any = value, **extra: Any) -> Any:
        return x

    @trace
    def nested(x: Any) -> Any:
        return [x, {"x": x}]

    @trace
    async def coroutine(x: Any) -> Any:
        return x

    @trace
    def generator(x: Any) -> Any:
        yield x

    @trace
    def fail(x: Any) -> Any:
        raise error

    async def awaited() -> Any:
        return await coroutine(value)

    return [
        function(value, value, extra=value) is value,
        nested([value])[1]["x"][0] is value,
        asyncio.run(awaited()) is value,
        next(generator(value)) is value,
        caught(fail, value) is error,
    ]


@same_as_undecorated
@pytest.mark.parametrize("trap", ["__str__", "__repr__", "__class__", "__getattribute__", "__eq__"])
def test_hostile_exception_is_raised_unchanged(trace: Trace, trap: str) -> Any:
    """An exception that cannot be shown, or asked for its class, still reaches the caller as
    itself."""
    error = _with_trap(trap, Exception)()

    @trace
    def fail() -> Any:
        raise error

    @trace
    def stream() -> Any:
        yield 1
        raise error

    return caught(fail) is error, caught(list, stream()) is error


# ---- exactly once --------------------------------------------------------------------------------


@same_as_undecorated
@pytest.mark.parametrize("error", [RuntimeError, TypeError, ValueError, AttributeError])
def test_function_runs_exactly_once(trace: Trace, error: type[Exception]) -> Any:
    """A function runs once for each call, also when what it raises looks like an error of the
    tracer."""
    runs: list[str] = []

    @trace
    def function() -> Any:
        runs.append("function")
        raise error("Tracer error: honeytrace could not start a session")

    @trace
    async def coroutine() -> Any:
        runs.append("coroutine")
        raise error("Tracer error: honeytrace could not start a session")

    @trace
    def generator() -> Any:
        runs.append("generator")
        yield 1
        raise error("Tracer error: honeytrace could not start a session")

    return (
        raised(function),
        raised(lambda: asyncio.run(coroutine())),
        raised(lambda: list(generator())),
        runs,
    )


def test_one_call_is_one_session(sessions: Any) -> None:
    """A method that is reached through class, instance and super() is recorded once for each
    call."""

    class Base:
        @trace_session
        def m(self) -> str:
            return "base"

    class Derived(Base):
        @trace_session
        def m(self) -> str:
            return "derived " + super().m()

    assert Derived().m() == "derived base"
    assert Base.m(Derived()) == "base"
    assert [s.session_name for s in sessions] == ["Base.m", "Derived.m", "Base.m"]
    assert sessions[1].children_ids == [sessions[0].session_id]


# ---- above and below staticmethod and classmethod ------------------------------------------------


@same_as_undecorated
@both_orders
def test_staticmethod_and_classmethod(trace: Trace, order: str) -> Any:
    """In either order they bind as undecorated: through class, instance, subclass and super()."""

    class Base:
        @stacked(trace, staticmethod, order)
        def static(a: int, b: int = 2) -> Any:  # noqa: N805 - a static method, either way
            return a, b

        @stacked(trace, classmethod, order)
        def made_by(cls, a: int = 1) -> Any:  # noqa: N805 - a class method, either way
            return cls.__name__, a

    class Derived(Base):
        @stacked(trace, classmethod, order)
        def made_by(cls, a: int = 3) -> Any:  # noqa: N805 - a class method, either way
            return "derived", super().made_by(a)

    return (
        [owner.static(1) for owner in (Base, Base(), Derived, Derived())],
        [owner.static(a=1, b=3) for owner in (Base, Derived())],
        [owner.made_by() for owner in (Base, Base(), Derived, Derived())],
        [owner.made_by(a=5) for owner in (Base, Derived())],
        raised(Base.static),
        [Derived.made_by.__self__ is Derived, Base().made_by.__self__ is Base],
        [(a.name, a.kind, a.defining_class.__name__) for a in public_attributes(Derived)],
    )


@same_as_undecorated
@both_orders
@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
def test_static_and_class_methods_of_other_kinds(trace: Trace, order: str, kind: str) -> Any:
    """Class methods that are coroutines or generators keep their kind and their class."""

    async def coroutine(cls: Any, a: int) -> Any:
        return cls.__name__, a

    def generator(cls: Any, a: int) -> Any:
        yield cls.__name__, a

    async def async_generator(cls: Any, a: int) -> Any:
        yield cls.__name__, a

    function = {"coroutine": coroutine, "generator": generator}.get(kind, async_generator)

    class Base:
        m = stacked(trace, classmethod, order)(function)
        s = stacked(trace, staticmethod, order)(function)

    class Derived(Base): ...

    flags = [flag(f) for f in (Base.m, Derived().m, Base.s) for flag in FLAGS]
    return flags, drained(Derived().m(1)), drained(Base.m(a=2)), drained(Derived.s(int, 3))


# ---- whole classes -------------------------------------------------------------------------------


def a_whole_class(trace: Trace) -> Any:  # noqa: C901 - it counts the methods of the class
    @trace
    class Ledger:
        """Entries and their sum."""

        unit: str = "EUR"
        factory = dict
        show = print
        half = staticmethod(functools.partial(operator.mul, 0.5))

        def __init__(self, *entries: int) -> None:
            self.entries = list(entries)

        def __repr__(self) -> str:
            return f"Ledger{self.entries}"

        def add(self, entry: int, *, twice: bool = False) -> Any:
            """Add an entry."""
            self.entries += [entry] * (2 if twice else 1)
            return self

        async def settle(self) -> int:
            return self._sum()

        def each(self) -> Iterator[int]:
            yield from self.entries

        async def each_later(self) -> AsyncIterator[int]:
            for entry in self.entries:
                yield entry

        @staticmethod
        def cents(amount: int) -> int:
            return amount * 100

        @classmethod
        def of(cls, *entries: int) -> Any:
            return cls(*entries)

        @property
        def total(self) -> int:
            return self._sum()

        @functools.cached_property
        def first(self) -> int:
            return self.entries[0]

        def _sum(self) -> int:
            return sum(self.entries)

        class Entry:
            """A nested class is left alone."""

            def value(self) -> int:
                return 1

    return Ledger


@same_as_undecorated
def test_whole_class_behaves(trace: Trace) -> Any:
    """Every kind of method of a decorated class works through class, instance and subclass."""
    ledger_class = a_whole_class(trace)

    class Child(ledger_class):
        def add(self, entry: int, *, twice: bool = False) -> Any:
            return super().add(entry + 1, twice=twice)

    ledger, child = ledger_class.of(1, 2), Child.of(3)
    return (
        ledger.add(3, twice=True).entries,
        child.add(4).entries,
        drained(ledger.settle()),
        drained(ledger.each()),
        drained(child.each_later()),
        [owner.cents(2) for owner in (ledger_class, ledger, Child, child)],
        type(child) is Child,
        (ledger.total, ledger.first, vars(ledger), repr(child)),
        raised(setattr, ledger, "total", 1),
        (ledger.half(4), ledger.factory is dict, ledger_class.show is print),
        ledger_class.Entry().value(),
        raised(ledger.add),
    )


@same_as_undecorated(silent=True)
def test_whole_class_stays_itself(trace: Trace) -> Any:
    """A decorated class is the same object, with the same attributes, help and signature."""
    made = a_whole_class(lambda cls: cls)
    ledger_class = trace(made)
    child = type("Child", (ledger_class,), {})()
    return (
        ledger_class is made,
        sorted(vars(ledger_class)),
        [(a.name, a.kind) for a in public_attributes(ledger_class)],
        [base.__name__ for base in ledger_class.__mro__],
        [isinstance(child, ledger_class), issubclass(type(child), ledger_class)],
        attempt(inspect.signature, ledger_class),
        attempt(pydoc.plain, pydoc.render_doc(ledger_class)),
        attempt(inspect.getsource, ledger_class),
        typing.get_type_hints(ledger_class),
        [ledger_class.add is ledger_class.add, ledger_class.add.__qualname__],
        [copy.copy(ledger_class) is ledger_class, repr(copy.deepcopy(ledger_class(1, [2])))],
    )


def test_whole_class_records_public_methods(sessions: Any) -> None:
    """Public methods are recorded under their qualified name, `self` and `cls` left out of the
    inputs."""
    ledger_class = a_whole_class(trace_session)
    ledger = ledger_class.of(1, 2)
    ledger.add(3)
    ledger_class.cents(2)
    assert drained(ledger.settle()) == 6
    assert [s.session_name.rpartition(".")[2] for s in sessions] == ["of", "add", "cents", "settle"]
    assert all(s.session_name.startswith("Ledger.") for s in sessions)
    assert [s.inputs for s in sessions] == [
        {"entries": [1, 2]},
        {"entry": 3, "twice": False},
        {"amount": 2},
        {},
    ]


def test_decorated_method_of_a_decorated_class_is_recorded_once(sessions: Any) -> None:
    """A method decorated by itself in a decorated class keeps its own name, and subclasses add
    nothing."""

    @trace_session
    class Base:
        @trace_session("chosen")
        def m(self) -> int:
            return 1

        def inherited(self) -> int:
            return 2

    @trace_session
    class Derived(Base):
        def own(self) -> int:
            return 3

    derived = Derived()
    assert [derived.m(), derived.inherited(), derived.own()] == [1, 2, 3]
    assert [s.session_name for s in sessions] == ["chosen", "Base.inherited", "Derived.own"]


T = TypeVar("T")


def _dataclass(trace: Trace) -> Any:
    @trace
    @dataclasses.dataclass(order=True, frozen=True)
    class Point:
        x: int
        y: int = 0

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point


def _dataclass_above(trace: Trace) -> Any:
    @dataclasses.dataclass(order=True, frozen=True)
    @trace
    class Point:
        x: int
        y: int = 0

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point


def _slotted(trace: Trace) -> Any:
    @trace
    class Point:
        __slots__ = ("x", "y")

        def __init__(self, x: int, y: int = 0) -> None:
            self.x, self.y = x, y

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point


def _slotted_dataclass(trace: Trace) -> Any:
    @trace
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int
        y: int = 0

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point


def _named_tuple(trace: Trace) -> Any:
    @trace
    class Point(NamedTuple):
        x: int
        y: int = 0

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point


def _generic(trace: Trace) -> Any:
    @trace
    class Point(Generic[T]):
        def __init__(self, x: int, y: int = 0) -> None:
            self.x, self.y = x, y

        def norm(self) -> int:
            return self.x**2 + self.y**2

    return Point[int]


CLASSES = [_dataclass, _dataclass_above, _slotted, _slotted_dataclass, _named_tuple, _generic]


@same_as_undecorated
@pytest.mark.parametrize("make", CLASSES)
def test_whole_classes_of_every_make(trace: Trace, make: Callable[[Trace], Any]) -> Any:
    """Dataclasses, slots, named tuples and generics are as undecorated when their class is
    recorded."""
    point_class = make(trace)
    point = point_class(3, y=4)
    return (
        point.norm(),
        (point.x, point.y),
        attempt(repr, point),
        attempt(inspect.signature, point_class),
        attempt(lambda: point == point_class(3, 4)),
        attempt(lambda: point < point_class(3, 5)),
        attempt(lambda: hash(point) == hash(point_class(3, 4))),
        attempt(lambda: copy.deepcopy(point).norm()),
        attempt(lambda: [f.name for f in dataclasses.fields(point)]),
        attempt(lambda: dataclasses.asdict(dataclasses.replace(point, x=5))),
        attempt(lambda: point_class.__slots__),
        attempt(lambda: setattr(point, "z", 1)),
        attempt(lambda: point_class.__match_args__),
        raised(point_class),
    )


@same_as_undecorated
def test_enum_class(trace: Trace) -> Any:
    """An Enum keeps its members, their identity and their methods."""

    @trace
    class Color(enum.Enum):
        RED = 1
        BLUE = 2

        def describe(self) -> str:
            return f"{self.name} is {self.value}"

    red_again = (
        Color(1) is Color.RED,
        Color["RED"] is Color.RED,
        copy.deepcopy(Color.RED) is Color.RED,
    )
    return [c.describe() for c in Color], list(Color.__members__), red_again


@same_as_undecorated
def test_abstract_class(trace: Trace) -> Any:
    """An abstract class stays abstract, its subclasses concrete, and virtual subclasses
    registered."""

    @trace
    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

        def twice(self) -> float:
            return 2 * self.area()

    class Square(Shape):
        def area(self) -> float:
            return 4.0

    @Shape.register
    class Virtual: ...

    return (
        Shape.__abstractmethods__,
        raised(Shape),
        Square().twice(),
        isinstance(Virtual(), Shape),
        inspect.isabstract(Shape),
    )


@same_as_undecorated
def test_protocol_class(trace: Trace) -> Any:
    """A runtime-checkable Protocol whose methods are recorded still checks instances."""

    @trace
    @runtime_checkable
    class Closes(Protocol):
        def close(self) -> str: ...

    class Door:
        @trace
        def close(self) -> str:
            return "closed"

    class Explicit(Closes):
        def close(self) -> str:
            return "explicitly"

    answers = [isinstance(thing, Closes) for thing in (Door(), Explicit(), 1, io.StringIO())]
    return answers, Door().close(), Explicit().close(), raised(Closes)


# ---- traceback frames ----------------------------------------------------------------------------


def _frames(error: BaseException) -> list[str]:
    modules, traceback = [], error.__traceback__
    while traceback is not None:
        modules.append(traceback.tb_frame.f_globals["__name__"].partition(".")[0])
        traceback = traceback.tb_next
    return modules


def _failing(trace: Trace) -> dict[str, Callable[[], Any]]:
    """One failing call of each kind."""

    @trace
    def function() -> Any:
        raise ValueError("v")

    @trace
    async def coroutine() -> Any:
        raise ValueError("v")

    @trace
    def generator() -> Any:
        yield 1
        raise ValueError("v")

    @trace
    async def async_generator() -> Any:
        yield 1
        raise ValueError("v")

    class Box:
        @trace
        def method(self) -> Any:
            raise ValueError("v")

        @trace
        @staticmethod
        def static() -> Any:
            raise ValueError("v")

        @trace
        @classmethod
        def of_class(cls) -> Any:
            raise ValueError("v")

    @trace
    class Whole:
        def method(self) -> Any:
            raise ValueError("v")

    def thrown() -> Any:
        items = generator()
        next(items)
        items.throw(ValueError("v"))

    return {
        "function": function,
        "coroutine": lambda: asyncio.run(coroutine()),
        "generator": lambda: list(generator()),
        "thrown into a generator": thrown,
        "async generator": lambda: drained(async_generator()),
        "method": Box().method,
        "staticmethod": Box.static,
        "classmethod": Box.of_class,
        "whole class": Whole().method,
        "lambda": trace(lambda: 1 / 0),
        "partial": trace(functools.partial(operator.truediv, 1, 0)),
        "wrong call": lambda: function("one too many"),
    }


@pytest.mark.parametrize("kind", _failing(undecorated))
def test_traceback_has_at_most_one_frame_of_ours(sessions: Any, kind: str) -> None:
    """The traceback that the user sees is the undecorated one plus at most one frame."""
    plain = _frames(caught(_failing(undecorated)[kind]))
    traced = _frames(caught(_failing(trace_session)[kind]))
    assert [module for module in traced if module not in ("honeytrace", "wrapt")] == plain
    assert len(traced) - len(plain) <= 1


def test_with_block_adds_no_frame(sessions: Any) -> None:
    """An error that leaves a with-block shows no frame of ours."""

    def block() -> None:
        with session("block"):
            raise ValueError("v")

    async def async_block() -> None:
        async with session("block"):
            raise ValueError("v")

    assert "honeytrace" not in _frames(caught(block))
    assert "honeytrace" not in _frames(caught(lambda: asyncio.run(async_block())))
    assert [s.error for s in sessions] == ["ValueError: v"] * 2


# ---- context managers; manual start and end; what a call costs -----------------------------------


def test_with_block_sync_and_async(sessions: Any) -> None:
    """`with` and `async with` record one session each, nest, and restore what was current."""

    async def main() -> None:
        async with session("async", inputs={"a": 1}) as outer:
            assert current_session() is outer
            with session("sync") as inner:
                inner.outputs = {"b": 2}
                assert current_session() is inner
            assert current_session() is outer
        assert not current_session()

    asyncio.run(main())
    inner, outer = sessions
    assert (outer.session_name, outer.inputs, outer.children_ids) == (
        "async",
        {"a": 1},
        [inner.session_id],
    )
    assert (inner.session_name, inner.outputs, inner.parent_id) == (
        "sync",
        {"b": 2},
        outer.session_id,
    )


def test_manual_start_and_end(sessions: Any) -> None:
    """A session may begin in one function and end in another, by hand or on an ExitStack."""
    stack, by_hand = contextlib.ExitStack(), session("by hand")

    def begin() -> Any:
        stack.enter_context(session("stacked"))
        return by_hand.__enter__()

    def end() -> None:
        by_hand.__exit__(None, None, None)
        stack.close()

    assert begin() is current_session()
    end()
    assert [s.session_name for s in sessions] == ["by hand", "stacked"]


@pytest.mark.parametrize("error", [None, ValueError("v"), KeyboardInterrupt(), StopIteration(1)])
def test_with_block_lets_errors_through(sessions: Any, error: BaseException | None) -> None:
    """A with-block neither swallows nor changes what leaves it."""

    def block() -> None:
        with session("block"):
            if error is not None:
                raise error

    assert (caught(block) if error else block()) is error
    assert not current_session()


def _python_calls(call: Callable[[], Any]) -> int:
    events: list[str] = []
    call()  # what happens on first use only does not count
    sys.setprofile(lambda frame, event, arg: events.append(event))
    try:
        call()
    finally:
        sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in events)


@pytest.mark.parametrize(("recording", "bound"), [(True, 100), (False, 4)])
def test_cost_of_a_call_counted_in_calls(sessions: Any, recording: bool, bound: int) -> None:
    """A tiny call costs a bounded number of calls, `capture`'s included; not recorded, next to
    none."""

    def tiny(a: int) -> int:
        return a

    traced = trace_session(tiny)
    with contextlib.nullcontext() if recording else honeytrace.paused():
        extra = _python_calls(lambda: traced(1)) - _python_calls(lambda: tiny(1))
    assert extra <= bound
    assert len(sessions) == (2 if recording else 0)
