"""The options of `@trace_session`: their types and their checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from .._base.lazy import ready
from ..errors import ConfigurationError
from .hooks import switch

Names = bool | Iterable[str]
_FIXED = ("config", "metadata", "user_properties", "metrics", "feedback")


class TraceOptions(TypedDict, total=False):
    """The keyword arguments of `@trace_session` besides `session_name`; see its docstring."""

    project: str | None
    source: str | None
    event_type: str
    config: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    user_properties: Mapping[str, Any] | None
    metrics: Mapping[str, Any] | None
    feedback: Mapping[str, Any] | None
    capture_inputs: Names
    ignore_inputs: Iterable[str]
    capture_outputs: Names
    sample_rate: float | None
    reduce: Callable[[list[Any]], Any] | None


def checked_options(
    *,
    session_name: str | None = None,
    project: str | None = None,
    source: str | None = None,
    event_type: str = "chain",
    capture_inputs: Names = True,
    ignore_inputs: Iterable[str] = (),
    capture_outputs: Names = True,
    sample_rate: float | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
    **fixed: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the keyword arguments of a `Spec`, and `ignore_inputs`. Raises ConfigurationError."""
    if not ready():
        switch.on = False
    if event_type not in ("chain", "model", "tool"):
        raise ConfigurationError(f'event_type is "chain", "model" or "tool", not {event_type!r}')
    if not (
        sample_rate is None or (isinstance(sample_rate, (int, float)) and 0 <= sample_rate <= 1)
    ):
        raise ConfigurationError(f"sample_rate is 0.0 to 1.0, not {sample_rate!r}")
    if reduce is not None and not callable(reduce):
        raise ConfigurationError("reduce is a function that takes the list of yielded values")
    for name, value in fixed.items():
        if name not in _FIXED:
            raise TypeError(f"trace_session() got an unexpected keyword argument {name!r}")
        if value is not None and not isinstance(value, Mapping):
            raise ConfigurationError(f"{name} is a mapping, not {type(value).__name__}")
    ignored = _names("ignore_inputs", ignore_inputs)
    if isinstance(ignored, bool):
        raise ConfigurationError("ignore_inputs is a list of names; capture_inputs=False takes all")
    return {
        "session_name": session_name,
        "project": project,
        "source": source,
        "event_type": event_type,
        "capture_inputs": _names("capture_inputs", capture_inputs),
        "ignore_inputs": ignored,
        "capture_outputs": _names("capture_outputs", capture_outputs),
        "sample_rate": sample_rate,
        "reduce": reduce,
        "fixed": {name: value for name, value in fixed.items() if value},
    }


def _names(option: str, value: Names) -> bool | frozenset[str]:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{option} is True, False or a list of names, not {value!r}")
    return frozenset(value)
