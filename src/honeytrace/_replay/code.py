"""The place that a record names, and the import of the function there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from ..errors import ReplayError

MAIN = "__honeytrace_main__"
"""The name under which the file of a recorded `__main__` is imported."""

_importing = threading.RLock()
"""Held while a script is imported: otherwise another thread could get it half-built."""


class Code(NamedTuple):
    """A place: `module:qualname@file:line`."""

    module: str
    qualname: str
    file: str
    line: str

    @property
    def function(self) -> str:
        return f"{self.module}:{self.qualname}"

    @property
    def at(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file


def code_of(text: object) -> Code | None:
    """Return the parts of a stamp; None if there is none."""
    if not isinstance(text, str) or ":" not in text.partition("@")[0]:
        return None
    function, _, at = text.partition("@")
    module, _, qualname = function.partition(":")
    file, _, line = at.rpartition(":") if ":" in at else (at, "", "")
    return Code(module, qualname, file, line)


def same_function(one: Code, other: Code) -> bool:
    """Return whether two stamps name one function. Lines move, and a script is `__main__` when it
    runs and has a name when it is imported."""
    if one.qualname != other.qualname:
        return False
    if one.module == other.module and not is_script(one.module):
        return True
    return os.path.basename(one.file) == os.path.basename(other.file)


def imported(code: Code, near: str | None = None) -> Any:
    """Import the function at a place and return it. Raises ReplayError.

    near: a directory; a script is also looked for there and in the directories around it.
    """
    if "<locals>" in code.qualname:
        outer = code.qualname.partition(".<locals>")[0]
        name = code.qualname.rpartition(".")[2]
        raise ReplayError(
            f"{name} is defined inside {outer}(), so it cannot be imported: give the function, "
            f"honeytrace.replay(id, fn={name})"
        )
    with _importing:
        module = _module(code, near)
    return _member(module, code)


def named(text: str) -> Any:
    """Return the object that `module:expression` names. Raises ReplayError."""
    module, _, expression = text.partition(":")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # importing runs the program's code
        raise ReplayError(f"{text}: {module} cannot be imported ({_told(error)})") from error
    try:
        return eval(expression, vars(found))
    except Exception as error:
        raise ReplayError(f"{text}: {_told(error)}") from error


def _module(code: Code, near: str | None) -> Any:
    """Return the module, imported under the name it had; a script from its file."""
    if not is_script(code.module):
        try:
            return importlib.import_module(code.module)
        except ModuleNotFoundError as error:
            if not code.file or not os.path.exists(code.file):
                raise ReplayError(
                    f"{code.module} cannot be imported ({error}; recorded at {code.at}): run "
                    "from the directory where it was recorded, or name the function with --fn"
                ) from error
        except Exception as error:
            raise ReplayError(f"importing {code.module} failed: {_told(error)}") from error
        return _from_file(code.file, code.module)
    main = sys.modules.get("__main__")
    if code.file.startswith("<"):
        if hasattr(main, code.qualname.partition(".")[0]):
            return main  # a notebook, or `python -c`
        raise ReplayError(
            f"{code.qualname} was defined in {code.file}, which is no file: name the function "
            "with --fn, honeytrace.replay(id, fn=…)"
        )
    path = script_path(code.file, near)
    if _is_file(main, path):
        return main
    names = [MAIN, *(f"{MAIN}{n}" for n in range(2, 1000))]
    name = next(n for n in names if n not in sys.modules or _is_file(sys.modules[n], path))
    if name in sys.modules:
        return sys.modules[name]
    _add_folder(path)
    return _from_file(path, name)


def importable(code: Code | None) -> None:
    """Let the modules beside a recorded script be imported, as they were when it ran."""
    if code is not None and is_script(code.module) and not code.file.startswith("<"):
        _add_folder(script_path(code.file))


def _add_folder(path: str) -> None:
    if os.path.dirname(path) not in sys.path:
        sys.path.insert(0, os.path.dirname(path))


def is_script(module: str) -> bool:
    """Return whether a module is a program's `__main__`, under whatever name."""
    return module in ("__main__", "?") or module.startswith(MAIN)


def _is_file(module: Any, path: str) -> bool:
    file = getattr(module, "__file__", None) or ""
    return os.path.exists(file) and os.path.samefile(file, path)


def script_path(file: str, near: str | None = None) -> str:
    """Return the absolute path of a script that was recorded as `file`. Raises ReplayError.

    A script is recorded relative to the directory that it ran in or that it stands in. It is
    looked for in the working directory, on `sys.path`, in `near` and the directories around it,
    and, if only one file below the working directory has its name, there.
    """
    folders = ["", *(each for each in sys.path if isinstance(each, str))]
    while near:
        folders.append(near)
        near = None if os.path.dirname(near) == near else os.path.dirname(near)
    for folder in folders:
        path = os.path.join(folder, file)
        if os.path.isfile(path):
            return os.path.abspath(path)
    found = [] if os.path.isabs(file) else list(islice(_below(os.getcwd(), file), _ALIKE))
    if len(found) == 1:
        return found[0]
    shown = ", ".join(map(os.path.relpath, found))
    which = f"may be any of {shown}" if found else f"is not in {os.getcwd()} or below it"
    raise ReplayError(
        f"the script {file} {which}: run from the directory where it was recorded, or name the "
        "function with --fn"
    )


_ALIKE, _FILES = 3, 50_000
_SKIPPED = {"node_modules", "site-packages", "__pycache__", "venv", "env"}


def _below(folder: str, file: str) -> Iterator[str]:
    """Yield the files below a directory whose path ends so; hidden directories are left out."""
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and f not in _SKIPPED)
        seen += len(files)
        if os.path.isfile(path := os.path.join(place, file)):
            yield path
        if seen > _FILES:
            return


def _from_file(path: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    if not spec or spec.loader is None:
        raise ReplayError(f"{path} cannot be imported: name the function with --fn")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise ReplayError(f"importing {path} failed: {_told(error)}") from error
    return module


def _member(module: Any, code: Code) -> Any:
    try:
        return attrgetter(code.qualname)(module)
    except AttributeError:
        raise ReplayError(
            f"{code.module} has no {code.qualname} any more (recorded at {code.at}): name "
            f"the function with --fn {code.module}:NAME"
        ) from None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
