"""The annotations of a function, each evaluated by itself."""

from __future__ import annotations

import typing
from collections import abc
from functools import partial
from types import FunctionType
from typing import Any

_YIELDING = (
    *(abc.Iterator, abc.Iterable, abc.Generator),
    *(abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator),
)


class Missing:
    """The type of a value without annotation."""


def innermost(fn: Any) -> Any:
    """Return the Python function that a callable runs: below decorators, partials and objects."""
    while True:
        if isinstance(fn, partial):
            fn = fn.func
        elif hasattr(fn, "__wrapped__"):
            fn = fn.__wrapped__
        elif hasattr(fn, "__func__"):
            fn = fn.__func__
        elif isinstance(fn, (FunctionType, type)):
            return fn
        else:
            call = vars(type(fn)).get("__call__")
            if not isinstance(call, FunctionType):
                return fn
            fn = call


def evaluated(fn: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the evaluated annotations of a function, and the names of bad ones with the reason.

    `typing.get_type_hints` of the whole function loses every annotation when one is a name that is
    imported for type checkers only. Variables of enclosing functions count.
    """
    fn = innermost(fn)
    raw = getattr(fn, "__annotations__", None)
    if not isinstance(raw, dict) or not isinstance(fn, FunctionType):
        return {}, {}
    names = zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False)
    local = {name: cell.cell_contents for name, cell in names if _is_filled(cell)}
    found: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for name, annotation in raw.items():

        def probe() -> None: ...

        probe.__annotations__ = {name: annotation}
        probe.__module__ = fn.__module__
        try:
            hints = typing.get_type_hints(probe, fn.__globals__, local, include_extras=True)
        except Exception as error:  # noqa: BLE001 - evaluating an annotation may do anything
            bad[name] = f"{type(error).__name__}: {error}"
        else:
            found[name] = hints[name]
    return found, bad


def yielded(annotation: Any) -> Any:
    """Return the type of what a generator yields, by the annotation of its result."""
    arguments = typing.get_args(annotation)
    is_known = typing.get_origin(annotation) in _YIELDING and arguments
    return arguments[0] if is_known else Missing


def returned_by(annotation: Any) -> Any:
    """Return the type of what a generator returns, by the annotation of its result."""
    arguments = typing.get_args(annotation)
    is_generator = typing.get_origin(annotation) is abc.Generator and len(arguments) > 2
    return arguments[2] if is_generator else Missing


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - reading it is the check
    except ValueError:
        return False
    return True
