"""A snapshot reads: it runs no code of the program, and changes nothing that it looks at."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import sqlite3
import sys
import types
from collections import ChainMap, OrderedDict, UserDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import pytest
import wrapt
from pydantic import BaseModel, Field, computed_field

from honeytrace._snapshot.redact import MASK, Redactor
from honeytrace._snapshot.rules import Rules
from honeytrace._snapshot.snapshotter import Snapshotter
from honeytrace.errors import ConfigurationError

encode = Snapshotter().encode
ran: list[str] = []

_NAMES = """
__repr__ __str__ __format__ __bytes__ __hash__ __bool__ __len__ __iter__ __next__
__contains__ __getitem__ __reversed__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __getattr__
__getattribute__ __dir__ __int__ __float__ __index__ __complex__ __call__ __enter__ __exit__
__await__ __aiter__ __fspath__ __reduce__ __reduce_ex__ __getstate__ __sizeof__ __copy__
__deepcopy__ __instancecheck__ __length_hint__ __missing__ keys values items __array__
__json__ to_dict model_dump dict
"""
SPECIAL = _NAMES.split()


def watched(name: str) -> Callable[..., Any]:
    def method(*args: object, **kwargs: object) -> Any:
        ran.append(name)
        raise RuntimeError(name)

    return method


NAMESPACE = {name: watched(name) for name in SPECIAL}


class Meta(type):
    """A metaclass whose own code is watched, too."""

    for _name in ("__eq__", "__hash__", "__instancecheck__", "__subclasscheck__", "__call__"):
        locals()[_name] = watched(f"metaclass {_name}")
    __repr__ = watched("metaclass __repr__")
    __bool__ = watched("metaclass __bool__")


def made(*bases: type, metaclass: type = type, **stored: Any) -> Any:
    """An instance of a class with these bases, all of whose special methods are watched."""
    kind = type.__new__(metaclass, "Watched", bases or (object,), {**NAMESPACE, "a": 1})
    value: Any = (bases or (object,))[0].__new__(kind)  # type: ignore[call-overload]
    for name, held in stored.items():
        object.__setattr__(value, name, held)
    return value


class Zone(datetime.tzinfo):
    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        ran.append("utcoffset")
        raise RuntimeError

    tzname = dst = utcoffset  # type: ignore[assignment]


class Lying:
    """Says that it is something else, as lazy proxies do."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        ran.append("__class__")
        return dict

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        ran.append("__dict__")
        return {}


VALUES: list[Callable[[], Any]] = [
    lambda: made(),
    lambda: made(field=made(), other=[made()]),
    lambda: made(metaclass=Meta, field=1),
    lambda: made(dict),
    lambda: made(list),
    lambda: made(str),
    lambda: made(int),
    lambda: made(float),
    lambda: made(tuple),
    lambda: made(set),
    lambda: made(frozenset),
    lambda: made(bytes),
    lambda: made(bytearray),
    lambda: made(OrderedDict),
    lambda: made(deque),
    lambda: made(Exception),
    lambda: made(io.StringIO),
    lambda: made(types.SimpleNamespace),
    lambda: ValueError(made()),
    lambda: Lying(),
    lambda: wrapt.LazyObjectProxy(watched("factory")),
    lambda: datetime.datetime(2026, 1, 1, tzinfo=Zone()),
    lambda: datetime.time(3, tzinfo=Zone()),
    lambda: types.MappingProxyType({"a": made()}),
    lambda: [(made(), 1), made()],
    lambda: iter([1]),
    lambda: made,
    lambda: type(made(metaclass=Meta)),
]


@pytest.mark.parametrize("make", VALUES)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"arg": v}, lambda v: [[v, "x"]]])
def test_no_special_method_runs(make: Callable[[], Any], wrap: Callable[[Any], Any]) -> None:
    """Whatever a class defines, alone and inside plain values, nothing of it is called."""
    value = wrap(make())
    ran.clear()
    taken = encode(value)
    done = list(ran)  # before pytest looks at the value in its own way
    assert done == []
    orjson.loads(taken)


def test_keys_are_not_hashed_or_compared() -> None:
    """A dict is read without asking its keys for a hash again."""

    class Key:
        def __hash__(self) -> int:
            ran.append("__hash__")
            return 1

        def __eq__(self, other: object) -> bool:
            ran.append("__eq__")
            return self is other

    value = {Key(): 1, "a": {Key(): 2}}
    ran.clear()
    for given in (value, OrderedDict(value), ChainMap(value), types.MappingProxyType(value)):
        ran.clear()
        encode(given)
        assert ran == []
    ran.clear()


def test_iterators_and_lazy_values_stay_as_they_are() -> None:
    """A model that carries a generator, pages that are fetched, a proxy: nothing is consumed."""

    class Model(BaseModel):
        chunks: Any
        hidden: str = Field("x", repr=False)

        @computed_field  # type: ignore[prop-decorator]
        @property
        def price(self) -> int:
            ran.append("price")
            return 1

    class Pages(Sequence[int]):
        def __len__(self) -> int:
            ran.append("__len__")
            return 500

        def __getitem__(self, i: Any) -> Any:
            ran.append("__getitem__")
            return i

    class Cache(Mapping[str, int]):
        __getitem__ = __iter__ = __len__ = watched("Cache")  # type: ignore[assignment]

    ran.clear()
    model = Model(chunks=iter("ab"))
    shown = orjson.loads(encode([model, Pages(), Cache()]))
    assert ran == []
    assert list(model.chunks) == ["a", "b"]
    assert shown == [
        {"chunks": shown[0]["chunks"], "hidden": "<hidden: repr=False>"},
        {"__type__": shown[1]["__type__"]},
        {"__type__": shown[2]["__type__"]},
    ]


def test_rows_keep_their_names() -> None:
    """A row of SQLite is a mapping of its columns, and redaction goes by them."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    row = db.execute("select 'ann' as name, 'hunter2' as password").fetchone()
    assert orjson.loads(encode(row)) == {"name": "ann", "password": MASK}
    db.close()


# The program's own rules


class Client:
    def __init__(self, name: str) -> None:
        self.name = name


class Sub(Client):
    pass


def test_rules_of_the_program() -> None:
    """A rule holds for a type and its subclasses, its result is shown and masked like a value."""
    rules = Rules({Client: lambda c: {"client": c.name, "api_key": "k"}})
    shown = Snapshotter(rules=rules).encode([Client("a"), Sub("b")])
    assert orjson.loads(shown) == [
        {"client": "a", "api_key": MASK},
        {"client": "b", "api_key": MASK},
    ]


def test_a_rule_that_fails_costs_only_its_value() -> None:
    """The error is named in place of the value; a rule that returns the value changes nothing."""
    rules = Rules({Client: lambda c: 1 / 0, UserDict: lambda d: d})
    shown = orjson.loads(Snapshotter(rules=rules).encode([Client("a"), UserDict(a=1), 2]))
    assert shown[0] == "<Client: ZeroDivisionError when recorded>"
    assert shown[2] == 2


@pytest.mark.parametrize("wrong", [{str: len}, {object: len}, {"Client": len}, {Client: 3}])
def test_rules_that_could_not_be_used(wrong: Any) -> None:
    """A rule for plain values, for everything, or that is no function is refused."""
    with pytest.raises(ConfigurationError, match="snapshot"):
        Rules(wrong)


# What is written is right


@pytest.mark.parametrize("route", [Redactor(), Redactor([lambda path, value: value])])
def test_offsets_are_exact(route: Redactor) -> None:
    """An offset with seconds is written with them, on both routes."""
    zone = datetime.timezone(datetime.timedelta(minutes=19, seconds=32))
    moment = datetime.datetime(1890, 1, 2, tzinfo=zone)
    shown = orjson.loads(Snapshotter(redactor=route).encode([moment]))
    assert shown == ["1890-01-02T00:00:00+00:19:32"]


def test_a_zone_written_in_python_is_named() -> None:
    """Its offset would be the program's code: the local time is kept, with the zone's type."""
    shown = orjson.loads(encode(datetime.datetime(2026, 1, 2, 3, tzinfo=Zone())))
    assert shown == "2026-01-02T03:00:00[Zone]"


def test_graphs_are_written_once() -> None:
    """In a graph of objects each is opened once; the record grows with the objects, not paths."""

    @dataclasses.dataclass(eq=False)
    class Node:
        name: str
        links: list[Any] = dataclasses.field(default_factory=list)

    def size(count: int) -> int:
        nodes = [Node(str(i)) for i in range(count)]
        for node in nodes:
            node.links = [other for other in nodes if other is not node]
        return len(encode(nodes[0]))

    assert size(12) < 3 * size(8)


def test_modules_functions_and_files_are_one_text() -> None:
    """What refers to half the process is named, and not opened."""

    class Level(enum.Enum):
        LOW = "low"

    with open(__file__) as file:
        shown = orjson.loads(encode([orjson, sys, "".join, Level.LOW, file]))
    assert shown[:4] == ["<module orjson>", "<module sys>", "str.join", "low"]
    assert shown[4].startswith("<TextIOWrapper '")
    assert shown[4].endswith("mode='r'>")
