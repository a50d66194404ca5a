"""The place that a record names, and the import of the function there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from operator import attrgetter
from typing import Any, NamedTuple

from ..errors import ReplayError

MAIN = "__honeytrace_main__"
"""The name under which the file of a recorded `__main__` is imported."""


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
        return f"{self.file}:{self.line}" if self.file else ""


def code_of(text: object) -> Code | None:
    """Return the parts of a stamp; None if there is none."""
    if not isinstance(text, str) or ":" not in text.partition("@")[0]:
        return None
    function, _, at = text.partition("@")
    module, _, qualname = function.partition(":")
    file, _, line = at.rpartition(":")
    return Code(module, qualname, file, line)


def same_function(one: Code, other: Code) -> bool:
    """Return whether two stamps name one function. Lines move, and a script is `__main__` when it
    runs and has a name when it is imported."""
    if one.qualname != other.qualname:
        return False
    if one.module == other.module and "__main__" not in (one.module, other.module):
        return True
    return os.path.basename(one.file) == os.path.basename(other.file)


def imported(code: Code) -> Any:
    """Import the function at a place and return it. Raises ReplayError."""
    if "<locals>" in code.qualname:
        outer = code.qualname.partition(".<locals>")[0]
        name = code.qualname.rpartition(".")[2]
        raise ReplayError(
            f"{name} is defined inside {outer}(), so it cannot be imported: give the function, "
            f"honeytrace.replay(id, fn={name})"
        )
    return _member(_module(code), code)


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


def _module(code: Code) -> Any:
    """Return the module, imported under the name it had; a script from its file."""
    if code.module not in ("__main__", MAIN, "?"):
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
    path = getattr(main, "__file__", None)
    if path and os.path.basename(path) == os.path.basename(code.file):
        return main
    if code.file.startswith("<") and hasattr(main, code.qualname.partition(".")[0]):
        return main  # a notebook, or `python -c`
    return sys.modules.get(MAIN) or _from_file(code.file, MAIN)


def _from_file(file: str, name: str) -> Any:
    path = next(filter(os.path.exists, (os.path.join(d, file) for d in ("", *sys.path))), None)
    spec = path and importlib.util.spec_from_file_location(name, path)
    if not spec or spec.loader is None:
        raise ReplayError(f"{file} is not here: run from its directory, or name it with --fn")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise ReplayError(f"importing {file} failed: {_told(error)}") from error
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
