"""A session's inputs or outputs in one line of a list."""

from __future__ import annotations

from ..._display.summary import summary
from ._page import visible

__all__ = ["gist"]


def gist(data: bytes | None) -> str:
    """Return the most telling words of a JSON object; may be empty."""
    return visible(summary(data))
