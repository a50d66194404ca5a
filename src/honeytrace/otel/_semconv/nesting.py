"""Flattened attribute names to nested values, and JSON inside strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

STEPS = 32
"""Levels that a dotted path makes; the rest of a longer path stays one key."""


def parsed(value: Any) -> Any:
    """The object or list in a JSON text; any other value as it is."""
    if type(value) is str and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def place(target: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path. Below a value that is already there, the rest is one key."""
    steps = path.split(".", STEPS)
    for i, step in enumerate(steps[:-1]):
        below = target.setdefault(step, {})
        if type(below) is not dict:
            target[".".join(steps[i:])] = value
            return
        target = below
    last = steps[-1]
    if type(target.get(last)) is dict:  # `a.b` came before `a`
        last = f"{last}.value"
    target[last] = value


def with_lists(value: Any) -> Any:
    """Objects whose keys are 0, 1, 2, … are the lists they were before they were flattened."""
    if type(value) is not dict:
        return value
    inner = {key: with_lists(item) for key, item in value.items()}
    if inner and all(key.isdecimal() and key.isascii() for key in inner):
        ordered = sorted(inner, key=int)
        if ordered == [str(i) for i in range(len(ordered))]:
            return [inner[key] for key in ordered]
    return inner


def template(names: Iterable[str], prefix: str) -> Any:
    """Return the nested value that names below a prefix stand for, with the names as its leaves."""
    nested: dict[str, Any] = {}
    for name in names:
        place(nested, name[len(prefix) :], name)
    return with_lists(nested)


def filled(template: Any, attributes: dict[str, Any]) -> Any:
    """Return a `template` with the values of its names, which are taken out of `attributes`."""
    if type(template) is str:
        return attributes.pop(template, None)
    if type(template) is list:
        return [filled(each, attributes) for each in template]
    return {
        key: attributes.pop(each, None) if type(each) is str else filled(each, attributes)
        for key, each in template.items()
    }


def as_object(value: Any, key: str) -> dict[str, Any]:
    """A value as the object that the wire asks for: anything but an object goes below `key`."""
    value = parsed(value)
    return value if type(value) is dict else {key: value}
