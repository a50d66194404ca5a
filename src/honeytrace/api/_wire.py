"""Models as JSON objects, and back. The annotation of a field says what it may hold.

Requests are checked strictly before any I/O, and one error names all faults. Replies are tolerant:
null is absent, and unknown fields and unexpected values are kept in `extra`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from honeytrace.api.errors import ValidationError

if TYPE_CHECKING:
    from honeytrace.api._httpx import AnyResponse

M = TypeVar("M")

_WRONG: Any = object()
_LOCAL = {"extra", "answered_by"}  # fields of a reply that the client sets, not the server


class _Kind(NamedTuple):
    expected: str
    take: Callable[[Any], Any]  # the value for the wire, or _WRONG


class _Field(NamedTuple):
    wire_name: str
    kind: _Kind
    required: bool


def _instance(*types: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, types) else _WRONG


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _WRONG
    return value if isinstance(value, int) or math.isfinite(value) else _WRONG


def _integer(value: Any) -> Any:
    number = _number(value)
    return int(number) if number is not _WRONG and number == int(number) else _WRONG


def _milliseconds(value: Any) -> Any:
    """Python 1.x of the official client makes 1712025499832.0 of every time."""
    whole = _integer(value)
    return _number(value) if whole is _WRONG else whole


def _object(value: Any) -> Any:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    return _WRONG


def _list(take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def take_list(value: Any) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            return _WRONG
        taken = [take(item) for item in value]
        return _WRONG if any(item is _WRONG for item in taken) else taken

    return take_list


def _one_of(*names: str) -> _Kind:
    return _Kind(" or ".join(map(repr, names)), lambda v: v if v in names else _WRONG)


_KINDS = {
    "str": _Kind("a string", _instance(str)),
    "bool": _Kind("true or false", _instance(bool)),
    "float": _Kind("a finite number", _number),
    "int": _Kind("an integer", _integer),
    "Milliseconds": _Kind("a finite number", _milliseconds),
    "JsonObject": _Kind("a mapping with string keys", _object),
    "Sequence[str]": _Kind("a list of strings", _list(_instance(str))),
    "Sequence[JsonObject]": _Kind("a list of mappings", _list(_object)),
    "LegacyEventType": _one_of("model", "tool", "chain"),
    "EventType": _one_of("session", "model", "tool", "chain"),
}


def nested(annotation: str, model: type) -> None:
    """Let fields annotated `annotation` hold a list of `model`, or of mappings shaped like it."""

    def take(item: Any) -> Any:
        return build(model, item) if isinstance(item, (model, Mapping)) else _WRONG

    _KINDS[annotation] = _Kind(f"a list of {model.__name__} or mappings", _list(take))


@cache
def _fields(model: type) -> dict[str, _Field]:
    """The model's fields by their Python names."""
    fields = {}
    for field in dataclasses.fields(model):
        if field.name not in _LOCAL:
            annotation = str(field.type)  # a string: annotations are postponed in `models`
            kind = _KINDS[annotation.removesuffix(" | None")]
            wire_name = field.metadata.get("wire", field.name)
            fields[field.name] = _Field(wire_name, kind, not annotation.endswith(" | None"))
    return fields


def build(
    model: type,
    request: Any = None,
    fields: Mapping[str, Any] | None = None,
    *,
    wrapper: str | None = None,
) -> dict[str, Any]:
    """The JSON object of a request given as a `model`, as a mapping, as keyword fields, or mixed.

    A mapping may be wrapped as on the wire: `{wrapper: {...}}`. None is absent. Raises
    ValidationError naming every field that is unknown, missing or of the wrong type.
    """
    if wrapper and isinstance(request, Mapping) and request.keys() == {wrapper}:
        request = request[wrapper]
    if isinstance(request, model):
        request = {name: getattr(request, name) for name in _fields(model)}
    if not isinstance(request, (Mapping, type(None))):
        raise ValidationError(
            f"Input validation failed: pass a {model.__name__} or a mapping, not {request!r:.80}",
            request,
        )
    known = _fields(model)
    by_wire = {field.wire_name: name for name, field in known.items()}
    given = {by_wire.get(str(k), k): v for k, v in {**(request or {}), **(fields or {})}.items()}

    unknown = [name for name in given if name not in known]
    problems = [f"{name!s:.80} is not a field of {model.__name__}" for name in unknown]
    wire = {}
    for name, field in known.items():
        value = given.get(name)
        if value is None:
            problems += [f"{name} is required"] if field.required else []
            continue
        taken = field.kind.take(value)
        if taken is _WRONG:
            problems.append(f"{name} must be {field.kind.expected}, not {value!r:.80}")
        wire[field.wire_name] = taken
    if problems:
        raise ValidationError(f"Input validation failed: {'; '.join(problems)}", given)
    return wire


def encode(payload: Any) -> bytes:
    """JSON bytes. Raises ValidationError for what JSON cannot say, NaN and cycles among it.

    The standard library's encoder, since orjson writes NaN as null and refuses large integers.
    """
    try:
        return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"Input validation failed: not JSON: {error}", payload) from error


def read(
    model: Callable[..., M], data: Any, response: AnyResponse | None = None, **local: Any
) -> M:
    """Return a reply model of a JSON object; see the module for what is tolerated.

    Raises ValidationError when `data` is not an object, or lacks a field that every caller needs.
    """
    if not isinstance(data, Mapping):
        raise ValidationError("Response validation failed: not a JSON object", data, response)
    known = {field.wire_name: (name, field) for name, field in _fields(model).items()}
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for wire_name, value in data.items():
        name, field = known.get(wire_name, (wire_name, None))
        if field is None:
            extra[wire_name] = value
        elif value is not None:
            taken = field.kind.take(value)
            (extra if taken is _WRONG else values)[name] = value if taken is _WRONG else taken
    missing = [n for n, f in _fields(model).items() if f.required and n not in values]
    if missing:
        raise ValidationError(
            f"Response validation failed: no {', '.join(missing)}", data, response
        )
    return model(**values, extra=extra, **local)


def whole(value: Any) -> int | None:
    """The value as an int, or None when it is no whole number."""
    taken = _integer(value)
    return None if taken is _WRONG else int(taken)


def to_dict(model: Any) -> dict[str, Any]:
    """The JSON object a reply model came from, without nulls."""
    values = {f.wire_name: getattr(model, n) for n, f in _fields(model.__class__).items()}
    return {name: value for name, value in values.items() if value is not None} | dict(model.extra)
