"""The traced functions of this process, by weak reference, and the place of each in its source.

Replay looks functions up here, and answers their calls from a recording.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any
from weakref import WeakSet

from .templates import cells_of

_traced: WeakSet[FunctionType] = WeakSet()
_listener: Callable[[FunctionType], None] | None = None


def add(traced: FunctionType) -> None:
    """Remember a traced function, and tell the listener."""
    _traced.add(traced)
    if _listener is not None:
        _listener(traced)


def listen(listener: Callable[[FunctionType], None] | None) -> None:
    """Set the function that hears of every function traced from now on; None for nobody."""
    global _listener
    _listener = listener


def traced_functions() -> list[FunctionType]:
    """Return the traced functions that are alive, in no particular order."""
    found: list[FunctionType] | None = None
    while found is None:
        with suppress(RuntimeError):  # another thread has decorated a function meanwhile
            found = list(_traced)
    return found


def spec_of(traced: FunctionType) -> Any:
    """Return the `Spec` of a traced function."""
    return cells_of(traced)["_ht_spec"].cell_contents


def target_of(traced: FunctionType) -> Callable[..., Any]:
    """Return the undecorated function, or the stub that `call_instead` has set."""
    found: Callable[..., Any] = cells_of(traced)["_ht_fn"].cell_contents
    return found


def call_instead(traced: FunctionType, stub: Callable[..., Any]) -> None:
    """Make a traced function call `stub`, which must be of the same kind, from its next call on."""
    cells_of(traced)["_ht_fn"].cell_contents = stub


def place_of(target: Any) -> str | None:
    """Return the source of a function, `module:qualname@file:line`; None if it is not Python.

    The file is relative to the longest entry of `sys.path`, or to the working directory, that
    contains it. Otherwise the path is unchanged.
    """
    target = getattr(target, "__func__", target)
    code = getattr(target, "__code__", None)
    if code is None:
        return None
    module, qualname = getattr(target, "__module__", None), getattr(target, "__qualname__", "")
    place = f"{module or '?'}:{qualname}@{_relative(code.co_filename)}:{code.co_firstlineno}"
    # a file name that is not UTF-8 has surrogates, which JSON has no word for
    return place if place.isascii() else place.encode("utf-8", "backslashreplace").decode()


def _relative(file: str) -> str:
    best = ""
    for entry in sys.path:
        folder = os.path.join(entry, "") if isinstance(entry, str) and entry else ""
        if len(folder) > len(best) and file.startswith(folder):
            best = folder
    if not best and os.path.isabs(file):
        try:
            here = os.path.join(os.getcwd(), "")
        except OSError:  # the directory was deleted
            return file
        best = here if file.startswith(here) else ""
    return file[len(best) :]
