"""The few operations that have a faster spelling in C: `_primitives.pxd` holds that spelling."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any

get_var = ContextVar.get
set_var = ContextVar.set
is_finalizing = sys.is_finalizing
new: Any = object.__new__
"""An instance whose fields are still to be set."""
copied = b"%b".__mod__
"""A copy of just its own size: the results of orjson keep up to 16 KB, however short they are."""


def untrack(value: object) -> None:
    """Take an object that is in no cycle from the garbage collector; interpreted, do nothing."""
