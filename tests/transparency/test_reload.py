"""Code that is exchanged while the program runs: a traced function goes on as an ordinary one."""

from __future__ import annotations

import asyncio
import importlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest

from honeytrace.testing import capture

SOURCE = """
from honeytrace import trace_session

@trace_session
def function(x): return x + 1
@trace_session
async def coroutine(x): return x + 1
@trace_session
def generator(x): yield x + 1
@trace_session
async def async_generator(x): yield x + 1
class Box:
    @trace_session
    def method(self, x): return x + 1
    @classmethod
    @trace_session
    def of_class(cls, x): return x + 1
"""
CHANGES: dict[str, Callable[[str], str]] = {
    "another body": lambda source: source.replace("x + 1", "x + 10"),
    "one more parameter": lambda s: s.replace("x)", "x, more=10)").replace("x + 1", "x + more"),
    "another name": lambda source: source.replace("x", "y"),
    "a decorator below": lambda source: (
        BELOW + re.sub(r"( *)@trace_session\n", r"\1@trace_session\n\1@below\n", source)
    ),
}
BELOW = """
import functools
def below(fn):
    if "generator" in fn.__name__ or fn.__name__ == "coroutine":
        return fn
    @functools.wraps(fn)
    def passed(*args, **kwargs): return fn(*args, **kwargs)
    return passed
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that holds one traced function of each kind."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "reloaded_module.py").write_text(SOURCE)
    yield importlib.import_module("reloaded_module")
    sys.modules.pop("reloaded_module", None)


def functions(module: Any) -> dict[str, Any]:
    names = ("function", "coroutine", "generator", "async_generator")
    box = module.Box
    methods = {"method": box.method, "of_class": box.of_class.__func__}
    return {name: getattr(module, name) for name in names} | methods


def reload(module: ModuleType, source: str, old: dict[str, Any]) -> None:
    """Reload a module and give its old functions the code of the new ones.

    As `update_function` of IPython's autoreload does:
    https://github.com/ipython/ipython/blob/main/IPython/extensions/autoreload.py
    """
    assert module.__file__
    Path(module.__file__).write_text(source)
    importlib.invalidate_caches()
    importlib.reload(module)
    for name, new in functions(module).items():
        for part in ("__code__", "__defaults__", "__doc__", "__dict__"):
            setattr(old[name], part, getattr(new, part))


def called(old: dict[str, Any]) -> list[Any]:
    async def drained() -> list[Any]:
        return [item async for item in old["async_generator"](1)]

    return [
        old["function"](1),
        asyncio.run(old["coroutine"](1)),
        list(old["generator"](1)),
        asyncio.run(drained()),
        old["method"](None, 1),
        old["of_class"](None, 1),
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_old_function_runs_the_new_code(module: ModuleType, change: str) -> None:
    """A function that was imported before a reload does what the new source says, each time."""
    old = functions(module)
    assert called(old) == [2, 2, [2], [2], 2, 2]
    for source in (CHANGES[change](SOURCE), SOURCE, CHANGES[change](SOURCE)):
        reload(module, source, old)
        for _ in range(2):
            with capture() as sessions:
                assert called(old) == called(functions(module))
            assert [s.inputs for s in sessions[:6]] == [s.inputs for s in sessions[6:]]


def test_more_reloads_than_generations(module: ModuleType) -> None:
    """Every one of twenty reloads in a row is noticed."""
    old = functions(module)
    for i in range(20):
        reload(module, SOURCE.replace("x + 1", f"x + {i}"), old)
        assert called(old)[0] == 1 + i


def test_reloaded_function_pickles_by_value(module: ModuleType) -> None:
    """A function of any generation runs, and is recorded, after a pickle by value."""
    reload(module, SOURCE.replace("x + 1", "x + 5"), functions(module))
    cloudpickle.register_pickle_by_value(module)
    try:
        loaded = pickle.loads(cloudpickle.dumps(module.function))
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    with capture() as sessions:
        assert loaded(1) == 6
    assert sessions[0].inputs == {"x": 1}


def test_reload_keeps_the_switch(module: ModuleType) -> None:
    """Reloaded functions record nothing once recording is turned off."""
    import honeytrace

    reload(module, SOURCE.replace("x + 1", "x + 5"), functions(module))
    with capture() as sessions, honeytrace.paused():
        assert called(functions(module))[0] == 6
    assert not sessions
