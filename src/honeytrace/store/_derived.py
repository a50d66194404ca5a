"""Small values of a record's JSON that queries use, the same for every engine."""

from __future__ import annotations

import math
from typing import NamedTuple

from .._base.lazy import orjson
from .._record.record import Record
from ._spending import tokens_in, user_in
from .trends import class_of

__all__ = ["Counted", "counted_of", "numbers_of", "users_of"]


class Counted(NamedTuple):
    """The values of a record that trends add up."""

    who: str
    """The user's name; empty if there is none."""
    slot: int | None
    """The class of the duration; None if the session has not ended."""
    model: str
    provider: str
    tokens: list[float] | None
    """The figures of `Tokens`, in order; None if the session recorded none."""


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


def counted_of(record: Record) -> Counted:
    """Return the values of a record that trends add up."""
    who = user_in(record.user_properties) if record.user_properties else ""
    slot = None if record.duration is None else class_of(record.duration)
    objects = (record.config, record.metadata, record.metrics, record.outputs)
    # Every name of tokens, usage or cost has one of these parts; other records are not parsed.
    places = b"\n".join(filter(None, objects[1:]))
    if b"oken" in places or b"sage" in places or b"cost" in places:
        spent = tokens_in([orjson.loads(each or b"{}") for each in objects], record.event_type)
        if spent is not None:
            (model, provider), tokens = spent
            return Counted(who, slot, model, provider, list(map(float, tokens)))
    return Counted(who, slot, "", "", None)
