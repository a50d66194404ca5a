"""The snapshot stage: what each kind of value comes out as, limits, and hostile values."""

from __future__ import annotations

import collections
import dataclasses
import enum
import gc
import json
import math
import re
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import numpy as np
import orjson
import pytest
from pydantic import BaseModel, SecretStr

from honeytrace._snapshot.limits import SCALARS, Limits
from honeytrace._snapshot.redact import FAILED, MASK, Redactor
from honeytrace._snapshot.rules import Rules
from honeytrace._snapshot.snapshotter import Snapshotter
from honeytrace.errors import ConfigurationError

DOC = Path(__file__).parents[2] / "docs" / "snapshot.md"
encode = Snapshotter().encode


def shown(value: object) -> Any:
    return orjson.loads(encode(value))


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Chunk:
    text: str
    vector: list[float] = dataclasses.field(repr=False)


@attrs.define
class Part:
    name: str


class Model(BaseModel):
    n: int
    key: SecretStr


class Retriever:
    def __init__(self, index: str, k: int) -> None:
        self.index = index
        self.k = k
        self._cache: dict[str, str] = {}

    def fetch(self) -> None: ...


Retriever.__module__ = Retriever.fetch.__module__ = "app"


class Handle:
    __slots__ = ()

    def __repr__(self) -> str:
        raise AssertionError("its own code ran")


itself: list[Any] = [1]
itself.append(itself)

IN_DOC = {
    kind.__name__: kind
    for kind in (
        *(date, datetime, time, timedelta, UUID, PurePosixPath, Decimal, Fraction, deque),
        *(OrderedDict, SecretStr, Point, Colour, Chunk, Part, Model, Retriever),
    )
} | {"math": math, "np": np, "re": re, "timezone": timezone, "MappingProxyType": MappingProxyType}
IN_DOC |= {"handle": Handle(), "itself": itself}


def rows_in_doc() -> list[tuple[str, str]]:
    table = DOC.read_text("utf-8").partition("| Python value | recorded as |")[2]
    table = table.partition("\n\n")[0]
    return re.findall(r"^\| `(.+?)`[^`|]*(?:`[^`]*`[^`|]*)* \| `(.+)` \|$", table, re.M)


@pytest.mark.parametrize(("python", "recorded"), rows_in_doc())
def test_documented_values(python: str, recorded: str) -> None:
    """Every row of the documentation's table is what comes out."""
    assert encode(eval(python, dict(IN_DOC))).decode() == recorded


def test_the_documentation_was_read() -> None:
    """The table above was found whole."""
    table = DOC.read_text("utf-8").partition("| Python value | recorded as |")[2]
    assert len(rows_in_doc()) == table.partition("\n\n")[0].count("\n") - 1


def test_documented_limits() -> None:
    """The limits in the documentation are the defaults."""
    assert re.search(r"`(Limits\(.*?\))`", DOC.read_text("utf-8"))[1].replace("_", "") == (  # type: ignore[index]
        repr(Limits()).replace("_", "")
    )


# Masking


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


# Hostile and unusual values


class Hostile:
    """Everything a value can be asked raises."""

    def _no(self, *args: object, **kwargs: object) -> Any:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __iter__ = __len__ = __getattr__ = __getattribute__ = __bool__ = _no
    __eq__ = __hash__ = __class__ = property(_no)  # type: ignore[assignment]


class HostileDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError

    __iter__ = keys = values = __len__ = items


class HostileMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def __len__(self) -> int:
        return 2


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError

    def __hash__(cls) -> int:
        raise RuntimeError


class OfHostileMeta(metaclass=HostileMeta):
    pass


class FakeModel(BaseModel):
    anything: object = object()

    def model_dump(self, **kwargs: Any) -> dict[str, Any]:
        raise RuntimeError


@pytest.mark.parametrize("name", ["Hostile", "HostileMapping", "OfHostileMeta"])
def test_hostile_values_cost_only_themselves(name: str) -> None:
    """A value whose own code raises is named in its place, and its neighbours are recorded."""
    value = globals()[name]()
    a, b, c = shown([1, value, {"x": value}])
    assert a == 1
    assert b == c["x"] == {"__type__": name}


def test_overridden_dict_methods_are_bypassed() -> None:
    """A dict subclass shows what it stores, not what its methods say."""
    assert shown(HostileDict(a=1)) == {"a": 1}


def test_model_that_cannot_dump_shows_its_fields() -> None:
    """A pydantic model with a field that has no JSON form still shows the others."""
    assert set(shown(FakeModel())) == {"anything"}


def test_keyboard_interrupt_passes() -> None:
    """The user's Ctrl-C during a rule is the user's, not an error to swallow."""

    def interrupted(value: Handle) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Snapshotter(rules=Rules({Handle: interrupted})).encode([Handle()])


def test_nothing_lazy_is_triggered() -> None:
    """Properties, descriptors and generators are neither run nor consumed."""

    class Column:
        def __get__(self, instance: object, owner: type) -> Any:
            raise AssertionError("loaded")

        def __set__(self, instance: object, value: object) -> None: ...

    class Row:
        lazy = Column()

        def __init__(self) -> None:
            self.loaded = 1

        @property
        def computed(self) -> int:
            raise AssertionError("computed")

    generator = (n for n in range(3))
    row, text = shown([Row(), generator])
    assert row["loaded"] == 1
    assert len(row) == 2
    assert text.startswith("<generator object")
    assert list(generator) == [0, 1, 2]


def test_private_and_slotted_fields() -> None:
    """Slots count as fields; what begins with an underscore or was never set does not."""

    class Slots:
        __slots__ = ("_hidden", "seen", "unset")

        def __init__(self) -> None:
            self.seen, self._hidden = 1, 2

    assert list(shown(Slots()).values())[1:] == [1]


def test_subclasses_of_builtins_are_their_values() -> None:
    """str, int, float, list and tuple subclasses are recorded by content."""

    class S(str):
        def __str__(self) -> str:
            return "other"

    class I(int): ...  # noqa: E742 - a short name for a short class

    class F(float): ...

    class L(list[int]): ...

    class T(tuple[int, ...]): ...

    assert shown([S("s"), I(3), F(1.5), L([1]), T((2,)), {S("k"): 1}]) == (
        ["s", 3, 1.5, [1], [2], {"k": 1}]
    )


def test_graphs_of_objects_end() -> None:
    """Plain objects open two deep; a chain of thousands ends in the name of a type."""

    class Node:
        def __init__(self, next_node: Any) -> None:
            self.next = next_node

    node = None
    for _ in range(5000):
        node = Node(node)
    last = shown(node)["next"]["next"]
    assert last.keys() == {"__type__"}


def test_concurrent_change_never_raises() -> None:
    """A dict another thread keeps changing is recorded whole at some moment."""
    shared: dict[Any, Any] = {"handle": Handle()}
    done, started = threading.Event(), threading.Event()

    def change() -> None:
        n = 0
        while not done.is_set():
            n += 1
            shared[f"k{n % 50}"] = n
            shared.pop(f"k{(n + 25) % 50}", None)
            started.set()

    thread = threading.Thread(target=change)
    thread.start()
    started.wait()
    try:
        assert all("handle" in shown(shared) for _ in range(300))
    finally:
        done.set()
        thread.join()


def test_recursion_limit_of_the_caller() -> None:
    """Close to the recursion limit a marker is recorded and nothing is raised."""

    def down(n: int) -> bytes:
        return down(n - 1) if n else encode([Handle()] * 2)

    here = len(__import__("inspect").stack())
    outcomes = {down(sys.getrecursionlimit() - here - spare) for spare in range(40, 60)}
    assert b'[{"__type__":"Handle"},{"__type__":"Handle"}]' in outcomes
    assert all(isinstance(orjson.loads(o), (list, str)) for o in outcomes)


# Arrays


def test_arrays() -> None:
    """Small arrays are whole, large ones show shape, type and head; dates stay dates."""
    assert shown(np.arange(3, dtype=np.int8)) == [0, 1, 2]
    assert shown(np.bool_(True)) is True
    assert shown(np.datetime64("2026-01-02")) == "2026-01-02"
    assert shown(np.array(["2026-01-02"], dtype="datetime64[ns]"))[0].startswith("2026-01-02")
    assert shown(np.array([math.nan])) == [None]
    assert shown(np.longdouble(1.5)) == "1.5"
    summary = shown(np.arange(1536, dtype=np.float32))
    assert summary["shape"] == [1536]
    assert summary["dtype"] == "float32"
    assert summary["head"] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_pandas() -> None:
    """Tables and columns show their size and first rows, and column names are names."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"q": range(100), "password": ["hunter2"] * 100})
    taken = shown(table)
    assert taken["__type__"] == "pandas.DataFrame"
    assert taken["shape"] == [100, 2]
    assert taken["head"] == {"q": [0, 1, 2, 3, 4, 5, 6, 7], "password": MASK}
    assert shown(table["q"])["head"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert shown(table.index)["shape"] == [100]


def test_polars() -> None:
    """As pandas."""
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"q": range(100)})
    assert shown(table)["head"] == {"q": [0, 1, 2, 3, 4, 5, 6, 7]}
    assert shown(table["q"])["shape"] == [100]


def test_images() -> None:
    """An image shows its size and mode, never its pixels."""
    image = pytest.importorskip("PIL.Image")
    assert shown(image.new("RGB", (3, 2))) == {
        "__type__": "PIL.Image",
        "size": [3, 2],
        "mode": "RGB",
    }


# Limits


def test_long_strings_are_cut_first() -> None:
    """The longest string gives way, and the marker tells how much of it."""
    limits = Limits(max_bytes=1000)
    taken = Snapshotter(limits).encode({"long": "x" * 5000, "short": "y" * 200, "n": [1, 2]})
    value = orjson.loads(taken)
    assert value["short"] == "y" * 200
    assert value["n"] == [1, 2]
    kept, cut = re.fullmatch(r"(x+)…\[cut (\d+) characters\]", value["long"]).groups()  # type: ignore[union-attr]
    assert len(kept) + int(cut) == 5000
    assert 900 <= len(taken) <= 1000


def test_then_items() -> None:
    """When short strings are too many, items go, and the count adds up."""
    taken = Snapshotter(Limits(max_bytes=1000)).encode([f"item {i}" for i in range(1000)])
    value = orjson.loads(taken)
    assert value[0] == "item 0"
    assert value[-1] == f"…[cut {1000 - len(value) + 1} items]"
    assert len(taken) >= 700


def test_then_members() -> None:
    """Objects lose members the same way."""
    value = orjson.loads(
        Snapshotter(Limits(max_bytes=1000)).encode({f"key {i}": i for i in range(1000)})
    )
    assert value["key 0"] == 0
    assert value["…"] == f"…[cut {1000 - len(value) + 1} items]"


def test_then_depth() -> None:
    """A deep and narrow value loses its depths."""
    value: Any = "bottom"
    for _ in range(60):
        value = {"a longer key, to fill the room": value}
    assert b"\\u2026" not in Snapshotter(Limits(max_bytes=200)).encode(value)
    assert "…[cut 1 items]" in Snapshotter(Limits(max_bytes=200)).encode(value).decode()


def test_max_items() -> None:
    """One container keeps max_items members, whichever route it would take."""
    encode = Snapshotter(Limits(max_items=3)).encode
    assert orjson.loads(encode(list(range(10)))) == [0, 1, 2, "…[cut 7 items]"]
    assert orjson.loads(encode(dict.fromkeys("abcde", 1))) == {
        "a": 1,
        "b": 1,
        "c": 1,
        "…": "…[cut 2 items]",
    }
    assert orjson.loads(encode([[1, 2, 3], [4, 5, 6]])) == [[1, 2, 3], [4, 5, 6]]
    assert orjson.loads(encode({"…": 1, "b": [1] * 30}))["b"][-1] == "…[cut 27 items]"


def test_counts_add_up_when_cut_twice() -> None:
    """Items cut by max_items and again by max_bytes are counted once each."""
    value = orjson.loads(Snapshotter(Limits(max_bytes=100, max_items=50)).encode(["ab"] * 80))
    assert value[-1] == f"…[cut {80 - len(value) + 1} items]"


@pytest.mark.parametrize("beside", [{}, {"password": "p"}, {"data": b""}, {"deep": []}])
def test_dates_have_no_depth(beside: dict[str, Any]) -> None:
    """Whatever stands beside it, and makes of it another route's, a date is as deep as a text."""
    encode = Snapshotter(Limits(max_depth=1)).encode
    found = orjson.loads(encode({"date": date(2020, 1, 2), "time": time(3), **beside}))
    assert (found["date"], found["time"]) == ("2020-01-02", "03:00:00")


@pytest.mark.parametrize("depth", [1, 2, 64, 200])
def test_max_depth(depth: int) -> None:
    """Containers nested deeper than max_depth become a marker; up to it, all is kept."""
    encode = Snapshotter(Limits(max_depth=depth)).encode

    def nested(n: int, of: Any) -> Any:
        for _ in range(n):
            of = [of]
        return of

    assert orjson.loads(encode(nested(depth, 1))) == nested(depth, 1)
    marker = f"…[cut 1 items, deeper than {depth}]"
    assert orjson.loads(encode(nested(depth + 1, 1))) == nested(depth, marker)
    inner: Any = {"x": 1}
    for _ in range(depth):
        inner = {"x": inner}
    assert marker.encode() in encode(inner)
    rows = nested(depth, {"x": 1})
    assert orjson.loads(encode(rows)) == nested(depth, marker)
    assert orjson.loads(encode(nested(depth - 1, [{"x": 1}] * 40)))
    assert marker.encode() in encode(nested(depth - 1, [{"x": 1}] * 40))


def test_shared_lists_end() -> None:
    """A small value that is astronomically large as a tree is recorded within the bound."""
    value: Any = [1, 2]
    for _ in range(60):
        value = [value, value]
    assert len(Snapshotter(Limits(max_bytes=20_000)).encode(value)) <= 20_000


def test_huge_message_is_cut() -> None:
    """A message of ten megabytes is kept to its beginning."""
    text = shown(ValueError("word " * 2_000_000))
    assert len(text) < 2100
    assert text.endswith(f"…[cut {10_000_012 - text.index('…')} characters]")


def test_cut_message_drops_half_a_secret() -> None:
    """A key that the cut splits leaves no part of itself."""
    assert "sk-" not in shown(ValueError("x " * 990 + "sk-proj-abcdefghijklmnopqrstuvwxyz"))


@pytest.mark.parametrize(
    "limits", [Limits(10), Limits(max_depth=0), Limits(max_depth=500), Limits(max_items=0)]
)
def test_impossible_limits(limits: Limits) -> None:
    """A limit nothing can satisfy is refused when configuring."""
    with pytest.raises(ConfigurationError, match="must be"):
        Snapshotter(limits)


def test_json_module_agrees() -> None:
    """What is written is JSON to the standard library too, surrogates and all."""
    taken = encode({"\ud800": ["\udfff", "é", "\x00", Colour.RED]})
    assert json.loads(taken) == {"\\ud800": ["\\udfff", "é", "\x00", "red"]}


def test_scalars_are_atoms() -> None:
    """No type that capture may pass by can hold a key."""
    assert all(
        not hasattr(kind, "keys") and not hasattr(kind, "__iter__") for kind in SCALARS - {str}
    )


def test_a_dict_of_containers_is_tracked() -> None:
    """What the fast route relies on: an untracked dict holds no container and no object."""
    inner: dict[str, Any] = {}
    holders: list[dict[str, Any]] = [
        {"a": inner},
        {"a": [1]},
        {"a": (inner,)},
        {"a": Retriever("x", 1)},
        {"a": Colour.RED},
        dict(zip("a", [inner], strict=True)),
        {"b": 1} | {"a": inner},
        dict.fromkeys("a", inner),
        {k: [k] for k in "a"},
        (lambda **kwargs: kwargs)(a=inner),
        orjson.loads('{"a":{}}'),
        json.loads('{"a":{}}'),
        {"a": inner}.copy(),
        vars(Retriever({}, 1)),  # type: ignore[arg-type]
    ]
    late: dict[str, Any] = {"a": 1}
    late["b"] = inner
    late_default: dict[str, Any] = {}
    late_default.setdefault("b", inner)
    updated: dict[str, Any] = {"a": 1}
    updated.update(b=inner)
    gc.collect()
    assert all(map(gc.is_tracked, [*holders, late, late_default, updated]))


class Meddling(Redactor):
    """Another thread in the midst of a snapshot: `act` runs while `name` is learnt."""

    __slots__ = ("act", "name")

    def sensitive(self, name: str) -> bool:
        if name == self.name:
            self.act()
        return super().sensitive(name)


def test_a_value_that_changes_under_its_snapshot() -> None:
    """What is put into a dict while it is looked at is looked at, too, or is not in the record."""
    redactor = Meddling()
    snapshotter = Snapshotter(redactor=redactor)
    value: dict[str, Any] = {"first": ["old"], "inner": {"meddled": 1}, "last": 2}
    redactor.name, redactor.act = "meddled", lambda: value.update(api_key="sk-SECRET")
    assert b"SECRET" not in snapshotter.encode(value)
    for turn in range(3):
        changed: dict[str, Any] = {f"name{turn}": ["old"], f"other{turn}": 1}
        redactor.name = f"name{turn}"
        redactor.act = partial(changed.update, {f"name{turn}": [turn]})
        assert orjson.loads(snapshotter.encode(changed)) == {
            f"name{turn}": [turn],
            f"other{turn}": 1,
        }
