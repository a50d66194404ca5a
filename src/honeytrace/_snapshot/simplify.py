"""One step from any Python value towards JSON: what is shown where JSON has no word for a value.

`simplifier(type)` finds the rule for a type, once; the rule turns a value into a text, number,
list, tuple or dict, whose members are rendered in turn. Only protocols meant for showing a value
run its code: `model_dump`, `repr`, `str`, the iteration of a registered collection. Attributes are
read from the instance's own storage, never through `getattr`, so properties and lazy ORM columns
stay untriggered. Rules may raise: the caller records that instead.
"""

from __future__ import annotations

import codecs
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

from .._interrupts import interrupts
from .redact import Said

TEXT_LIMIT: Final = 2_000  # characters of a repr, a message or a preview
WIDE: Final = 100_000  # members read from a collection whose length nobody promised
_WHOLE_ARRAY: Final = 1_000  # elements; a larger array is shown by its head
_HEAD: Final = 8
_PREVIEW: Final = 64  # bytes
_LAST_WORD: Final = re.compile(r"[\w.~+/=-]{1,64}$")
_HIDDEN: Final = "<hidden: repr=False>"
_TYPE: Final = "__type__"


def type_name(kind: type) -> str:
    """The qualified name in ASCII, whatever the metaclass says."""
    name = str(type.__dict__["__qualname__"].__get__(kind))
    return name[:100].encode("ascii", "backslashreplace").decode()


def said(text: str) -> Said:
    """Text of at most `TEXT_LIMIT` characters."""
    text = str(text)  # a subclass would bring its own methods
    kept = text
    if len(text) > TEXT_LIMIT:
        # The last word goes too: half a secret no longer looks like one.
        kept = _LAST_WORD.sub("", text[:TEXT_LIMIT])
        kept += f"…[cut {len(text) - len(kept)} characters]"
    return Said(kept.encode("utf-8", "backslashreplace").decode())


def bounded_repr(value: Any) -> Said:
    """`repr(value)`, bounded."""
    return said(repr(value))


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


def _public(value: Any) -> dict[str, Any]:
    return {k: v for k, v in own_fields(value).items() if not str(k).startswith("_")}


def plain_object(value: Any) -> Any:
    """Public fields under the type's name; the repr when there are none."""
    fields = _public(value)
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
    except BaseException as error:  # a field without a JSON form; the others still count
        if interrupts(error):
            raise
        return _public(value)


def _bytes(value: Any) -> Said:
    data = memoryview(value)[:_PREVIEW].tobytes()[:_PREVIEW]
    size = memoryview(value).nbytes
    try:
        shown = repr(
            codecs.utf_8_decode(data, "strict", False)[0]
        )  # a character cut in two is fine
    except UnicodeDecodeError:
        shown = data.hex(" ")
    return said(f"<{size} bytes: {shown}{'…' if size > len(data) else ''}>")


def _exception(value: BaseException) -> Said:
    return said(f"{type_name(type(value))}: {value}")


def _sorted(value: Any) -> list[Any]:
    """A set in the same order in every process, where its members have one."""
    members = list(value)
    return sorted(members) if set(map(type, members)) in ({str}, {int}) else members


def _qualified(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _library_type(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def _numpy(value: Any) -> Any:
    """Scalars and small arrays as their values, large ones as shape, dtype and head."""
    if value.dtype.names is not None:  # tolist() would drop the names that redaction goes by
        return _shaped(value)
    if value.dtype.kind in "mM":  # tolist() makes bare integers of nanoseconds
        value = value.astype(str)
    if value.ndim == 0:
        item = value.item()
        return item if type(item) in (bool, int, float, complex, str, bytes) else str(value)
    if value.size <= _WHOLE_ARRAY:
        return value.tolist()
    return {**_shaped(value), "head": value.flat[:_HEAD].tolist()}


def _shaped(value: Any) -> dict[str, Any]:
    """For a tensor no more than this: reading elements from another device would block."""
    return {
        _TYPE: _library_type(value),
        "shape": list(value.shape),
        "dtype": str(value.dtype),
    }


def _table(**how: Any) -> Callable[[Any], Any]:
    def rule(value: Any) -> Any:
        rows = value.head(_HEAD).to_dict(**how)
        return {_TYPE: _library_type(value), "shape": list(value.shape), "head": rows}

    return rule


def _column(value: Any) -> Any:
    head = value[:_HEAD].to_list()
    return {_TYPE: _library_type(value), "shape": list(value.shape), "head": head}


def _image(value: Any) -> dict[str, Any]:
    return {_TYPE: _library_type(value), "size": list(value.size), "mode": value.mode}


_BY_TYPE: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda v: v._value_),
    (dict, lambda v: dict(dict.items(v))),
    (list, lambda v: [*list.__iter__(v)]),
    ((set, frozenset), _sorted),
    (deque, list),
    ((bytes, bytearray, memoryview), _bytes),
    ((datetime.datetime, datetime.date, datetime.time), lambda v: v.isoformat()),
    ((decimal.Decimal, fractions.Fraction, complex, uuid.UUID, datetime.timedelta), str),
    (os.PathLike, lambda v: said(str(v))),
    (BaseException, _exception),
    (type, _qualified),
    ((types.FunctionType, types.BuiltinFunctionType, types.MethodType), _qualified),
    ((range, re.Pattern), bounded_repr),
    (Mapping, lambda v: dict(islice(v.items(), WIDE))),
    ((Sequence, Set, MappingView), lambda v: list(islice(iter(v), WIDE))),
)

_BY_LIBRARY: Final[dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]]] = {
    "numpy": (("ndarray", _numpy), ("generic", _numpy)),
    "pandas": (("DataFrame", _table(orient="list")), ("Series", _column), ("Index", _column)),
    "polars": (("DataFrame", _table(as_series=False)), ("Series", _column)),
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
