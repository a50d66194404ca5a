"""What holds for every snapshot, over arbitrary nested Python values."""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict, deque
from datetime import timezone
from types import SimpleNamespace
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from honeytrace._snapshot.limits import Limits
from honeytrace._snapshot.redact import MASK, Redactor
from honeytrace._snapshot.secrets import sensitive_by_default
from honeytrace._snapshot.snapshotter import Snapshotter

SECRET = "hunter2-hunter2"
WORDS = ["id", "text", "max_tokens", "key", "score", "…", "1", ""]


def harmless(text: str) -> bool:
    """Hypothesis also draws from the strings in the sources, secrets among them."""
    return not sensitive_by_default(text) and SECRET[:7] not in text


finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
).filter(harmless)
plain_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | finite
    | words
    | st.just("long " * 50)
)


def containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    row = st.dictionaries(words, plain_scalars, max_size=4)
    last = st.dictionaries(words, children, max_size=4)
    table = st.builds(lambda row, n, last: [row] * n + [last], row, st.integers(0, 40), last)
    return st.lists(children, max_size=6) | st.dictionaries(words, children, max_size=6) | table


plain = st.recursive(plain_scalars, containers, max_leaves=25)


class Hostile:
    __slots__ = ("error",)

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        raise object.__getattribute__(self, "error")

    def __repr__(self) -> str:
        raise object.__getattribute__(self, "error")


@dataclasses.dataclass
class Data:
    text: Any
    password: Any = SECRET


@attrs.define
class Slotted:
    text: Any
    api_key: Any = SECRET


class Model(BaseModel):
    text: str
    access_token: str = SECRET
    anything: Any = None


class SpeakingError(Exception):
    def __init__(self) -> None:
        super().__init__(f"text='x', client_secret={SECRET!r}")


odd_scalars = (
    st.floats()
    | st.integers()
    | st.integers(2**64)
    | st.text(st.characters(), max_size=8).filter(harmless)
    | st.binary(max_size=80)
    | st.datetimes(timezones=st.none() | st.just(timezone.utc))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.uuids()
    | st.builds(Hostile, st.sampled_from([ValueError, RecursionError, MemoryError, AttributeError]))
    | st.builds(Model, text=words)
    | st.builds(SpeakingError)
    | st.just({"Authorization": SECRET})
)
hashable = plain_scalars | st.dates() | st.tuples(st.integers(), words) | st.binary(max_size=4)


def odd_containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        containers(children)
        | st.dictionaries(hashable, children, max_size=4)
        | st.dictionaries(hashable, children, max_size=4).map(OrderedDict)
        | st.lists(children, max_size=4).map(tuple)
        | st.lists(children, max_size=4).map(deque)
        | st.sets(hashable, max_size=4)
        | st.builds(Data, children)
        | st.builds(Slotted, children)
        | st.builds(lambda v: Model(text="x", anything=v), children)
        | st.builds(lambda v: SimpleNamespace(text=v, cookie=SECRET), children)
        | st.builds(lambda v: {"text": v, "password": [SECRET]}, children)
        | st.builds(_ring, children)
    )


def _ring(value: Any) -> list[Any]:
    ring = [value]
    ring.append(ring)
    return ring


anything = st.recursive(plain_scalars | odd_scalars, odd_containers, max_leaves=25)
bounds = st.builds(
    Limits,
    max_bytes=st.integers(64, 400) | st.just(100_000),
    max_depth=st.integers(1, 8) | st.just(64),
    max_items=st.integers(1, 8) | st.just(1000),
)


def _same(path: str, value: Any) -> Any:
    return value


# Most plain values take the fast route; a function among the rules needs the exact one.
fast = Snapshotter()
exact = Snapshotter(redactor=Redactor([_same]))


@given(plain)
def test_plain_json_is_recorded_as_it_is(value: Any) -> None:
    """Within the limits, plain JSON without sensitive names equals what is recorded."""
    assert orjson.loads(fast.encode(value)) == value
    assert json.loads(fast.encode(value)) == value


@given(anything)
def test_both_routes_agree(value: Any) -> None:
    """The fast route only ever skips work: byte for byte it records what the exact one does."""
    assert fast.encode(value) == exact.encode(value)


@given(anything, bounds)
def test_always_json_within_the_bound(value: Any, limits: Limits) -> None:
    """Whatever the value and the limits: valid JSON, at most max_bytes long, and no exception."""
    taken = Snapshotter(limits).encode(value)
    json.loads(taken)
    assert len(taken) <= limits.max_bytes


@given(anything, bounds)
def test_no_secret_survives(value: Any, limits: Limits) -> None:
    """No value under a sensitive name shows, in dicts, objects and reprs, whole or cut."""
    assert SECRET[:7].encode() not in Snapshotter(limits).encode(value)


@given(anything)
def test_the_receipt_tells(value: Any) -> None:
    """The receipt has entries exactly when something was masked, and quotes no secret."""
    receipt: list[str] = []
    taken = fast.encode(value, receipt, "inputs")
    assert (MASK.encode() in taken) is bool(receipt)
    assert all(path.startswith("inputs") and SECRET not in path for path in receipt)


@given(anything)
def test_recording_changes_nothing(value: Any) -> None:
    """A value records the same twice: nothing in it was consumed or altered."""
    assert fast.encode(value) == fast.encode(value)


@pytest.mark.parametrize("depth", [0, 1, 5, 63, 64, 65, 300, 5000])
def test_any_depth(depth: int) -> None:
    """Nesting deeper than any recursion limit is recorded down to max_depth."""
    value: Any = 1
    for n in range(depth):
        value = [value] if n % 2 else {"x": value}
    taken = fast.encode(value)
    json.loads(taken)
    assert (b"deeper than 64" in taken) is (depth > 64)
