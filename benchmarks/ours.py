"""The tracers that are measured beside the peers: none, the floor, and honeytrace.

A tracer is the decorator, what waits for delivery, what tells how many were delivered (None where
nothing is, or where the server that received them tells), and what the calls are made inside of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

Tracer = tuple[Callable[..., Any], Callable[[], Any], Callable[[], "int | None"], Callable[[], Any]]


class Nowhere:
    """A sink that takes everything."""

    def deliver(self, batch: Sequence[Any], *, timeout: float) -> Any:
        from honeytrace.sinks import Delivery

        return Delivery()

    def close(self) -> None:
        pass


def bare(kind: str) -> Tracer:
    """`untraced`, `pass-through` or `floor`."""
    from . import floor

    how = {"untraced": lambda fn: fn, "pass-through": floor.passthrough, "floor": floor.floor}
    return how[kind], floor.QUEUE.clear, lambda: None, nullcontext


def honeytrace(destination: str, url: str, journal: bool) -> Tracer:
    """Configured for a destination: `off`, `null`, `store`, `server`, `tree` or `sessions`."""
    import honeytrace as library

    destinations: dict[str, dict[str, Any]] = {
        "off": {"enabled": False},
        "null": {"sink": Nowhere()},
        "store": {"store": str(Path("sessions.db").absolute())},
        "server": {"api_key": "local", "server_url": url, "layout": "tree"},
        "tree": {"api_key": "local", "server_url": url, "layout": "tree"},
        "sessions": {"api_key": "local", "server_url": url, "layout": "sessions"},
    }
    settings = destinations[destination]
    if not journal:
        settings["journal"] = ":none:"
    library.configure(**settings)
    return (
        library.trace_session,
        lambda: library.flush(120),
        lambda: None if destination == "off" else library.stats().delivered,
        # events belong to a session, as with HoneyHive's own SDK
        (lambda: library.session("bench")) if destination == "tree" else nullcontext,
    )
