"""The work of a snapshot: plain data costs room alone, everything else is bounded."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from counted_steps import steps_of
from honeytrace._snapshot.snapshotter import Snapshotter

SNAPSHOTTER = Snapshotter()
KEY = "sk-proj-Zk93hUnTeR2secretXYZ987abc"


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int = 1
    y: str = "y"


class Thing:
    def __init__(self) -> None:
        self.x, self.inner = 1, {"a": [1, 2]}


def recorded(value: Any) -> Any:
    return json.loads(SNAPSHOTTER.encode({"x": value}))["x"]


PLAIN: dict[str, Callable[[int], Any]] = {
    "a token in each": lambda i: {"id": i, "token": "abcdefghijk12345678x"},
    "a password deep inside": lambda i: {"a": [{"b": {"password": "x", "n": [i]}}]},
    "a key in a text": lambda i: {"text": f"used {KEY}"} if i % 100 == 0 else {"text": "none"},
    "a header": lambda i: ["authorization", "Bearer abc"],
    "rows of a database": lambda i: {
        "id": uuid.UUID(int=i),
        "price": decimal.Decimal("1.50"),
        "at": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    },
    "numbers as names": lambda i: {i: 0.5, i + 1: None},
    "large numbers": lambda i: 2**70 + i,
    "lone surrogates": lambda i: "\ud800",
}


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_data_is_kept_up_to_the_bound(kind: str) -> None:
    """Nothing of six thousand plain members is left out, with or without secrets among them."""
    found = recorded([PLAIN[kind](i) for i in range(6_000)])
    assert len(found) == 6_000
    assert "cut" not in json.dumps(found)
    assert KEY not in json.dumps(found)


def test_few_odd_values_in_a_long_list_cost_little() -> None:
    """A long plain list is kept whole around some members that are not plain."""
    value: list[Any] = list(range(60_000))
    for i in range(0, len(value), 20_000):
        value[i] = {1, 2}
    found = recorded(value)
    assert len(found) == 60_000
    assert found[0] == [1, 2]
    assert found[-1] == 59_999


def test_argument_and_its_value_stay_together_in_a_long_list() -> None:
    """The value behind a secret's option is masked wherever in a long list it stands."""
    for place in range(505, 520):
        arguments: list[Any] = ["x"] * 2_000
        arguments[place : place + 2] = ["--password", "hunter2"]
        found = recorded(arguments)
        assert found[place : place + 2] == ["--password", "[redacted]"]
        assert len(found) == 2_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1: "a", 2: "b"}, '{"1":"a","2":"b"}'),
        ({1: "a", "1": "b"}, '{"1":"a","1 [2]":"b"}'),
        ({True: 1, 2: 2}, '{"true":1,"2":2}'),
        ({"n": decimal.Decimal("1E+5")}, '{"n":"1E+5"}'),
        ({2**80: decimal.Decimal("NaN")}, '{"1208925819614629174706176":"NaN"}'),
        ([uuid.UUID(int=1)], '["00000000-0000-0000-0000-000000000001"]'),
    ],
)
def test_standard_scalars_have_one_text(value: Any, text: str) -> None:
    """Numbers as names, Decimals and UUIDs look the same on both routes."""
    assert SNAPSHOTTER.encode(value).decode() == text
    beside_a_set = json.loads(SNAPSHOTTER.encode([value, {1}]))[0]
    assert beside_a_set == json.loads(text)


COSTLY: dict[str, Callable[[int], Any]] = {
    "objects": lambda i: Thing(),
    "dataclasses": lambda i: Point(),
    "sets": lambda i: {i},
    "bytes": lambda i: b"abc",
    "enums": lambda i: Colour.RED,
    "exceptions": lambda i: ValueError("x"),
    "tuples as names": lambda i: {(i, i): 1},
    "bytes as names": lambda i: {b"%d" % i: 1},
    "partials": lambda i: functools.partial(print, i),
    "deques": lambda i: collections.deque([i]),
    "objects in dicts": lambda i: {"a": 1, "b": [Thing()]},
}


@pytest.mark.parametrize("kind", COSTLY)
def test_other_values_are_bounded_by_work(kind: str) -> None:
    """Ten times as many values that are not plain take about the same number of steps."""

    def steps(count: int) -> int:
        values = [COSTLY[kind](i) for i in range(count)]
        SNAPSHOTTER.encode({"x": values})  # names that were seen before cost less
        return steps_of(lambda: SNAPSHOTTER.encode({"x": values}))

    assert steps(60_000) < 2 * steps(6_000)
    assert "cut" in json.dumps(recorded([COSTLY[kind](i) for i in range(6_000)]))


def test_one_object_leads_to_a_bounded_amount() -> None:
    """An object that holds large dicts and other objects costs no more than its allowance."""

    class Service:
        def __init__(self, size: int) -> None:
            self.name = "index"
            for place in range(10):
                setattr(self, f"cache{place}", {str(i): Thing() for i in range(size)})
            self.last = 7

    small, large = json.dumps(recorded(Service(5))), json.dumps(recorded(Service(500)))
    assert len(large) < 3_000
    assert len(large) < 2 * len(small)
    assert recorded(Service(500))["last"] == 7  # its own fields are all there


def test_plain_object_is_whole() -> None:
    """An object of few plain fields is recorded with all of them, in the order of its fields."""

    class Options:
        def __init__(self) -> None:
            self.model, self.stops, self.extra = "small", ["a", "b"], {"k": [1, {"n": None}]}

    found = recorded(Options())
    assert list(found.items()) == [
        ("__type__", f"{test_plain_object_is_whole.__name__}.<locals>.Options"),
        ("model", "small"),
        ("stops", ["a", "b"]),
        ("extra", {"k": [1, {"n": None}]}),
    ]
