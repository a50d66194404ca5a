"""Stand-ins for sessions that are not here: callers in other processes, and spans that have ended.

A stand-in is a parent and is never recorded itself. Sessions inside it have it as `parent_id`.
"""

from __future__ import annotations

from typing import Any

from .hooks import hooks
from .running import prepare
from .session import Session


class Remote(Session):
    """A session known by its ids alone. It takes no updates, so `current_session()` skips it."""

    __slots__ = ("links", "tracestate")
    away = True

    def __init__(
        self,
        session_id: str,
        root: Remote | None = None,
        *,
        tracestate: str = "",
        links: list[dict[str, Any]] | None = None,
    ) -> None:
        """Set the ids. `root`: the outermost session, None for this one; `tracestate`: entries of
        other tracers, for the root; `links`: for a caller that is not trusted, see `Stranger`."""
        now = hooks.clock_ns()
        prepare(self, None, session_id, now, hooks.offset_ns)
        self._root = root
        self._children = []
        self._late = -1  # it may have children at any time: its caller decides
        self._end = now  # it has ended, so it is never listed as running
        self.tracestate = tracestate
        self.links = links or []


class Foreign(Remote):
    """A span of another process, of which nobody knows whether it is recorded anywhere."""

    __slots__ = ()


class Stranger(Remote):
    """A caller that is not trusted. A session inside it is a root with a link to the caller."""

    __slots__ = ()

    def __init__(self, links: list[dict[str, Any]]) -> None:
        super().__init__("", links=links)


def adopt(s: Session | None, parent: Session | None) -> Session | None:
    """Return the parent of a call; under an untrusted caller the call becomes a root."""
    if s is not None and type(parent) is Stranger:
        s._extras = {"metadata": {"links": [dict(link) for link in parent.links]}}
        return None
    return parent


def expect_strangers() -> None:
    """Make every session that begins check whether its caller is trusted.

    The hook of the OpenTelemetry bridge checks this, too; if it is installed, nothing changes.
    """
    if hooks.adopt is None:
        hooks.adopt = adopt
