"""Each kind of value as a snapshot records it, as the documentation says."""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import re
from collections import OrderedDict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import numpy as np
import orjson
import pytest
from pydantic import BaseModel, SecretStr
from shown_values import Colour, Handle, Retriever, encode, shown

from honeytrace._snapshot.limits import SCALARS, Limits
from honeytrace._snapshot.redact import MASK

DOC = Path(__file__).parents[2] / "docs" / "snapshot.md"


class Point(NamedTuple):
    x: int
    y: int


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
