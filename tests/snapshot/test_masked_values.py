"""Secrets are masked wherever a value holds them."""

from __future__ import annotations

import collections
import dataclasses
import enum
import re
from collections import OrderedDict
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import numpy as np
import orjson
import pytest
from pydantic import BaseModel
from shown_values import encode

from honeytrace._snapshot.redact import FAILED, MASK, Redactor
from honeytrace._snapshot.snapshotter import Snapshotter


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Account(BaseModel):
    user: str
    api_key: str


@attrs.define
class Slotted:
    user: str
    token: str


class Plain:
    def __init__(self) -> None:
        self.user = "ann"
        self.client_secret = "hunter2"


class Credentialed(NamedTuple):
    user: str
    password: str


@dataclasses.dataclass(frozen=True)
class Speaking:
    """Usable as a key, and its own text quotes a secret."""

    said: str = "user='ann', password='hunter2'"


class Nested(enum.Enum):
    LOGIN = {"user": "ann", "password": "hunter2"}


HOLDERS = [
    {"user": "ann", "password": "hunter2"},
    {"user": "ann", "deep": [{"x": ({"Set-Cookie": "hunter2"},)}]},
    OrderedDict(user="ann", password="hunter2"),
    MappingProxyType({"user": "ann", "password": "hunter2"}),
    collections.UserDict({"user": "ann", "password": "hunter2"}),
    Login("ann", "hunter2"),
    Account(user="ann", api_key="hunter2"),
    Slotted("ann", "hunter2"),
    Plain(),
    Credentialed("ann", "hunter2"),
    Speaking(),
    Nested.LOGIN,
    ValueError("user ann: password=hunter2"),
    {Speaking(): "ann"},
    {(Speaking(), 1): "ann"},
    np.array([{"user": "ann", "password": "hunter2"}], dtype=object),
    np.array([("ann", "hunter2")], dtype=[("user", "U9"), ("password", "U9")]),
    [{"user": "ann", "password": "hunter2"}] * 40,
    [{"user": "ann", "of": {"password": "hunter2"}}] * 40,
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"arg": v}, lambda v: [[v], "x"]])
def test_secrets_are_masked_wherever_they_stand(holder: object, wrap: Any) -> None:
    """A secret is masked inside every kind of holder, and all but the shape-only one report it."""
    receipt: list[str] = []
    taken = encode(wrap(holder), receipt, "inputs")
    assert b"hunter2" not in taken
    assert all(path.startswith("inputs") for path in receipt)
    assert bool(receipt) is (b"dtype" not in taken)


def test_parameter_names_are_names() -> None:
    """The dict of arguments itself is masked by the same rule."""
    receipt: list[str] = []
    assert encode({"api_key": "sk-1", "q": "hi"}, receipt, "inputs") == (
        b'{"api_key":"[redacted]","q":"hi"}'
    )
    assert receipt == ["inputs.api_key"]


NAMED = [
    {"name": "DB_PASSWORD", "value": "hunter2"},
    {"Key": "api_key", "Value": "hunter2"},
    {"value": "hunter2", "name": "Authorization", "type": "text"},
    {"key": "password", "value": {"stringValue": "hunter2"}},
    {"name": "sid", "value": "hunter2", "domain": "h", "httpOnly": True},
    ("credentials_json", "hunter2"),
]


@pytest.mark.parametrize("named", NAMED, ids=str)
@pytest.mark.parametrize("beside", [[], [object()]], ids=["plain", "beside an object"])
def test_a_value_is_bound_to_the_name_beside_it(named: object, beside: list[Any]) -> None:
    """Variables, headers and cookies are masked as name and value, on either route, each time."""
    snapshotter = Snapshotter()
    for _ in range(2):
        receipt: list[str] = []
        taken = snapshotter.encode([[named], *beside], receipt, "inputs")
        assert b"hunter2" not in taken
        assert receipt


@pytest.mark.parametrize(
    "named",
    [
        {"name": "max_tokens", "value": "5"},
        {"name": "the key to a good night is to sleep", "value": "5"},
        {"Key": "Name", "Value": "5"},
        {"value": "5", "password": None},
        {"name": "api_key", "value": None},
    ],
    ids=str,
)
def test_values_of_other_names_stay(named: dict[str, Any]) -> None:
    """A value beside a harmless name stays, on either route."""
    assert orjson.loads(encode(named)) == named
    assert orjson.loads(encode([named, {1}]))[0] == named


def test_names_of_the_program_count_beside_a_value() -> None:
    """A name that was configured is masked as the first of a pair, and beside `value`."""
    snapshotter = Snapshotter(redactor=Redactor(["email"]))
    for value in ([("email", "a@b")], {"name": "email", "value": "a@b"}):
        assert b"a@b" not in snapshotter.encode(value)
        assert b"a@b" not in snapshotter.encode([value, {1}])


class Watched(str):
    """A key that notices each comparison."""

    asked = 0

    def __eq__(self, other: object) -> bool:
        Watched.asked += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_no_key_is_asked_for_the_name_of_a_value() -> None:
    """The look for a name beside `value` compares no key that has code of its own."""
    value = {"value": "x", Watched("name"): "password", Watched("httpOnly"): 1}
    Watched.asked = 0
    encode(value)
    assert Watched.asked == 0


def test_no_redactor_masks_nothing() -> None:
    """With redaction off values and reprs are recorded as they are."""
    off = Snapshotter(redactor=None).encode
    value = {"password": "hunter2", "who": Speaking(), Speaking(): 1}
    assert off(value).count(b"hunter2") == 3


def test_value_rules_see_plain_values() -> None:
    """A pattern or a function is applied to values that would otherwise take the fast route."""
    assert Snapshotter(redactor=Redactor([re.compile("hunter2")])).encode("is hunter2") == (
        b'"is [redacted]"'
    )


def test_failing_redactor_leaves_no_value() -> None:
    """A redaction that fails leaves its marker."""

    def rule(path: str, value: Any) -> Any:
        return 1 / 0

    receipt: list[str] = []
    snapshotter = Snapshotter(redactor=Redactor([rule]))
    assert snapshotter.encode({"a": "private"}, receipt, "inputs") == f'"{FAILED}"'.encode()
    assert receipt == ["inputs (redaction failed)"]


def test_keys_learnt_are_bounded() -> None:
    """A flood of different keys neither grows the memory of harmless names nor hides a secret."""
    snapshotter = Snapshotter()
    for i in range(3):
        snapshotter.encode({f"key{i}-{n}": n for n in range(3000)})
    assert len(snapshotter._harmless) <= 4096
    assert MASK.encode() in snapshotter.encode({"password": "x"})
    wide = {f"wide{n}": n for n in range(5000)}
    assert orjson.loads(snapshotter.encode(wide)) == wide
