"""Recorded JSON back to Python values, by their annotations.

pydantic makes the values where it is installed. Every value that was made is recorded again, and
refused if that gives other JSON than the recording has: a value is exact, or it is not given.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections import abc
from collections.abc import Callable, Iterator
from typing import Any

from .._base.lazy import orjson
from .._snapshot.snapshotter import Snapshotter
from .annotations import Missing
from .damage import damage, pictures

_UNTYPED = (Missing, inspect.Parameter.empty, Any, object, None)
_PLAIN = (str, int, float, bool, type(None))
_NUMBERS = (bool, int, float)
_ITERATORS = (abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncGenerator)
_SHOWN = 60
"""Characters of a value in a message."""


class NotRebuilt(Exception):  # noqa: N818 - reads as `raise NotRebuilt`
    """A value cannot be made from its recording; the message names it and says why."""


def again(value: Any) -> Any:
    """Return a value as it would be recorded, decoded."""
    return orjson.loads(Snapshotter().encode(value, [], ""))


def rebuild(value: Any, annotation: Any, where: str) -> Any:
    """Return the value that was recorded as `value`. Raises NotRebuilt.

    where: the path of the value, for messages.
    """
    for path, fault in damage(value, where):
        raise NotRebuilt(f"{path} {fault}")
    return _made(value, annotation, where)


def _made(value: Any, annotation: Any, where: str) -> Any:
    if any(annotation is each for each in _UNTYPED):
        for path, text in pictures(value, where):
            raise NotRebuilt(f"{path} is an object ({text:.60}), which JSON cannot hold")
        return value
    if type(value) is annotation and annotation in _PLAIN:
        return value
    origin = typing.get_origin(annotation)
    if value is None and annotation is float:
        raise NotRebuilt(f"{where} was a NaN or an infinity, which JSON cannot hold")
    if origin in (typing.Union, types.UnionType):
        return _made_of_union(value, annotation, where)
    if annotation in (Callable, type) or origin in (Callable, abc.Callable, type):
        raise NotRebuilt(f"{where} is a {_name(annotation)}, which JSON cannot hold")
    if (origin or annotation) in _ITERATORS:
        raise NotRebuilt(f"{where} is an iterator, whose items were not recorded")
    try:
        import pydantic as _  # noqa: F401 - an optional library
    except ImportError:
        return _by_hand(value, annotation, where)
    return _by_pydantic(value, annotation, where)


def _made_of_union(value: Any, annotation: Any, where: str) -> Any:
    """Return the value of the only member that fits; several are refused."""
    members = [each for each in typing.get_args(annotation) if each is not type(None)]
    if value is None and len(members) < len(typing.get_args(annotation)):
        return None
    for member in _NUMBERS:
        if type(value) is member and member in members:
            return value
    made: list[tuple[Any, Any]] = []
    fault: NotRebuilt | None = None
    for member in members:
        try:
            made.append((member, _made(value, member, where)))
        except NotRebuilt as error:  # noqa: PERF203 - the next member may fit
            fault = error
    if len(made) > 1:
        names = ", ".join(_name(member) for member, _ in made)
        raise NotRebuilt(f"{where} may be any of {names}")
    if not made:
        raise fault or NotRebuilt(f"{where} is no {_name(annotation)}")
    return made[0][1]


def _by_pydantic(value: Any, annotation: Any, where: str) -> Any:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    adapter: Any
    try:
        try:
            adapter = TypeAdapter(annotation)
        except PydanticUserError:
            raise
        except Exception:  # noqa: BLE001 - a type that pydantic does not know
            adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except Exception as error:
        why = _first_lines(error)
        raise NotRebuilt(f"{where} is a {_name(annotation)}, unknown to pydantic: {why}") from error
    faults: list[str] = []
    for attempt in _attempts(adapter, annotation, value):
        try:
            made = attempt()
        except Exception as error:  # noqa: BLE001 - validators are the program's code
            faults.append(_first_lines(error))
            continue
        back = again(made)
        if not _is_same(back, value):
            faults.append(f"what comes of it would be recorded as {short(back)}")
        elif isinstance(made, (bytes, bytearray, memoryview)) or type(made).__module__ == "re":
            faults.append("its record is a text about it")
        else:
            return made
    raise NotRebuilt(
        f"{where} is a {_name(annotation)}, not to be made of {short(value)}: {faults[0]}"
    )


def _attempts(adapter: Any, annotation: Any, value: Any) -> Iterator[Callable[[], Any]]:
    """Yield the ways to validate: with field names and aliases, in Python and in JSON mode."""
    computed = getattr(annotation, "model_computed_fields", None) or ()
    values = [value]
    if computed and isinstance(value, dict):  # `extra="forbid"` refuses computed fields
        values.append({name: each for name, each in value.items() if name not in computed})
    for each in values:
        data = orjson.dumps(each)
        for names in ({"by_name": True, "by_alias": True}, {}):
            yield lambda each=each, names=names: adapter.validate_python(each, **names)  # type: ignore[misc]
            yield lambda data=data, names=names: adapter.validate_json(data, **names)  # type: ignore[misc]


def _by_hand(value: Any, annotation: Any, where: str) -> Any:
    """Return JSON types, containers of them and members of enumerations; refuse anything else."""
    origin, inside = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if annotation is float and type(value) is int:
        return float(value)
    if origin in (list, abc.Sequence) and isinstance(value, list):
        item = inside[0] if inside else Any
        return [_made(each, item, f"{where}[{i}]") for i, each in enumerate(value)]
    if origin in (dict, abc.Mapping) and isinstance(value, dict) and (inside or (str,))[0] is str:
        item = inside[1] if inside else Any
        return {name: _made(each, item, f"{where}.{name}") for name, each in value.items()}
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        for member in origin:
            if _is_same(again(member), value):
                return member
    if origin is typing.Literal and any(_is_same(each, value) for each in inside):
        return value
    raise NotRebuilt(
        f"{where} is a {_name(annotation)}, which needs pydantic: pip install pydantic"
    )


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two trees are equal, kinds of numbers included: 1, 1.0 and True differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ", ".join(lines[:3])[:200] or type(error).__name__


def short(value: Any, limit: int = _SHOWN) -> str:
    """Return a value as JSON of at most `limit` characters."""
    text = orjson.dumps(value, default=repr).decode()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
