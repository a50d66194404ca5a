"""Small values of a record's JSON that queries use, the same for every engine."""

from __future__ import annotations

import math

from .._base.lazy import orjson
from .._record.record import Record

__all__ = ["numbers_of", "users_of"]


def users_of(record: Record) -> list[str]:
    """Return the texts and integers of `user_properties`, as text, without repeats."""
    if not record.user_properties:
        return []
    values = orjson.loads(record.user_properties).values()
    return list(dict.fromkeys(str(value) for value in values if type(value) in (str, int)))


def numbers_of(record: Record) -> dict[str, float]:
    """Return the numbers of `metrics` by name; true is 1 and false is 0."""
    if not record.metrics:
        return {}
    found = {
        name: float(value)
        for name, value in orjson.loads(record.metrics).items()
        if isinstance(value, (int, float))
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}
