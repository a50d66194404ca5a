"""A traced class is the class that it was."""

from __future__ import annotations

import abc
import copy
import dataclasses
import enum
import functools
import inspect
import io
import operator
import pydoc
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import pytest

from honeytrace import trace_session
from twins import (
    Trace,
    attempt,
    drained,
    public_attributes,
    raised,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


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
