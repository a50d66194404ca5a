"""Stand-ins for sessions that are not here: callers in other processes, and spans that have ended.

A stand-in is a parent, and never recorded itself. What begins inside it names it as `parent_id`.
"""

from __future__ import annotations

from typing import Any

from .hooks import hooks
from .session import Session


class Remote(Session):
    """A session by its ids alone. `current_session()` does not show it: it takes no updates."""

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
        """`root`: the outermost session, None for this one; `tracestate`: other tracers' entries,
        for the root; `links`: of a caller that is not trusted, see `Stranger`."""
        self._id = self._text = session_id
        self._root = root
        self._children = []
        self._parent = self._submit = self._slot = self._extras = self._raised = None
        self._inputs = self._outputs = self._masked = self._failure = self._details = None
        self._handed = self._sealed = self._plain = False
        self._tick = 0
        self._late = -1  # it may have children for as long as its caller pleases
        self._start, self._offset = hooks.clock_ns(), hooks.offset_ns
        self._end = self._start  # nobody looks for it among what runs
        self.tracestate = tracestate
        self.links = links or []


class Stranger(Remote):
    """A caller that is not trusted: what begins inside is a root, with a link to the caller."""

    __slots__ = ()

    def __init__(self, links: list[dict[str, Any]]) -> None:
        super().__init__("", links=links)


def adopt(s: Session | None, parent: Session | None) -> Session | None:
    """`hooks.adopt` where callers are not trusted: a root in place of a stranger's child."""
    if s is not None and type(parent) is Stranger:
        s._extras = {"metadata": {"links": [dict(link) for link in parent.links]}}
        return None
    return parent


def expect_strangers() -> None:
    """Have every session that begins ask whether its caller is trusted, from now on.

    The OpenTelemetry bridge's hook asks, too; where it is there, nothing is to be done.
    """
    if hooks.adopt is None:
        hooks.adopt = adopt
