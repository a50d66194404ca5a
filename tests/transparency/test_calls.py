"""Arguments are bound as Python binds them."""

from __future__ import annotations

import abc
import inspect
import types
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from twins import (
    Trace,
    attempt,
    both_orders,
    public_attributes,
    raised,
    same_as_undecorated,
    stacked,
)


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
