"""Plain types, beside `Span`, that both encodings of OTLP are read into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...otel._semconv import SpanEvent

__all__ = ["KINDS", "LogEvent", "dropped_counts"]

_NAMES = ("", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
KINDS: dict[int | str, str] = {
    **dict(enumerate(_NAMES)),
    **{f"SPAN_KIND_{name}": name for name in _NAMES if name},
}
"""A span's kind, by number or by its name in protobuf."""


class LogEvent(NamedTuple):
    """An OTLP log record with a name: an event of the span whose ids it carries."""

    trace_id: str
    span_id: str
    event: SpanEvent
    resource: dict[str, Any]


def dropped_counts(get: Callable[[str], Any], pattern: str) -> dict[str, int]:
    """Return the counts of items that the SDK dropped from a span, by kind, without zeros."""
    counts = {name: get(pattern.format(name)) for name in ("Attributes", "Events", "Links")}
    return {name.lower(): n for name, n in counts.items() if type(n) is int and n > 0}
