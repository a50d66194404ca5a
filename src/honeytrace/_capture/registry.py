"""The traced functions of this process, by weak reference, and the place of each in its source.

Replay looks functions up here, and answers their calls from a recording.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any
from weakref import WeakSet

from .templates import cells_of

_traced: WeakSet[FunctionType] = WeakSet()
_listeners: list[Callable[[FunctionType], None]] = []


def add(traced: FunctionType) -> None:
    """Remember a traced function, and tell the listeners."""
    _traced.add(traced)
    for listener in _listeners:
        listener(traced)


def listen(listener: Callable[[FunctionType], None]) -> None:
    """Tell this function of every function that is traced from now on."""
    if listener not in _listeners:
        _listeners.append(listener)


def unlisten(listener: Callable[[FunctionType], None]) -> None:
    """Tell this function of nothing any more."""
    _listeners.remove(listener)


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
    contains it. Otherwise the path is unchanged. A program's `__main__` is relative to the working
    directory first, since the directory of a script is an entry of `sys.path`.
    """
    target = getattr(target, "__func__", target)
    code = getattr(target, "__code__", None)
    if code is None:
        return None
    module, qualname = getattr(target, "__module__", None), getattr(target, "__qualname__", "")
    entries = [] if module == "__main__" else sys.path
    file = _relative(code.co_filename, entries) or _relative(code.co_filename, sys.path)
    place = f"{module or '?'}:{qualname}@{file or code.co_filename}:{code.co_firstlineno}"
    # a file name that is not UTF-8 has surrogates, which JSON has no word for
    return place if place.isascii() else place.encode("utf-8", "backslashreplace").decode()


def _relative(file: str, entries: Sequence[str]) -> str | None:
    """Return a file's path below the longest entry or the working directory that contains it."""
    best = ""
    for entry in entries:
        folder = os.path.join(entry, "") if isinstance(entry, str) and entry else ""
        if len(folder) > len(best) and file.startswith(folder):
            best = folder
    if not best and os.path.isabs(file):
        try:
            best = os.path.join(os.getcwd(), "")
        except OSError:  # the directory was deleted
            return None
    return file[len(best) :] if best and file.startswith(best) else None
