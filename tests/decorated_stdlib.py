"""Run CPython's own tests of a standard library package here, decorated at import or not.

    python decorated_stdlib.py TARGET TESTS plain|traced

With `traced`, every function, class method, static method and property that the package defines is
put under `trace_session` as its modules are executed, so fresh imports by the tests are traced too.
Prints one JSON object: the outcome of every test by id, and how many sessions were recorded.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import inspect
import json
import sys
import types
import unittest
from collections.abc import Iterator
from typing import Any

from honeytrace import flush, stats, trace_session

METHODS = (types.FunctionType, staticmethod, classmethod)


def decorate(module: types.ModuleType) -> None:
    """Put all that the module itself defines under the tracer."""
    for owner in [module, *_classes(module, module.__name__)]:
        for name, value in list(vars(owner).items()):
            if isinstance(value, property):
                parts = (value.fget, value.fset, value.fdel)
                traced = [trace_session(part) if part else None for part in parts]
                setattr(owner, name, property(*traced, value.__doc__))
            elif isinstance(value, METHODS) and _module(value) == module.__name__:
                setattr(owner, name, trace_session(value))


def _module(value: Any) -> str | None:
    return getattr(value, "__module__", None)  # a static method of a built-in has none


def _classes(owner: Any, module: str) -> Iterator[type]:
    for value in list(vars(owner).values()):
        if inspect.isclass(value) and value.__module__ == module:
            yield value
            yield from _classes(value, module)


class DecoratingFinder(importlib.abc.MetaPathFinder):
    """Finds the target's modules as usual, and decorates each when it is executed."""

    def __init__(self, target: str) -> None:
        self.target = target

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.target and not name.startswith(f"{self.target}."):
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


class Outcomes(unittest.TestResult):
    """The outcome of every test and of every failing subtest, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().startTest(test)
        self.by_id[test.id()] = "passed"

    def stopTestRun(self) -> None:  # noqa: N802 - unittest's name
        for outcome in ("failures", "errors", "skipped", "expectedFailures"):
            for test, text in getattr(self, outcome):
                self.by_id[test.id()] = f"{outcome}: {text}"


def main(target: str, tests: str, how: str) -> None:
    if how == "traced":
        for name in [n for n in sys.modules if n == target or n.startswith(f"{target}.")]:
            del sys.modules[name]  # imported on the way here, undecorated
        sys.meta_path.insert(0, DecoratingFinder(target))
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromName(tests).run(outcomes)
    outcomes.stopTestRun()
    flush(timeout=60)
    print(json.dumps({"outcomes": outcomes.by_id, "recorded": stats().recorded}))


if __name__ == "__main__":
    main(*sys.argv[1:])
