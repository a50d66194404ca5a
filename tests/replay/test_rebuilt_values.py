# ruff: noqa: UP007, UP045 - both spellings of a union are in use
"""The table of values that come back from a record: exact, or refused by name."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Optional, Union

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, computed_field
from typing_extensions import TypedDict

from honeytrace._replay.annotations import Missing, evaluated
from honeytrace._replay.values import NotRebuilt, again, rebuild


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


class Flag(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Chunk:
    text: str
    when: dt.datetime | None = None
    sub: "Chunk | None" = None  # noqa: UP037 - evaluated late, as in user code


@dataclasses.dataclass
class Hidden:
    text: str
    vector: list[int] = dataclasses.field(default_factory=list, repr=False)


@dataclasses.dataclass
class Derived:
    a: int
    b: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.b = self.a + 1


class Model(BaseModel):
    n: int
    at: dt.datetime = dt.datetime(2026, 1, 2)


class Zoned(BaseModel):
    at: dt.datetime


class Alias(BaseModel):
    user_id: int = Field(alias="userId")


class Forbid(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.n * 2


class Secret(BaseModel):
    key: SecretStr


class Private(BaseModel):
    n: int
    _c: int = PrivateAttr(0)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: dt.datetime
    c: Colour


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    age: int = 1


class First(BaseModel):
    x: int


class Second(BaseModel):
    x: int


class Point(NamedTuple):
    x: int
    y: int


class Typed(TypedDict):
    a: int


class Plain:
    def __init__(self) -> None:
        self.k = 3


class Bytes(BaseModel):
    b: bytes


UTC = dt.timezone.utc
WITH_PRIVATE = Private(n=1)
WITH_PRIVATE._c = 5

EXACT: list[tuple[Any, Any]] = [
    (5, int),
    ("x", str),
    (1.5, float),
    (True, bool),
    (None, None),
    (None, Optional[int]),
    ("", str),
    (2**63, int),
    (dt.datetime(2026, 1, 2, 3, tzinfo=UTC), dt.datetime),
    (dt.datetime(2026, 1, 2, 3), dt.datetime),
    (dt.date(2026, 1, 2), dt.date),
    (dt.time(3, 4), dt.time),
    (Colour.RED, Colour),
    (Colour.ONE, Colour),
    (Flag.A | Flag.B, Flag),
    (Chunk("a", dt.datetime(2026, 1, 2), Chunk("b")), Chunk),
    (Model(n=1), Model),
    (Zoned(at=dt.datetime(2026, 1, 2, tzinfo=UTC)), Zoned),
    (Alias(userId=3), Alias),
    (Forbid(n=2), Forbid),
    (Strict(at=dt.datetime(2026, 1, 2), c=Colour.RED), Strict),
    (Dog(age=3), Union[Cat, Dog]),
    (decimal.Decimal("1.10"), decimal.Decimal),
    (uuid.UUID(int=1), uuid.UUID),
    (pathlib.Path("/a"), pathlib.Path),
    ({"a", "b"}, set[str]),
    (frozenset({3, 1}), frozenset[int]),
    ((1, "a"), tuple[int, str]),
    ([1], list),
    ((1, 2), tuple[int, ...]),
    (Point(1, 2), Point),
    ({"a": 1}, Typed),
    ({1: "a"}, dict[int, str]),
    (collections.deque([1]), collections.deque[int]),
    ([Model(n=1)], list[Model]),
    ({"a": [Model(n=1)]}, dict[str, list[Model]]),
    ([1, 2], Sequence[int]),
    ({"a": 1}, Mapping[str, int]),
    (True, Union[int, bool]),
    (1.0, Union[int, float]),
    (3, Union[int, float]),
    (1.0, float),
    (5, Missing),
    ({"a": [1, None, "x"]}, Any),
    ({"yields": [1]}, dict),
    ("cat", Literal["cat", "dog"]),
    (dt.timedelta(days=1, seconds=2), dt.timedelta),
    (1 + 2j, complex),
]
"""Values and annotations that come back equal, with the same type."""

REFUSED: list[tuple[Any, Any]] = [
    (Hidden("a", [1]), Hidden),
    (Secret(key="k"), Secret),
    (Second(x=1), Union[First, Second]),
    ("2026-01-02T00:00:00", Union[str, dt.datetime]),
    (dt.datetime(2026, 1, 2), Union[str, dt.datetime]),
    (decimal.Decimal("1.10"), Union[str, decimal.Decimal]),
    (b"plain", bytes),
    (Bytes(b=b"\xff\x00"), Bytes),
    (bytearray(b"ab"), Any),
    (bytearray(b"ab"), bytearray),
    ({(1, 2): "b"}, dict[tuple[int, int], str]),
    (math.nan, float),
    (math.inf, float),
    (re.compile("a+"), re.Pattern),
    (Plain(), Plain),
    (Plain(), Any),
    (len, Callable),
    (int, type),
    (iter([1]), Iterator[int]),
    (ValueError("x"), Exception),
    ("[redacted]", str),
    ("key [redacted] inside", str),
    ("…[cut 5 characters]", str),
    ({"a": "<hidden: repr=False>"}, dict),
    ("<not recorded: E>", str),
    ("<cycle>", Any),
    (fractions.Fraction(1, 3), Union[str, fractions.Fraction]),
    (object(), Missing),
    ([object()], Any),
    ("x" * 3, int),
    ("one", Literal["two"]),
]
"""Values that are refused by name."""

SILENT: list[tuple[Any, Any]] = [
    (WITH_PRIVATE, Private),
    ({1: "a"}, dict),
    ((1, 2), Missing),
    (dt.datetime(2026, 1, 2), Missing),
    (Model(n=1), Missing),
    (math.nan, Optional[float]),
    ("x\ud800", str),
    (collections.OrderedDict(a=1), dict),
]
"""Values that come back as another value; docs/how-to/fix-a-wrong-answer.md lists them."""


def named(case: tuple[Any, Any]) -> str:
    return f"{type(case[0]).__name__}-{case[1]!s:.30}"


def is_exact(made: Any, value: Any) -> bool:
    return type(made) is type(value) and bool(made == value)


@pytest.mark.parametrize("case", EXACT, ids=named)
def test_values_come_back_exactly(case: tuple[Any, Any]) -> None:
    """What is rebuilt is equal to what was recorded, and of the same type."""
    value, annotation = case
    assert is_exact(rebuild(again(value), annotation, "x"), value)


@pytest.mark.parametrize("case", REFUSED, ids=named)
def test_values_that_are_refused(case: tuple[Any, Any]) -> None:
    """What cannot be rebuilt exactly is refused, by its path."""
    value, annotation = case
    with pytest.raises(NotRebuilt, match=r"^x"):
        rebuild(again(value), annotation, "x")


@pytest.mark.parametrize("case", SILENT, ids=named)
def test_values_that_come_back_as_others(case: tuple[Any, Any]) -> None:
    """The list of the silent cases is whole: each gives a value, and another one."""
    value, annotation = case
    made = rebuild(again(value), annotation, "x")
    assert not is_exact(made, value) or isinstance(value, Private)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=10,
)


@given(TREES)
def test_plain_json_comes_back(tree: Any) -> None:
    """Without annotation JSON comes back as it is, unless a value looks like a mark."""
    seen = again(tree)
    try:
        made = rebuild(seen, Missing, "x")
    except NotRebuilt:
        return
    assert orjson.dumps(made) == orjson.dumps(seen)


def test_one_bad_annotation_does_not_lose_the_others() -> None:
    """A name that only a type checker knows leaves the other annotations usable."""

    def fn(a: int, b: "NotThere") -> Chunk:  # type: ignore[name-defined] # noqa: F821, UP037
        raise NotImplementedError

    known, bad = evaluated(fn)
    assert known == {"a": int, "return": Chunk}
    assert "NotThere" in bad["b"]


def test_without_pydantic_json_types_come_back() -> None:
    """pydantic is optional: JSON types and enumerations are made, others name the cure."""
    program = """
import sys; sys.modules["pydantic"] = None
import dataclasses, enum
from honeytrace._replay.values import NotRebuilt, rebuild
class C(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class D:
    n: int
assert rebuild([1, 2], list[int], "x") == [1, 2]
assert rebuild({"a": 1.5}, dict[str, float], "x") == {"a": 1.5}
assert rebuild("red", C, "x") is C.RED
try:
    rebuild({"n": 1}, D, "x")
except NotRebuilt as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "x is a D, which needs pydantic: pip install pydantic" in done.stdout, done.stderr
