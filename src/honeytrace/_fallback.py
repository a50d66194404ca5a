"""One step from any Python value towards JSON: what is shown where JSON has no word for a value.

`simplifier(type)` finds the rule for a type, once; the rule turns a value into a text, number,
list, tuple or dict, whose members are rendered in turn.
Only protocols meant for showing a value run
its code (`model_dump`, `repr`, `str`, the iteration of a registered collection). Attributes are read
from the instance's own storage and never through `getattr`, so properties and lazy ORM columns stay
untriggered. Rules may raise: the caller records that instead.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import os
import re
import types
import uuid
from collections import deque
from collections.abc import Callable, Mapping, MappingView, Sequence, Set
from functools import lru_cache
from itertools import islice
from typing import Any, Final

TEXT_LIMIT: Final = 2_000  # characters of a repr, a message or a preview
WIDE: Final = 100_000  # members read from a collection whose length nobody promised
_WHOLE_ARRAY: Final = 1_000  # elements; a larger array is shown by its head
_HEAD: Final = 8
_HIDDEN: Final = "<hidden: repr=False>"
_TYPE: Final = "__type__"


def type_name(kind: type) -> str:
    """The qualified name, whatever the metaclass says."""
    return str(type.__dict__["__qualname__"].__get__(kind))


def bounded_repr(value: Any) -> str:
    """`repr(value)`, cut to `TEXT_LIMIT` characters."""
    return _bounded(repr(value))


def _bounded(text: str) -> str:
    cut = len(text) - TEXT_LIMIT
    return str(text) if cut <= 0 else f"{text[:TEXT_LIMIT]}…[cut {cut} characters]"


def own_fields(value: Any) -> dict[str, Any]:
    """What the instance itself stores, `__dict__` and slots: no descriptor of the user's runs."""
    try:
        stored = object.__getattribute__(value, "__dict__")
    except AttributeError:
        stored = {}
    fields = dict(stored) if type(stored) is dict else {}
    for kind in reversed(type.__dict__["__mro__"].__get__(type(value))):
        members = list(vars(kind).items()) if "__slots__" in vars(kind) else ()
        for name, member in members:
            if type(member) is types.MemberDescriptorType:
                try:
                    fields[name] = member.__get__(value)
                except AttributeError:  # a slot never assigned
                    continue
    return fields


def plain_object(value: Any) -> Any:
    """Public fields under the type's name; the repr when there are none."""
    fields = {k: v for k, v in own_fields(value).items() if not str(k).startswith("_")}
    if not fields:
        return bounded_repr(value)
    return {_TYPE: type_name(type(value)), **fields}


def _dataclass(value: Any) -> Any:
    have = own_fields(value)
    declared = type(value).__dataclass_fields__.values()
    return {f.name: have[f.name] if f.repr else _HIDDEN for f in declared if f.name in have}


def _attrs(value: Any) -> Any:
    have = own_fields(value)
    declared = type(value).__attrs_attrs__
    return {
        a.name: have[a.name] if a.repr is not False else _HIDDEN for a in declared if a.name in have
    }


def _pydantic(value: Any) -> Any:
    try:
        return value.model_dump(mode="json", warnings=False)
    except Exception:  # noqa: BLE001 - a field without a JSON form; the others still count
        return own_fields(value)


def _bytes(value: Any) -> str:
    data = bytes(memoryview(value)[:64])
    size = memoryview(value).nbytes
    try:
        shown = repr(data.decode())
    except UnicodeDecodeError:
        shown = data[:32].hex(" ")
    return f"<{size} bytes: {shown}{'…' if size > 64 else ''}>"


def _exception(value: BaseException) -> str:
    return _bounded(f"{type_name(type(value))}: {value}")


def _qualified(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _array(value: Any) -> Any:
    if value.dtype.names is None and value.size <= _WHOLE_ARRAY:
        return value.tolist()
    summary = {_TYPE: "numpy.ndarray", "shape": list(value.shape), "dtype": str(value.dtype)}
    if value.dtype.names is None:
        summary["head"] = value.ravel()[:_HEAD].tolist()
    return summary


def _numpy(value: Any) -> Any:
    if hasattr(type(value), "tolist") and getattr(value, "ndim", 0):
        return _array(value)
    item = value.item()
    return item if type(item) in (bool, int, float, str, bytes, complex) else str(value)


def _shaped(value: Any) -> dict[str, Any]:
    """A tensor: its elements may live on another device, where reading them blocks."""
    kind = type(value)
    return {
        _TYPE: f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}",
        "shape": list(value.shape),
        "dtype": str(value.dtype),
    }


def _frame(value: Any) -> dict[str, Any]:
    """A pandas or polars table or column, by its size and first rows."""
    kind = type(value)
    head = value.head(5)
    dump = getattr(head, "to_dict", None) or head.to_list
    rows = dump(orient="list") if len(value.shape) == 2 and "pandas" in kind.__module__ else dump()
    if len(value.shape) == 2 and "polars" in kind.__module__:
        rows = head.to_dict(as_series=False)
    return {
        _TYPE: f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}",
        "shape": list(value.shape),
        "head": rows,
    }


def _image(value: Any) -> dict[str, Any]:
    return {_TYPE: "PIL.Image", "size": list(value.size), "mode": value.mode}


_BY_TYPE: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda v: v._value_),
    (dict, lambda v: dict(dict.items(v))),
    (list, lambda v: [*list.__iter__(v)]),
    ((set, frozenset, deque), list),
    ((bytes, bytearray, memoryview), _bytes),
    ((datetime.datetime, datetime.date, datetime.time), lambda v: v.isoformat()),
    ((decimal.Decimal, fractions.Fraction, complex, uuid.UUID, datetime.timedelta), str),
    (os.PathLike, lambda v: _bounded(str(v))),
    (BaseException, _exception),
    (type, _qualified),
    ((types.FunctionType, types.BuiltinFunctionType, types.MethodType), _qualified),
    ((range, re.Pattern), bounded_repr),
    (Mapping, lambda v: dict(islice(v.items(), WIDE))),
    ((Sequence, Set, MappingView), lambda v: list(islice(iter(v), WIDE))),
)

_BY_LIBRARY: Final[dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]]] = {
    "numpy": (("ndarray", _numpy), ("generic", _numpy)),
    "pandas": (("DataFrame", _frame), ("Series", _frame), ("Index", lambda v: v.tolist())),
    "polars": (("DataFrame", _frame), ("Series", _frame)),
    "torch": (("Tensor", _shaped),),
    "jaxlib": (("ArrayImpl", _shaped),),
    "PIL": (("Image", _image),),
}


@lru_cache(maxsize=512)
def simplifier(kind: type) -> Callable[[Any], Any]:
    """The rule for a type that is not plain JSON. May raise when the type's own protocol does."""
    for base in kind.__mro__:
        for name, rule in _BY_LIBRARY.get(base.__module__.partition(".")[0], ()):
            if base.__name__ == name:
                return rule
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_dump"):
        return _pydantic
    if hasattr(kind, "get_secret_value"):
        return str
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        return _namedtuple if type(names) is tuple else lambda v: tuple(tuple.__iter__(v))
    if hasattr(kind, "__attrs_attrs__"):
        return _attrs
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass
    for base_types, rule in _BY_TYPE:
        if issubclass(kind, base_types):
            return rule
    return plain_object


def _namedtuple(value: Any) -> dict[str, Any]:
    return dict(zip(type(value)._fields, tuple.__iter__(value), strict=False))
