"""The hot path, compiled or interpreted: which of both runs here, and a stand-in for Cython.

The modules in `COMPILED` are ordinary Python. Where a C compiler was at hand when honeytrace was
installed, they are extension modules built from the same source; the `.pxd` of the same name holds
the C types. With `HONEYTRACE_PURE_PYTHON=1`, or where extensions cannot be loaded, the source is
imported although they are there. Importing this module, which the package does first, sees to that.

The modules import this one under the name `cython` where Cython is not installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

compiled = False
"""Cython replaces it by True in the modules that it compiles."""

COMPILED = (
    "_capture.ids",
    "_capture.spec",
    "_capture.running",
    "_capture.hooks",
    "_capture.call",
    "_capture.stream",
    "_capture.finished",
    "_snapshot.text_gate",
    "_snapshot.name_gate",
    "_snapshot.snapshotter",
    "_snapshot.introspect",
    "_snapshot.masking",
    "_snapshot.plain",
    "_snapshot.container_walk",
    "_snapshot.exact",
    "_record.body",
    "_record.many",
    "_delivery.intake",
    "_delivery.encoder",
    "_durability.memory",
    "_durability.slots",
)
"""The modules that setup.py compiles; `_durability.memory` has a `.pyx` beside its `.py`."""


class SourceFinder:
    """Finds the `.py` of a compiled module, before Python's own finders find the extension."""

    names = frozenset(f"honeytrace.{name}" for name in COMPILED)

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> Any:
        if name not in cls.names:
            return None
        from importlib.util import spec_from_file_location

        for directory in path or ():
            source = os.path.join(directory, f"{name.rpartition('.')[2]}.py")
            if os.path.exists(source):
                return spec_from_file_location(name, source)
        return None


def interpreted() -> list[str]:
    """Return the names of the hot modules that run interpreted; all of them are imported."""
    from importlib import import_module

    found = []
    for name in COMPILED:
        file = import_module(f"honeytrace.{name}").__file__ or ""
        if file.endswith((".py", ".pyc")):
            found.append(name)
    return found


def _can_load() -> bool:
    """Return whether extensions load here: a sub-interpreter, or another ABI, may refuse them."""
    from importlib import import_module

    try:
        import_module("honeytrace._capture.ids")
    except ImportError:
        return False
    return True


if SourceFinder not in sys.meta_path and (
    os.environ.get("HONEYTRACE_PURE_PYTHON") or not _can_load()
):
    sys.meta_path.insert(0, SourceFinder)
