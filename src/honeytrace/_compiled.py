"""The hot path in C, where it was built and is wanted; else every module uses its own.

Built by `setup.py` from `_native.pyx`. Where there was no compiler, or HONEYTRACE_PURE_PYTHON is
set, the same is done in Python, at three times the cost.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

native: Any = None
"""The module `_native`, or None."""

# what is compiled relies on the GIL; importing it would turn that on again where it is off
_has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()

if _has_gil and not os.environ.get("HONEYTRACE_PURE_PYTHON"):
    try:
        native = import_module("honeytrace._native")
    except ImportError:
        pass


def prefer(cls: type, *names: str) -> None:
    """Let a class inherit these methods from its compiled base, in place of its own."""
    if native is not None:
        for name in names:
            delattr(cls, name)
