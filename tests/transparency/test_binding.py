"""What binds itself when it is looked up on an instance or a class does so when it is traced."""

from __future__ import annotations

import enum
import functools
import warnings
from typing import Any

import pytest

from honeytrace import ConfigurationError, trace_session
from twins import Trace, same_as_undecorated


class Tool:
    """Binds to an instance in its own way, as tasks and tools of frameworks do."""

    def __init__(self, fn: Any, owner: Any = None, name: str | None = None) -> None:
        self.fn, self.owner, self.name = fn, owner, name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return Tool(self.fn, instance, self.name)

    def __call__(self, *args: Any) -> Any:
        return self.fn(self.owner, *args)


@same_as_undecorated
def test_an_object_with_its_own_get(trace: Trace) -> Any:
    """A descriptor binds by its own `__get__` and hears its name."""

    class Shop:
        @trace
        @Tool
        def buy(self, count: int) -> list[Any]:
            return [type(self).__name__, count]

    shop = Shop()
    return shop.buy(3), isinstance(shop.buy, Tool), shop.buy.name, type(shop.buy.owner).__name__


class Named(property):
    """A property whose own `__init__` takes other arguments."""

    def __init__(self, fget: Any, label: str = "label") -> None:
        super().__init__(fget)
        self.label = label


@same_as_undecorated
def test_a_property_with_its_own_init(trace: Trace) -> Any:
    """A subclass of property keeps its class and its attributes."""

    class Box:
        size = trace(Named(lambda self: 5))

    return Box().size, type(vars(Box)["size"]).__name__, vars(Box)["size"].label


@same_as_undecorated(silent=True)
def test_attributes_of_descriptors(trace: Trace) -> Any:
    """Attributes that were set on a classmethod or staticmethod stay."""
    made = []
    for kind in (classmethod, staticmethod):
        descriptor = kind(lambda *args: 1)
        descriptor.mark = "kept"  # type: ignore[attr-defined]
        made.append(trace(descriptor).mark)
    return made


@same_as_undecorated
def test_single_dispatch_methods(trace: Trace) -> Any:
    """A singledispatchmethod dispatches, also to what is registered later."""

    class Shown:
        @trace
        @functools.singledispatchmethod
        def show(self, value: Any) -> str:
            return "any"

        @show.register
        def _(self, value: int) -> str:
            return "int"

    return Shown().show("x"), Shown().show(1)


@same_as_undecorated
def test_members_of_an_enum(trace: Trace) -> Any:
    """A traced callable is a member of an Enum where it is one untraced."""

    class Way(enum.Enum):
        DOUBLE = trace(functools.partial(lambda x: x * 2))

    found = [way.name for way in Way]
    return found, Way.DOUBLE.value(4) if found else Way.DOUBLE(4)


@same_as_undecorated
async def test_an_inherited_asynchronous_call(trace: Trace) -> Any:
    """An object whose class inherits an async `__call__` is awaited like one that defines it."""

    class Base:
        async def __call__(self, question: str) -> str:
            return question * 2

    class Agent(Base):
        pass

    return await trace(Agent())("a")


@same_as_undecorated
def test_a_warning_is_attributed_to_the_caller(trace: Trace) -> Any:
    """`warnings.warn(stacklevel=2)` in a traced function names the line that called it."""

    @trace
    def old() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        old()
    return [(w.filename, w.lineno) for w in found]


def test_above_what_registers() -> None:
    """Above a decorator that registers tasks, a warning names the cure."""

    class Task:
        def __call__(self, x: int) -> int:
            return x

        def delay(self, x: int) -> int:
            return x

    with pytest.warns(UserWarning, match="Put @trace_session below") as found:
        traced = trace_session(Task())
    assert found[0].filename == __file__
    assert traced(1) == 1


def test_above_a_tool_that_cannot_be_called() -> None:
    """Above an object that only registers, the error names the cure."""

    class ToolOnly:
        def invoke(self, x: int) -> int:
            return x

    with pytest.raises(ConfigurationError, match="below the decorator"):
        trace_session(ToolOnly())  # type: ignore[type-var]
