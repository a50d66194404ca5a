"""The few operations that have a faster spelling in C: `_primitives.pxd` holds that spelling."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any

get_var = ContextVar.get
set_var = ContextVar.set
is_finalizing = sys.is_finalizing
new: Any = object.__new__
"""Make an instance without setting its fields."""
copied = b"%b".__mod__
"""Copy bytes to a block of their own size: results of orjson may hold up to 16 KB each."""


def untrack(value: object) -> None:
    """Hide an object that is in no cycle from the garbage collector; does nothing interpreted."""
