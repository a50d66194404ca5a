"""Snapshots are cut to size: long strings first, then items, members and depth."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any

import orjson
import pytest
from shown_values import shown

from honeytrace._snapshot.limits import Limits
from honeytrace._snapshot.snapshotter import Snapshotter
from honeytrace.errors import ConfigurationError


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
