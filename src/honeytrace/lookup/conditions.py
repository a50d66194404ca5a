"""The conditions of `list_sessions` and `search_sessions`, written down once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict, TypeVar

from ..errors import ConfigurationError
from ..store import Metric, Query
from .times import duration_ms, moment_ms

__all__ = ["Conditions", "query_of", "with_conditions"]

Moment = datetime | timedelta | float | str | None
Duration = timedelta | float | str | None

F = TypeVar("F", bound=Callable[..., Any])


class Conditions(TypedDict, total=False):
    """Keyword arguments that choose sessions; None, the default, leaves a condition out."""

    project: str | None
    session_name: str | None
    name: str | None
    source: str | None
    status: str | None
    error: bool | None
    since: Moment
    until: Moment
    min_duration: Duration
    max_duration: Duration
    roots_only: bool
    user: str | None
    metric: str | Metric | None
    limit: int


_DEFAULTS: Mapping[str, Any] = {"roots_only": False, "limit": 100}


def query_of(given: Mapping[str, Any], text: str | None = None) -> Query:
    """Return the query that these conditions state.

    Raises TypeError for an unknown name, and ConfigurationError for an invalid value.
    """
    unknown = sorted(given.keys() - Conditions.__annotations__.keys())
    if unknown:
        names = ", ".join(Conditions.__annotations__)
        raise TypeError(f"there is no condition {', '.join(unknown)}: the conditions are {names}")
    values = {**_DEFAULTS, **given}
    name = values.pop("name", None)
    if name is not None:
        if values.get("session_name") not in (None, name):
            raise ConfigurationError("name and session_name are one condition: give one of them")
        values["session_name"] = name
    for key, read in (("since", moment_ms), ("until", moment_ms)):
        if values.get(key) is not None:
            values[key] = read(values[key])
    for key in ("min_duration", "max_duration"):
        if values.get(key) is not None:
            values[key] = duration_ms(values[key])
    if isinstance(values.get("metric"), str):
        values["metric"] = Metric.parse(values["metric"])
    if not isinstance(values["limit"], int) or values["limit"] < 1:
        raise ConfigurationError(f"limit is at least 1, not {values['limit']!r}")
    return Query(text=text, **values)


def with_conditions(fn: F) -> F:
    """Give a function that takes `**conditions: Unpack[Conditions]` its signature for `help()`."""
    signature = inspect.signature(fn)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    conditions = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=kind
        )
        for name, kind in Conditions.__annotations__.items()
    ]
    fn.__signature__ = signature.replace(parameters=[*own, *conditions])  # type: ignore[attr-defined]
    return fn
