"""A pytest plugin that puts every function of a package under a decorator, as it is imported.

DECORATE names the package, DECORATE_WITH the decorator: `wraps`, an ordinary one of `functools`, or
`traced`. Prints one JSON object at the end: the outcome of every test, and the sessions recorded.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import honeytrace

TARGET = os.environ["DECORATE"]
METHODS = (types.FunctionType, staticmethod, classmethod)
outcomes: dict[str, str] = {}


def ordinary(target: Any) -> Any:
    """Return what a careful decorator of `functools.wraps` makes of a function or a method."""
    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(ordinary(target.__func__))

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await target(*args, **kwargs)

    def iterated(*args: Any, **kwargs: Any) -> Any:
        return (yield from target(*args, **kwargs))

    def passed(*args: Any, **kwargs: Any) -> Any:
        return target(*args, **kwargs)

    made: Any = passed
    if inspect.iscoroutinefunction(target):
        made = awaited
    elif inspect.isgeneratorfunction(target):
        made = iterated
    return functools.wraps(target)(made)


decorator = honeytrace.trace_session if os.environ["DECORATE_WITH"] == "traced" else ordinary


def decorate(module: types.ModuleType) -> None:
    """Put all functions, methods and properties that a module defines under the decorator."""
    for owner in [module, *_classes(module, module.__name__)]:
        for name, value in list(vars(owner).items()):
            if type(value) is property:
                parts = (value.fget, value.fset, value.fdel)
                made = [decorator(part) if part else None for part in parts]
                _set(owner, name, property(*made, value.__doc__))
            elif isinstance(value, METHODS) and _module(value) == module.__name__:
                if _looks_at_its_caller(value):
                    continue
                _set(owner, name, decorator(value))


def _set(owner: Any, name: str, value: Any) -> None:
    try:
        setattr(owner, name, value)
    except (AttributeError, TypeError):  # an enumeration's member, an immutable class
        pass


def _looks_at_its_caller(value: Any) -> bool:
    """Return whether a function asks for the frame that calls it, which any decorator changes."""
    names = getattr(value, "__func__", value).__code__.co_names
    return "_getframe" in names or "currentframe" in names


def _module(value: Any) -> str | None:
    return getattr(value, "__module__", None)


def _classes(owner: Any, module: str) -> Iterator[type]:
    """Yield the classes that are defined in an owner and in each other."""
    ahead, seen = [owner], {id(owner)}
    while ahead:
        for value in list(vars(ahead.pop()).values()):
            if inspect.isclass(value) and value.__module__ == module and id(value) not in seen:
                seen.add(id(value))
                ahead.append(value)
                yield value


class DecoratingFinder(importlib.abc.MetaPathFinder):
    """Finds the target's modules as usual, and decorates each when it is executed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != TARGET and not name.startswith(f"{TARGET}."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, importlib.abc.InspectLoader):
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            execute(module)
            decorate(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


for imported in [n for n in sys.modules if n == TARGET or n.startswith(f"{TARGET}.")]:
    del sys.modules[imported]  # pytest has imported it, undecorated
sys.meta_path.insert(0, DecoratingFinder())


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_collectreport(report: Any) -> None:
    if report.outcome == "failed":
        outcomes[report.nodeid] = "failed"


def pytest_unconfigure() -> None:
    honeytrace.flush(timeout=60)
    found = {"outcomes": outcomes, "recorded": honeytrace.stats().recorded}
    with open(os.environ["DECORATE_REPORT"], "w") as file:
        json.dump(found, file)
