"""Makers of flushers, and the sum that their books must come to."""

from __future__ import annotations

from collections.abc import Callable

from honeytrace._delivery.flusher import Flusher
from honeytrace._delivery.stats import Stats

Make = Callable[..., Flusher]
"""Takes a sink and settings, and returns a flusher that ends with the test."""


def balanced(stats: Stats) -> bool:
    """Every recorded item is delivered, refused, dropped, pending or safe in the journal."""
    settled = stats.delivered + sum(stats.refused.values()) + sum(stats.dropped.values())
    return stats.recorded == settled + stats.pending + stats.journalled and stats.pending >= 0
