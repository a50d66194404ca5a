"""HTTP and database spans that are not kept, remembered for the spans inside them."""

from __future__ import annotations

from collections import OrderedDict

from ...otel._semconv import Span

__all__ = ["LeftOut"]

_MOST = 50_000
"""Number of spans that are remembered. Beyond it, the oldest is forgotten, and its later children
are shown at the top of their trace."""

_DEEPEST = 1_000
"""Largest depth of spans left out one inside the other. The bound also ends cycles."""


class LeftOut:
    """The parents of the spans that were left out, so that calls inside those spans move up."""

    def __init__(self) -> None:
        self._parents: OrderedDict[tuple[str, str], str | None] = OrderedDict()

    def add(self, span: Span) -> None:
        """Remember a span that is left out."""
        self._parents[span.trace_id, span.span_id] = span.parent_id
        if len(self._parents) > _MOST:
            self._parents.popitem(last=False)

    def kept_parent(self, trace_id: str, span_id: str | None) -> str | None:
        """Return the nearest span that was kept: this one, or one that encloses it."""
        for _ in range(_DEEPEST):
            if span_id is None or (trace_id, span_id) not in self._parents:
                return span_id
            span_id = self._parents[trace_id, span_id]
        return None
