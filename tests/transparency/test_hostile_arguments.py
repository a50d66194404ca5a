"""One-shot and hostile arguments are left as they are."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import sys
import threading
import types
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest import mock

import pytest

from twins import (
    Trace,
    caught,
    same_as_undecorated,
)

ONE_SHOT: dict[str, Callable[[], Any]] = {
    "generator": lambda: (n for n in range(3)),
    "iterator": lambda: iter([1, 2, 3]),
    "map": lambda: map(str, [1, 2]),
    "zip": lambda: zip([1], [2], strict=True),
    "text file": lambda: io.StringIO("a\nb\n"),
    "binary file": lambda: io.BytesIO(b"a\nb\n"),
}


class Marked(str):
    """A str with a type of its own."""


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
