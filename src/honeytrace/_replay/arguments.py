"""The arguments of a recorded call, made anew from its inputs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.lazy import orjson
from ..errors import ReplayError
from .annotations import Missing, evaluated
from .code import Code, is_script, named
from .values import NotRebuilt, rebuild

_INSTANCES = ("self", "cls")
_BOUND = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


@dataclass
class Arguments:
    """`args` and `kwargs` of a call; `problems` by parameter stand in the way of it."""

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """The arguments by parameter, for the plan."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def arguments_of(
    fn: Any, inputs: Mapping[str, Any], given: Mapping[str, Any], code: Code | None
) -> Arguments:
    """Return the arguments of a recorded call of `fn`; `given` values take precedence."""
    made = Arguments()
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError) as error:
        raise ReplayError(f"{fn!r} has no signature to call it by: {error}") from error
    known, bad = evaluated(fn)
    for name, parameter in parameters.items():
        if name in bad:
            made.notes.append(f"{name}: its annotation cannot be used ({bad[name]})")
        try:
            value = _value(name, parameter, inputs, given, known.get(name, Missing), made)
        except NotRebuilt as error:
            made.problems.append(f"{error}; --set {name}=@{name}.json")
            continue
        except LookupError:
            made.problems.append(_not_recorded(name, code))
            continue
        if value is not _USE_DEFAULT:
            made.values[name] = value
            _bind(made, name, parameter, value, list(parameters))
    gone = set(inputs) - set(parameters)
    made.problems += [f"{name} is no parameter any more" for name in sorted(gone)]
    unknown = set(given) - set(parameters)
    made.problems += [
        f"{name} is no parameter; there are {', '.join(parameters) or 'none'}"
        for name in sorted(unknown)
    ]
    return made


_USE_DEFAULT: Any = object()


def _value(
    name: str,
    parameter: inspect.Parameter,
    inputs: Mapping[str, Any],
    given: Mapping[str, Any],
    annotation: Any,
    made: Arguments,
) -> Any:
    """Return the value of a parameter. Raises NotRebuilt, and LookupError if it has none."""
    if name in given:
        return given[name]
    if name in inputs:
        recorded = inputs[name]
        if parameter.kind is parameter.VAR_POSITIONAL and isinstance(recorded, list):
            return [rebuild(v, annotation, f"{name}[{i}]") for i, v in enumerate(recorded)]
        if parameter.kind is parameter.VAR_KEYWORD and isinstance(recorded, dict):
            return {k: rebuild(v, annotation, f"{name}.{k}") for k, v in recorded.items()}
        if annotation is Missing and not isinstance(recorded, (str, int, float, type(None))):
            made.notes.append(f"{name} has no annotation: it is given as JSON")
        return rebuild(recorded, annotation, name)
    if parameter.kind in _BOUND:
        return _USE_DEFAULT
    if parameter.default is not parameter.empty:
        made.notes.append(f"{name} was not recorded: its default {parameter.default!r:.60} is used")
        return _USE_DEFAULT
    raise LookupError(name)


def _bind(
    made: Arguments, name: str, parameter: inspect.Parameter, value: Any, order: list[str]
) -> None:
    by_place = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    if parameter.kind is parameter.VAR_POSITIONAL:
        made.args += value
    elif parameter.kind is parameter.VAR_KEYWORD:
        made.kwargs.update(value)
    elif by_place and len(made.args) == order.index(name):
        made.args.append(value)
    else:
        made.kwargs[name] = value


def _not_recorded(name: str, code: Code | None) -> str:
    module = "module" if code is None else code.module
    if code is not None and is_script(code.module):
        module = os.path.splitext(os.path.basename(code.file))[0]
    if name in _INSTANCES and code is not None:
        owner, _, method = code.qualname.rpartition(".")
        return f"{method} is a method of {owner}: --set {name}={module}:{owner}()"
    return f"{name} was not recorded: --set {name}={module}:make_{name}()"


def given_value(text: str) -> Any:
    """Return the value that `--set name=text` gives: JSON, `@file.json`, `module:expression`, or
    the text itself. Raises ReplayError."""
    if text.startswith("@"):
        try:
            with open(text[1:], "rb") as file:
                return orjson.loads(file.read())
        except (OSError, ValueError) as error:
            raise ReplayError(f"{text}: {error}") from error
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    module, colon, expression = text.partition(":")
    if colon and expression and all(part.isidentifier() for part in module.split(".")):
        return named(text)
    return text
