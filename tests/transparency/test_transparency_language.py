"""The conformance suite, part two: one feature of the language after another, as undecorated.

Most tests are scenarios, run undecorated and traced, that must see the same (see `twins.py`); tests
that take `sessions` say what was recorded meanwhile.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import copy
import doctest
import functools
import gc
import inspect
import logging
import math
import operator
import pickle
import pydoc
import sys
import threading
import types
import typing
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any
from unittest import mock

import pytest

import spawned
from honeytrace import current_session, session, trace_session
from twins import (
    KINDS,
    SHARED,
    Trace,
    a_coroutine_function,
    a_function,
    a_generator_function,
    an_async_generator_function,
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
)

sessions = pytest.fixture(recorded)

# ---- what a function says about itself -----------------------------------------------------------

ATTRIBUTES = """
    __name__ __qualname__ __module__ __doc__ __defaults__ __kwdefaults__ __annotations__
    __func__.__name__ tag
"""

SELF_DESCRIPTION: dict[str, Callable[[Any], Any]] = {
    **{name: operator.attrgetter(name) for name in ATTRIBUTES.split()},
    "__type_params__": lambda f: getattr(f, "__type_params__", ()),
    "__dict__": lambda f: {k: v for k, v in vars(f).items() if not k.startswith("__")},
    "__code__": lambda f: inspect.unwrap(f).__code__,
    "dir": lambda f: [name for name in dir(f) if name not in ("__wrapped__", "__signature__")],
    "repr": repr,
    "help": lambda f: pydoc.plain(pydoc.render_doc(f)),
    "type hints": typing.get_type_hints,
    "documentation": inspect.getdoc,
    "comments": inspect.getcomments,
    "source": inspect.getsource,
    "source lines": inspect.getsourcelines,
    "module": inspect.getmodule,
    "unhashable default": lambda f: f.__kwdefaults__["key"] is SHARED,
    "hash": lambda f: hash(f) == hash(f),
    "equality": lambda f: [f == f, f != f, f == len],
    "weak": lambda f: weakref.ref(f)() is f,
    "weak key": lambda f: list(weakref.WeakKeyDictionary({f: 1}).values()),
    "copy": lambda f: copy.copy(f) == f,
    "deep copy": lambda f: copy.deepcopy([f, {"f": f}])[0] is f,
    "truth": bool,
}


@same_as_undecorated(silent=True)
@every_kind
def test_self_description(trace: Trace, kind: str) -> Any:
    """Names, documentation, defaults, annotations, help, source and identity read as
    undecorated."""
    subject = KINDS[kind](trace)
    return {name: attempt(probe, subject) for name, probe in SELF_DESCRIPTION.items()}


@pytest.mark.parametrize(
    "make", [a_function, a_coroutine_function, a_generator_function, an_async_generator_function]
)
def test_wrapped_is_the_function_itself(make: Callable[[Trace], Any]) -> None:
    """`__wrapped__` is the undecorated function, one step away."""
    originals = []

    def keeping(function: Any) -> Any:
        originals.append(function)
        return trace_session(function)

    assert make(keeping).__wrapped__ is originals[0]


@same_as_undecorated(silent=True)
def test_function_attributes(trace: Trace) -> Any:
    """Attributes set before and after decorating are there, can be changed, and can be deleted."""

    def function() -> None: ...

    function.before = [1]
    kept = function.before
    decorated = trace(function)
    decorated.after = 2
    decorated.__doc__ = "written later"
    seen = [decorated.before is kept, decorated.after, decorated.__doc__]
    del decorated.after
    return seen, hasattr(decorated, "after"), raised(getattr, decorated, "missing")


@same_as_undecorated(silent=True)
def test_doctests_are_found(trace: Trace) -> Any:
    """doctest finds and runs the examples of a decorated function."""
    found = doctest.DocTestFinder().find(a_function(trace), "subject", module=sys.modules[__name__])
    results = [
        doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None) for test in found
    ]
    return [(test.name, len(test.examples)) for test in found], results


@same_as_undecorated
@every_kind
def test_wrong_calls_raise_the_same_error_at_the_call(trace: Trace, kind: str) -> Any:
    """A call that does not fit raises the same TypeError, at the call, not at first use of its
    result."""
    subject = KINDS[kind](trace)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((), {"a": 1}),
        ((1, 2, 3, 4, 5, 6), {"nope": 1}),
        ((1,), {"b": 2, "nope": 3}),
        ((1, 2), {"b": 3}),
        (("self", 1, 2, 3), {}),
    ]

    def outcome(args: Any, kwargs: Any) -> Any:
        try:
            result = subject(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return repr(drained(result))

    subject_is_callable_at_all = drained(subject(*((None,) if "unbound" in kind else ()), 1))
    return subject_is_callable_at_all, [outcome(*call) for call in calls]


@same_as_undecorated
def test_mutable_default_is_the_functions_own(trace: Trace) -> Any:
    """A mutable default is one object over all calls, and the one in `__defaults__`."""

    @trace
    def remember(item: int, seen: list[int] = []) -> list[int]:  # noqa: B006 - it is the point
        seen.append(item)
        return seen

    return remember(1) is remember(2), remember(3), remember.__defaults__[0] is remember(4)


@same_as_undecorated
@every_kind
def test_autospec(trace: Trace, kind: str) -> Any:
    """`mock.create_autospec` refuses the same wrong calls and gives the same kind of mock."""
    spec = mock.create_autospec(KINDS[kind](trace))
    subject = KINDS[kind](trace)
    drained(subject(*((None,) if "unbound" in kind else ()), 1))
    wrong = raised(lambda: drained(spec(nope=1)))  # a mock coroutine may refuse when awaited
    return wrong[:2], asyncio_says_coroutine_function(spec), callable(spec)


# ---- binding -------------------------------------------------------------------------------------


@same_as_undecorated
def test_binding(trace: Trace) -> Any:
    """A decorated function binds by hand, late, into a class and onto an instance as any
    function."""

    @trace
    def f(self: Any, a: int = 1) -> Any:
        return type(self).__name__, a

    class Box:
        first = f
        second = f

    class Sub(Box): ...

    box, other, sub = Box(), Box(), Sub()
    box.attached = f  # type: ignore[attr-defined]
    Box.late = f  # type: ignore[attr-defined]
    return (
        f.__get__(box)(2),
        f.__get__(box, Box)(a=3),
        types.MethodType(f, sub)(4),
        [box.first(), sub.second(5), Box.first(sub), Box.__dict__["second"](box)],
        [box.attached(None), box.late()],  # type: ignore[attr-defined]
        [Box.first is f, Box.first is Box.second, Box.__dict__["first"] is f],
        [box.first == box.first, box.first == other.first, box.first == box.second],
        [hash(box.first) == hash(box.first), len({box.first, box.first, other.first})],
        [box.first.__self__ is box, box.first.__func__ is f, inspect.ismethod(box.first)],
        weakref.WeakMethod(box.first)() == box.first,
        attempt(repr, box.first),
        raised(lambda: Box.first()),
    )


@same_as_undecorated
def test_private_names_and_special_methods(trace: Trace) -> Any:  # noqa: C901 - many methods
    """Mangled names, `__class__` cells and special methods work when they are decorated one by
    one."""

    class Base:
        @trace
        def __new__(cls, *args: Any) -> Any:
            return super().__new__(cls)

        @trace
        def __init__(self, value: int) -> None:
            self.__value = value

        @trace
        def __private(self) -> int:
            return self.__value

        @trace
        def __call__(self, extra: int) -> int:
            return self.__private() + extra

        @trace
        def __getattr__(self, name: str) -> str:
            if name.startswith("__"):
                raise AttributeError(name)
            return f"no {name}"

        @trace
        def __eq__(self, other: object) -> Any:
            return isinstance(other, Base) or NotImplemented

        @trace
        def __hash__(self) -> int:
            return 1

        @trace
        def __iter__(self) -> Iterator[int]:
            yield self.__value

        @trace
        def __enter__(self) -> Any:
            return __class__

        @trace
        def __exit__(self, *error: Any) -> bool:
            return error[0] is KeyError

        @trace
        def __repr__(self) -> str:
            return f"Base({self.__value})"

        @trace
        def __bool__(self) -> bool:
            return False

    class Sub(Base):
        @trace
        def __init_subclass__(cls, **kwargs: Any) -> None:
            cls.announced = kwargs

        @trace
        def __class_getitem__(cls, item: Any) -> Any:
            return cls.__name__, item

    class Leaf(Sub, flag=1): ...

    base = Base(1)
    with base as entered:
        raise KeyError("swallowed")
    return (
        [base(2), base.anything, base == Leaf(3), base == 1, hash(base), list(base), repr(base)],
        [entered is Base, bool(base), Leaf.announced, Leaf["x"]],  # type: ignore[attr-defined]
    )


@same_as_undecorated
@both_orders
def test_property(trace: Trace, order: str) -> Any:
    """A property stays a property, setter and deleter included, above or below."""

    class Box:
        _x = 1

        @stacked(trace, property, order)
        def x(self) -> int:
            """The x."""
            return self._x

        @x.setter
        def x(self, value: int) -> None:
            self._x = value

        @x.deleter
        def x(self) -> None:
            self._x = 0

        @stacked(trace, property, order)
        def read_only(self) -> int:
            raise AttributeError("from inside")

    box = Box()
    seen = [box.x]
    box.x = 5
    seen.append(box.x)
    del box.x
    return (
        [*seen, box.x],
        isinstance(Box.x, property),
        inspect.getdoc(Box.x),
        raised(lambda: box.read_only),
        raised(setattr, box, "read_only", 1),
        [(a.name, a.kind) for a in public_attributes(Box)],
    )


@same_as_undecorated
@both_orders
@pytest.mark.parametrize("kind", ["method", "property", "classmethod", "staticmethod"])
def test_abstractmethod(trace: Trace, order: str, kind: str) -> Any:
    """What is abstract stays abstract, above or below."""
    descriptors: dict[str, Any] = {"method": lambda f: f, "property": property}
    descriptors |= {"classmethod": classmethod, "staticmethod": staticmethod}
    descriptor = descriptors[kind]

    class Base(abc.ABC):  # noqa: B024 - they are made abstract by call
        area = stacked(trace, lambda f: descriptor(abc.abstractmethod(f)), order)(
            lambda self=None: "base"
        )
        below = descriptor(abc.abstractmethod(trace(lambda self=None: "base")))

    class Concrete(Base):
        area = below = descriptor(trace(lambda self=None: "concrete"))

    concrete = Concrete()
    values = concrete.area if kind == "property" else concrete.area()
    return Base.__abstractmethods__, raised(Base), values


# ---- exceptions ----------------------------------------------------------------------------------


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


# ---- generators ----------------------------------------------------------------------------------


@same_as_undecorated
def test_generator_is_lazy_and_tells_its_state(trace: Trace) -> Any:
    """No line of the body runs before the first `next`, and `inspect` tells the same states."""
    log = []

    @trace
    def stream() -> Any:
        log.append("started")
        try:
            yield inspect.getgeneratorstate(items)
        finally:
            log.append("finally")

    items = stream()
    states = [list(log), inspect.getgeneratorstate(items), next(items)]
    states += [inspect.getgeneratorstate(items), items.gi_running, items.gi_frame is None]
    items.close()
    states += [inspect.getgeneratorstate(items), items.gi_frame is None, list(items)]
    return states, log


@same_as_undecorated
def test_generator_dropped_early(trace: Trace) -> Any:
    """`break`, `del` and a consumer's exception run the generator's `finally` at the same
    moment."""
    log: list[str] = []

    @trace
    def stream(name: str) -> Any:
        try:
            yield 1
            yield 2
        finally:
            log.append(name)

    for _ in stream("broken off"):
        break
    log.append("after the loop")
    items = stream("deleted")
    next(items)
    del items
    log.append("after del")

    def consume() -> None:
        for item in stream("consumer failed"):
            raise ValueError(item)

    return raised(consume), log


@same_as_undecorated(silent=True)
def test_generator_never_started(trace: Trace) -> Any:
    """A generator that is dropped, closed or thrown into before its start runs no line of its
    body."""
    log: list[str] = []

    @trace
    def stream() -> Any:
        log.append("started")
        yield

    stream()
    closed, thrown = stream(), stream()
    closed.close()
    answers = raised(thrown.throw, ValueError("v")), raised(next, thrown), raised(next, closed)
    return log, answers, raised(stream().send, "too early")


@same_as_undecorated
def test_generator_misuse(trace: Trace) -> Any:
    """Re-entering, ignoring close and leaking StopIteration raise what they raise undecorated."""

    @trace
    def reentrant() -> Any:
        yield 1
        yield next(again)

    @trace
    def stubborn() -> Any:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    @trace
    def leaking() -> Any:
        yield next(iter([]))

    again, deaf = reentrant(), stubborn()
    seen = [next(again), raised(next, again), next(deaf), raised(deaf.close)]
    deaf_ends = caught(deaf.throw, ValueError("enough"))
    return seen, parts(deaf_ends), raised(list, leaking())


@same_as_undecorated
def test_generator_close_and_throw(trace: Trace) -> Any:
    """`close` gives what it gives, an error raised while closing comes out, `throw` takes a bare
    type."""

    @trace
    def stream(on_close: BaseException | None) -> Any:
        try:
            yield 1
        except GeneratorExit:
            if on_close is not None:
                raise on_close from None
            return 7

    def closed(items: Any) -> Any:
        next(items)
        return items.close()

    bare = stream(None)
    next(bare)
    return (
        closed(stream(None)),
        raised(closed, stream(KeyError("while closing"))),
        raised(bare.throw, LookupError),
        raised(bare.throw, LookupError("again")),
    )


@same_as_undecorated
def test_yield_from_a_traced_generator(trace: Trace) -> Any:
    """`yield from` forwards values, errors and the result through several traced generators."""

    @trace
    def inner() -> Any:
        received = []
        for _ in range(3):
            with contextlib.suppress(KeyError):
                received.append((yield len(received)))
        return received

    @trace
    def middle() -> Any:
        return ("middle", (yield from inner()))

    def outer() -> Any:
        return ("outer", (yield from middle()))

    items = outer()
    seen = [next(items), items.send("a"), items.throw(KeyError("b"))]
    return seen, caught(items.send, "c").value  # type: ignore[attr-defined]  # StopIteration


@same_as_undecorated
def test_generator_read_by_several_threads(trace: Trace) -> Any:
    """Each item may be taken by another thread, and the last by none."""

    @trace
    def stream() -> Any:
        for number in range(3):
            yield number, threading.current_thread().name.split("_")[0]

    items = stream()
    seen = [next(items)]
    with ThreadPoolExecutor(1, "a") as a, ThreadPoolExecutor(1, "b") as b:
        seen += [a.submit(next, items).result(), b.submit(next, items).result()]
        a.submit(items.close).result()
    return [number for number, _ in seen], [name for _, name in seen[1:]], list(items)


@same_as_undecorated
def test_interleaved_generators(trace: Trace) -> Any:
    """Generators advanced in turns, and closed in the order of their start, do not disturb one
    another."""

    @trace
    def stream(name: str) -> Any:
        for number in range(3):
            yield name, number

    a, b, c = stream("a"), stream("b"), stream("c")
    seen = [next(a), next(b), next(c), next(a), next(b)]
    a.close()
    return seen, list(b), list(c), list(zip(stream("d"), stream("e"), strict=True))


def test_sessions_of_interleaved_generators_do_not_mix(sessions: Any) -> None:
    """What runs in one of several open generators becomes a child of that generator alone."""

    @trace_session
    def leaf(name: str) -> None: ...

    @trace_session
    def stream(name: str) -> Iterator[None]:
        for _ in range(2):
            leaf(name)
            yield

    with session("consumer") as consumer:
        for _ in zip(stream("a"), stream("b"), strict=True):
            assert current_session() is consumer
    streams = sessions.by_name("stream")
    for parent in streams:
        inside = [s for s in sessions.by_name("leaf") if s.inputs == parent.inputs]
        assert parent.children_ids == [s.session_id for s in inside]
    assert len(streams) == 2
    assert set(sessions.by_name("consumer")[0].children_ids) == {s.session_id for s in streams}


# ---- coroutines and asynchronous generators ------------------------------------------------------


@same_as_undecorated
def test_coroutine_driven_by_hand(trace: Trace) -> Any:
    """A coroutine starts at its first `send`, suspends, takes errors, closes, and tells its
    state."""

    @types.coroutine
    def suspend(value: Any) -> Any:
        return (yield value)

    log: list[Any] = []

    @trace
    async def steps() -> Any:
        log.append("started")
        try:
            log.append(await suspend(1))
            log.append(await suspend(2))
        except KeyError:
            return "caught"
        finally:
            log.append("finally")

    one, two, three = steps(), steps(), steps()
    states = [list(log), inspect.getcoroutinestate(one), one.send(None)]
    states += [inspect.getcoroutinestate(one), one.send("x"), raised(one.throw, KeyError("k"))]
    states += [inspect.getcoroutinestate(one), raised(one.send, None)]
    states += [two.send(None), two.close(), raised(two.send, None)]
    three.close()
    return states, log, [one.__name__, one.__qualname__, one.cr_frame is None]


@same_as_undecorated(silent=True)
def test_never_awaited_coroutine_warns(trace: Trace) -> Any:
    """A coroutine that nobody awaits gives the one RuntimeWarning that it gives undecorated."""

    @trace
    async def forgotten() -> None: ...

    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        forgotten()
        gc.collect()
    return [(w.category, str(w.message)) for w in caught_warnings]


@same_as_undecorated
async def test_cancellation(trace: Trace) -> Any:
    """Cancelling reaches the coroutine, keeps its message, may be refused, and ends the task
    cancelled."""
    log: list[Any] = []
    forever = asyncio.Event()

    @trace
    async def wait(name: str, refuse: bool = False) -> Any:
        log.append(f"{name} waits")
        started.set()
        try:
            await forever.wait()
        except asyncio.CancelledError as error:
            log.append((name, error.args))
            if refuse:
                return "refused"
            raise

    tasks = []
    for name, refuse in (("a", False), ("b", True)):
        started = asyncio.Event()
        tasks.append(asyncio.create_task(wait(name, refuse)))
        await started.wait()
    for task in tasks:
        task.cancel("because")
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return (
        log,
        [parts(r) if isinstance(r, BaseException) else r for r in results],
        [task.cancelled() for task in tasks],
    )


@same_as_undecorated
async def test_wait_for_time_out(trace: Trace) -> Any:
    """`asyncio.wait_for` cancels a decorated coroutine, waits for its `finally`, and raises its own
    error."""
    log: list[str] = []

    @trace
    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append("finally")

    error = await caught_async(asyncio.wait_for(forever(), timeout=0.01))
    return isinstance(error, asyncio.TimeoutError), log


@same_as_undecorated
async def test_coroutines_side_by_side(trace: Trace) -> Any:
    """`gather`, `shield`, `to_thread` and futures of decorated coroutines keep order, results and
    errors."""

    @trace
    async def step(n: int) -> int:
        await asyncio.sleep(0)
        if n == 2:
            raise ValueError(n)
        return n

    @trace
    def blocking(n: int) -> int:
        return n * 10

    results = await asyncio.gather(*(step(n) for n in range(4)), return_exceptions=True)
    return (
        [parts(r) if isinstance(r, BaseException) else r for r in results],
        await asyncio.shield(step(5)),
        await asyncio.to_thread(blocking, 6),
        await asyncio.get_running_loop().run_in_executor(None, blocking, 7),
        await asyncio.ensure_future(step(8)),
    )


@same_as_undecorated
async def test_coroutine_iteration_errors(trace: Trace) -> Any:
    """StopIteration and StopAsyncIteration raised inside turn into what they turn into
    undecorated."""

    @trace
    async def coroutine(error: type[BaseException]) -> None:
        raise error("inside")

    @trace
    async def stream(error: type[BaseException]) -> Any:
        yield 1
        raise error("inside")

    found = []
    for error in (StopIteration, StopAsyncIteration):
        items = stream(error)
        found.append([parts(await caught_async(coroutine(error))), await anext(items)])
        found.append([parts(await caught_async(anext(items))), await anext(items, "over")])
    return found


@same_as_undecorated
async def test_async_generator_protocol(trace: Trace) -> Any:
    """`anext`, early `asend`, closing unstarted, twice or while ignored answer as undecorated."""
    log: list[str] = []

    @trace
    async def stream(name: str = "", stubborn: bool = False) -> Any:
        try:
            log.append(f"{name} started")
            yield 1
            yield 2
        except GeneratorExit:
            if not stubborn:
                raise
            yield "ignored"
        finally:
            log.append(f"{name} finally")

    unstarted, items, early, deaf = stream("u"), stream("i"), stream("e"), stream("d", True)
    await unstarted.aclose()
    seen = [await anext(unstarted, "closed"), await anext(items), await anext(items)]
    seen += [await anext(items, "over"), await items.aclose(), await items.aclose()]
    seen += [parts(await caught_async(early.asend("too early"))), await anext(early)]
    seen += [parts(await caught_async(early.athrow(KeyError("k")))), await anext(early, "over")]
    seen += [await anext(deaf), parts(await caught_async(deaf.aclose()))]
    return (
        [*seen, await anext(deaf, "over")],
        log,
        [items.ag_frame is None, items.ag_running, items.__name__],
    )


@same_as_undecorated
async def test_async_generator_abandoned(trace: Trace) -> Any:
    """A stream left by `break` is closed by the event loop, its `finally` awaited, nothing
    logged."""
    done = asyncio.Event()

    @trace
    async def stream() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            done.set()

    async for _ in stream():
        break
    gc.collect()
    await asyncio.wait_for(done.wait(), timeout=30)
    return done.is_set()


@same_as_undecorated
def test_async_generator_open_when_the_loop_shuts_down(trace: Trace) -> Any:
    """A stream held when its loop ends is closed by the loop, once, and nothing is logged."""
    log: list[str] = []

    @trace
    async def stream(name: str) -> Any:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append(name)

    held = [stream("a"), stream("b"), stream("never started")]

    async def main() -> list[int]:
        return [await anext(items) for items in held[:2]]

    return asyncio.run(main()), sorted(log), [items.ag_frame is None for items in held[:2]]


@same_as_undecorated
async def test_async_generator_used_twice_at_once(trace: Trace) -> Any:
    """Two tasks that pull on one stream at once get the error they get undecorated."""
    gate = asyncio.Event()

    @trace
    async def stream() -> Any:
        await gate.wait()
        yield 1

    async def pull() -> Any:
        return await anext(items)

    items = stream()
    first = asyncio.create_task(pull())
    await asyncio.sleep(0)
    error = parts(await caught_async(pull()))
    gate.set()
    return error, await first, await anext(items, "over")


@same_as_undecorated
def test_async_generator_without_an_event_loop(trace: Trace) -> Any:
    """Asynchronous generators are not bound to asyncio: `send` drives them by hand."""

    @types.coroutine
    def suspend(value: Any) -> Any:
        return (yield value)

    @trace
    async def stream() -> Any:
        yield await suspend("suspended")

    items = stream()
    step = items.__anext__()
    return step.send(None), raised(step.send, "resumed"), raised(items.__anext__().send, None)


@same_as_undecorated
def test_types_coroutine(trace: Trace) -> Any:
    """`types.coroutine` above and below gives an awaitable that forwards what is sent."""

    @trace
    @types.coroutine
    def below(value: Any) -> Any:
        return (yield value)

    @types.coroutine
    @trace
    def above(value: Any) -> Any:
        return (yield value)

    async def use() -> Any:
        return [await below(1), await above(2)]

    coro = use()
    steps = [coro.send(None), coro.send("a"), caught(coro.send, "b").value]  # type: ignore[attr-defined]
    return steps, [inspect.isawaitable(f(0)) for f in (below, above)]


# ---- context managers made of generators ---------------------------------------------------------


@same_as_undecorated
@both_orders
def test_contextmanager(trace: Trace, order: str) -> Any:
    """`contextlib.contextmanager` above or below: enters, sees the error, may swallow it,
    decorates."""
    log: list[Any] = []

    @stacked(trace, contextlib.contextmanager, order)
    def managed(swallow: bool = False) -> Any:
        log.append("enter")
        try:
            yield "value"
        except ValueError as error:
            log.append(parts(error))
            if not swallow:
                raise
        finally:
            log.append("exit")

    @managed()
    def inside() -> str:
        return "result"

    def failing(swallow: bool, error: Exception) -> str:
        with managed(swallow):
            raise error
        return "swallowed"

    with managed() as value:
        log.append(value)
    return (
        inside(),
        failing(True, ValueError("v")),
        raised(failing, False, ValueError("v")),
        raised(failing, True, StopIteration("s")),
        raised(failing, True, KeyError("k")),
        log,
    )


@same_as_undecorated
@both_orders
async def test_asynccontextmanager(trace: Trace, order: str) -> Any:
    """`contextlib.asynccontextmanager` above or below behaves the same, cancellation included."""
    log: list[Any] = []

    @stacked(trace, contextlib.asynccontextmanager, order)
    async def managed() -> Any:
        log.append("enter")
        try:
            yield "value"
        finally:
            await asyncio.sleep(0)
            log.append("exit")

    async def fail(error: BaseException) -> None:
        async with managed() as value:
            log.append(value)
            raise error

    errors = ValueError("v"), asyncio.CancelledError("c"), StopAsyncIteration("s")
    return [parts(await caught_async(fail(error))) for error in errors], log


# ---- functools and friends, above and below ------------------------------------------------------


@same_as_undecorated
@both_orders
def test_lru_cache(trace: Trace, order: str) -> Any:
    """A cache above or below computes once, and its info, clear and parameters stay in reach."""
    computed: list[int] = []

    @stacked(trace, functools.lru_cache(maxsize=2), order)
    def square(n: int) -> list[int]:
        """The square."""
        computed.append(n)
        return [n * n]

    same = square(2) is square(2)
    info = square.cache_info(), square.cache_parameters()
    square.cache_clear()
    square(2)

    class Box:
        @stacked(trace, functools.cache, order)
        def m(self, n: int) -> int:
            return n

    box = Box()
    return (
        same,
        info,
        square.cache_info(),
        computed,
        square.__doc__,
        [box.m(1), box.m(1)],
        (Box.m.cache_info().hits),
    )


@same_as_undecorated
@both_orders
def test_cached_property(trace: Trace, order: str) -> Any:
    """A cached property above or below computes once, into the instance, under its own name."""
    computed: list[str] = []

    class Box:
        @stacked(trace, functools.cached_property, order)
        def x(self) -> list[int]:
            """The x."""
            computed.append("x")
            return [1]

    box, other = Box(), Box()
    seen = [box.x is box.x, vars(box), other.x, computed[:]]
    del box.x
    return (
        seen,
        box.x,
        computed,
        isinstance(Box.x, functools.cached_property),
        inspect.getdoc(Box.x),
    )


@same_as_undecorated
@both_orders
def test_singledispatch(trace: Trace, order: str) -> Any:
    """Dispatch above or below goes by type, with `register` and `dispatch` in reach."""

    @stacked(trace, functools.singledispatch, order)
    def show(value: Any) -> str:
        return "object"

    @show.register
    @trace
    def _(value: int) -> str:
        return "int"

    @show.register(list)
    @trace
    def show_list(value: Any) -> str:
        return "list"

    class Box:
        @functools.singledispatchmethod
        @trace
        def m(self, value: Any) -> str:
            return "object"

        @m.register
        @trace
        def _(self, value: str) -> str:
            return "str"

    results = [show(1.5), show(1), show(True), show([])]
    return results, show.dispatch(list) is show_list, [Box().m(1), Box().m("s")], len(show.registry)


@same_as_undecorated
@both_orders
def test_partial(trace: Trace, order: str) -> Any:
    """A partial above or below keeps its arguments, its attributes and its errors."""

    def f(a: int, b: int, *, c: int = 3) -> Any:
        return a, b, c

    p = stacked(trace, lambda function: functools.partial(function, 1, c=4), order)(f)
    attributes = p.args, p.keywords, inspect.signature(p), callable(p.func)
    nested = functools.partial(p, 2)
    return p(2), p(b=2, c=5), nested(), raised(p), attributes


@same_as_undecorated
@both_orders
def test_partialmethod(trace: Trace, order: str) -> Any:
    """A partialmethod above or below binds its instance or its class."""

    class Box:
        def _set(self, a: int, b: int = 2) -> Any:
            return type(self).__name__, a, b

        one = stacked(trace, lambda f: functools.partialmethod(f, 1), order)(_set)
        named = stacked(trace, lambda f: functools.partialmethod(f, b=5), order)(_set)

    class Sub(Box): ...

    return Box().one(), Sub().one(b=3), Box().named(4), raised(lambda: Box().named())


@same_as_undecorated
def test_total_ordering(trace: Trace) -> Any:
    """`total_ordering` fills in what decorated comparisons leave out."""

    @functools.total_ordering
    class Version:
        def __init__(self, n: int) -> None:
            self.n = n

        @trace
        def __eq__(self, other: object) -> Any:
            return self.n == other.n if isinstance(other, Version) else NotImplemented

        @trace
        def __lt__(self, other: Any) -> Any:
            return self.n < other.n if isinstance(other, Version) else NotImplemented

        __hash__ = None  # type: ignore[assignment]

    a, b = Version(1), Version(2)
    return [a < b, a <= b, a > b, a >= b, a == b, a != b], raised(lambda: a < 1), raised(hash, a)


@same_as_undecorated
@both_orders
def test_wraps(trace: Trace, order: str) -> Any:
    """`functools.wraps` carries a decorated function's name, attributes and signature onwards."""

    def shout(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return str(function(*args, **kwargs)).upper()

        return wrapper

    @stacked(trace, shout, order)
    def greet(name: str = "you") -> str:
        """Greet."""
        return f"hello {name}"

    greet.extra = 1
    return greet("a"), greet.__name__, greet.__doc__, greet.extra, str(inspect.signature(greet))


@same_as_undecorated
def test_decorated_twice(trace: Trace) -> Any:
    """Decorating a decorated function changes nothing either, and runs it once."""
    runs = []

    @trace
    @trace
    def f(a: int) -> int:
        runs.append(a)
        return a

    return f(1), runs, str(inspect.signature(f)), raised(f)


@same_as_undecorated(silent=True)
def test_typing_markers(trace: Trace) -> Any:
    """Marks that typing leaves on functions stay readable, above and below."""

    @trace
    @typing.final
    def below() -> None: ...

    @typing.final
    @trace
    def above() -> None: ...

    @typing.no_type_check
    @trace
    def unchecked(a: int) -> None: ...

    marks = [getattr(f, "__final__", None) for f in (below, above)]
    return marks, typing.get_type_hints(unchecked)


# ---- callables that are no functions -------------------------------------------------------------


class Adder:
    """A callable object with state."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, n: int) -> int:
        """Add up."""
        self.total += n
        return self.total

    def reset(self) -> None:
        self.total = 0


class AsyncAdder(Adder):
    """A callable object that is awaited."""

    async def __call__(self, n: int) -> int:  # type: ignore[override]
        return super().__call__(n)


@same_as_undecorated
def test_callable_object(trace: Trace) -> Any:
    """A decorated callable object is still that object: its class, attributes, methods and
    state."""
    adder, later = trace(Adder()), trace(AsyncAdder())
    seen = [adder(1), adder(n=2), adder.total, isinstance(adder, Adder), callable(adder)]
    adder.total = 10
    seen += [adder(1), adder.reset(), adder(1), str(inspect.signature(adder)), raised(adder)]
    seen += [attempt(repr, adder), attempt(str, adder), adder == adder, bool(adder)]
    return seen, [drained(later(1)), drained(later(2)), later.total]


@same_as_undecorated
@pytest.mark.parametrize(
    "make",
    [
        lambda trace: trace(len)([1, 2]),
        lambda trace: trace("a-b".split)("-"),
        lambda trace: trace(operator.itemgetter(1))("xyz"),
        lambda trace: trace(math.hypot)(3, 4),
        lambda trace: trace([3, 1].index)(1),
        lambda trace: trace(str.upper)("a"),
        lambda trace: trace(Adder().__call__)(2),
        lambda trace: trace(dict.fromkeys)("ab"),
        lambda trace: list(map(trace(lambda x: x + 1), [1, 2])),
        lambda trace: sorted("bca", key=trace(lambda c: -ord(c))),
        lambda trace: functools.reduce(trace(operator.add), [1, 2, 3]),
    ],
)
def test_builtins_and_bound_methods(trace: Trace, make: Callable[[Trace], Any]) -> Any:
    """Built-in functions, bound methods and operators can be decorated, and serve as callbacks."""
    return make(trace)


# ---- pickling and copying ------------------------------------------------------------------------

PICKLED: list[Any] = [
    spawned.double,
    spawned.double_later,
    spawned.count,
    spawned.refuse,
    spawned.Account,
    spawned.Account.deposit,
    spawned.Account.fee,
]


@pytest.mark.parametrize("target", PICKLED, ids=lambda target: target.__qualname__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_name(target: Any, protocol: int) -> None:
    """A decorated function, class or method unpickles to the very object that was pickled."""
    if protocol < 4 and "." in target.__qualname__ and sys.version_info < (3, 11):
        pytest.skip("nested names need protocol 4 here, decorated or not")
    assert pickle.loads(pickle.dumps(target, protocol)) is target
    assert copy.deepcopy(target) is target


@pytest.mark.parametrize(
    "duplicate",
    [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deep copy"],
)
def test_what_is_no_function_pickles_and_copies(duplicate: Any, sessions: Any) -> None:
    """Another of its kind comes of it, recorded with the same options."""
    less = trace_session(functools.partial(operator.sub, 44), session_name="less")
    twin = duplicate(less)
    assert twin is not less
    assert (twin(2), twin.func, twin.args) == (42, operator.sub, (44,))
    assert [s.session_name for s in sessions] == ["less"]


def test_a_copy_is_as_deep_as_undecorated(sessions: Any) -> None:
    """A copy of a traced callable shares what it holds, a deep copy does not."""
    held = [1]
    traced = trace_session(functools.partial(list, held))
    assert copy.copy(traced).args[0] is held
    assert copy.deepcopy(traced).args[0] is not held
    assert copy.deepcopy(traced)() == held


def test_bound_methods_and_instances_pickle(sessions: Any) -> None:
    """Bound methods, class methods and instances of a decorated class go through pickle and
    back."""
    account = spawned.Account(1)
    assert pickle.loads(pickle.dumps(account)).deposit(2).balance == 3
    assert pickle.loads(pickle.dumps(account.deposit))(4).balance == 5
    assert pickle.loads(pickle.dumps(spawned.Account.empty))().balance == 0
    assert type(copy.deepcopy(account)) is spawned.Account
    assert [s.session_name for s in sessions] == [
        "Account.deposit",
        "Account.deposit",
        "Account.empty",
    ]


def test_spawned_process_pool(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decorated targets are sent to a spawned process pool and run there, errors and all."""
    monkeypatch.chdir(tmp_path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(spawned.double, [1, 2])) == [2, 4]
        assert pool.submit(spawned.finish, spawned.double_later, 3).result() == 6
        assert pool.submit(spawned.finish, spawned.count, 3).result() == [0, 1, 2]
        assert pool.submit(spawned.Account(1).deposit, 2).result().balance == 3
        assert pool.submit(spawned.Account.empty).result().balance == 0
        assert pool.submit(spawned.Account.fee, 500).result() == 5
        assert parts(pool.submit(spawned.refuse, "no").exception())[:2] == ("ValueError", ["no"])


# ---- the tracer itself ---------------------------------------------------------------------------


@same_as_undecorated
def test_logging_and_warnings_are_left_alone(trace: Trace) -> Any:
    """Tracing installs no warning filter, no excepthook, no profiler and no handler on the root
    logger."""

    @trace
    def f() -> int:
        return 1

    return (
        f(),
        [sys.excepthook is sys.__excepthook__, sys.getprofile(), threading.getprofile()],
        len(warnings.filters),
        [type(handler).__name__ for handler in logging.getLogger().handlers],
    )


class Settings(Mapping[str, Any]):
    """A mapping that hands itself out, and that is traced in everything a snapshot may call."""

    @trace_session
    def __getitem__(self, name: str) -> Any:
        if name != "self":
            raise KeyError(name)
        return self

    @trace_session
    def __iter__(self) -> Iterator[str]:
        yield "self"

    @trace_session
    def __len__(self) -> int:
        return 1

    @trace_session
    def __repr__(self) -> str:
        return "Settings"

    @trace_session
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"self": self}


class RefusalError(Exception):
    """An exception that is traced while it is shown."""

    @trace_session
    def __str__(self) -> str:
        return "refused"


def test_what_recording_calls_is_not_recorded(sessions: Any) -> None:
    """Methods that recording calls to see a value run, but are no sessions: it ends, and is
    silent."""

    @trace_session
    def read(settings: Any) -> Any:
        return settings

    @trace_session
    def stream(settings: Any) -> Iterator[Any]:
        yield settings

    @trace_session
    def refuse(settings: Any) -> None:
        raise RefusalError(settings)

    settings = Settings()
    assert read(settings) is settings
    assert next(stream([settings]))[0] is settings
    assert isinstance(caught(refuse, settings), RefusalError)
    assert [s.session_name for s in sessions] == ["read", "stream", "refuse"]
    assert sessions[2].error == "RefusalError: refused"
