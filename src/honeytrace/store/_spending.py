"""The user and tokens of a session, for sums over many sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from .._record.record import RESERVED
from .._record.tokens import COUNTS, model_of, spending_of
from .trends import Model, Tokens

__all__ = ["tokens_in", "user_in"]

_USER = ("name", "email", "user_id", "id", "user")
"""Keys of a user's name; the first one present is used."""


class _Recorded:
    """The objects of a session that may contain tokens."""

    def __init__(self, parts: Sequence[dict[str, Any]]) -> None:
        self.config, self.metadata, self.metrics, self.outputs = parts
        details = self.metadata.pop(RESERVED, None)
        self.details: Mapping[str, Any] = details if isinstance(details, dict) else {}


def tokens_in(parts: Sequence[dict[str, Any]], event_type: str) -> tuple[Model, Tokens] | None:
    """Return the tokens of a call itself, from its config, metadata, metrics and outputs.

    Agents and frameworks repeat the sums of calls that are recorded on their own. Such sums usually
    name no model and are left out. Calls that a replay answered spent nothing.
    """
    recorded = _Recorded(parts)
    counts, cost = spending_of(recorded)
    if not counts and cost is None:
        return None
    model, provider = model_of(recorded)
    if model is None and event_type != "model":
        return None
    prompt, completion, total, cached = (counts.get(name, 0) for name in COUNTS)
    unpriced = (prompt, completion, cached) if cost is None else (0, 0, 0)
    return (model or "", provider or ""), Tokens(
        1, prompt, completion, cached, total, cost or 0.0, *unpriced
    )


def user_in(properties: str | bytes) -> str:
    """Return the name of the user in a session's properties; empty if they name none."""
    found: Mapping[str, Any] = orjson.loads(properties)
    return next((str(found[name]) for name in _USER if found.get(name)), "")[:200]
