"""Stand-ins for sessions that are not here: callers in other processes, and spans that have ended.

A stand-in is a parent and is never recorded itself. Sessions inside it have it as `parent_id`.
"""

from __future__ import annotations

from typing import Any

from .._base.interrupts import interrupts
from .._record.merge import PROVISIONAL
from .._record.record import RESERVED
from .call import internal_error
from .external import begin_external, end_external
from .hooks import hooks
from .running import prepare
from .session import Session
from .spec import Spec


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
    """A span of another process, of which nobody knows whether it is recorded anywhere.

    inside: spec and start of the first call inside it, by the wall clock in ns; None without any.
    """

    __slots__ = ("inside",)

    def __init__(self, session_id: str, root: Remote) -> None:
        super().__init__(session_id, root)
        self.inside: tuple[Spec, int] | None = None

    def end(self) -> None:
        """Note that the calls inside it have ended, as far as the program waits for them."""
        if self.inside is not None:
            stand_in(self, *self.inside, hooks.clock_ns() + hooks.offset_ns)


def stand_in(s: Session, spec: Spec, start_ns: int, end_ns: int) -> None:
    """Record a session for the root of `s`, which began elsewhere, so that the run is listed.

    Where the root itself arrives, by any way, it takes the place of this one.
    """
    name = spec.session_name or hooks.session_name
    root_id = (s if s._root is None else s._root).session_id
    made = begin_external(Spec(name), None, root_id, start_ns, decided=True)
    notes = {"metadata": {RESERVED: {PROVISIONAL: True}}}
    end_external(made, end_ns, inputs={}, outputs={}, failure=None, extras=notes)


class Stranger(Remote):
    """A caller that is not trusted. A session inside it is a root with a link to the caller."""

    __slots__ = ()

    def __init__(self, links: list[dict[str, Any]]) -> None:
        super().__init__("", links=links)


def adopt(s: Session | None, parent: Session | None) -> Session | None:
    """Return the parent of a call; under an untrusted caller the call becomes a root. For the first
    call under a foreign one a session is recorded that stands for the root."""
    if s is not None and type(parent) is Foreign and parent.inside is None:
        try:
            start = hooks.clock_ns() + hooks.offset_ns  # the call has no start yet
            parent.inside = s._spec, start
            stand_in(parent, s._spec, start, start)
        except Exception as error:
            if interrupts(error):
                raise
            internal_error(error)
    if s is not None and type(parent) is Stranger:
        s._extras = {"metadata": {"links": [dict(link) for link in parent.links]}}
        return None
    return parent


def expect_callers() -> None:
    """Make every session that begins check whether its caller is trusted, and known.

    The hook of the OpenTelemetry bridge checks this, too; if it is installed, nothing changes.
    """
    if hooks.adopt is None:
        hooks.adopt = adopt
