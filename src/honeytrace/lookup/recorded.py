"""A session read back: all its fields, its family, and the picture of it as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from .._display.text import duration_text, printable
from .._record.record import OBJECTS, RESERVED
from .._record.tokens import ANSWERED_FROM
from .tree import Place, walk

if TYPE_CHECKING:
    from .compare import Comparison
    from .table import DataFrame
    from .usage import Usage


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Family(Protocol):
    """Reads the relatives of a session."""

    def get(self, session_id: str) -> RecordedSession | None: ...
    def children(self, session: RecordedSession) -> Sequence[RecordedSession]: ...
    def descendants(self, session: RecordedSession) -> Sequence[RecordedSession]: ...


class RecordedSession:  # no dataclass, whose making would slow the import
    """A session read back. Times and durations are milliseconds, as on the wire.

    Equality is that of `session_id`. `children`, `parent` and `tree()` read on demand. In a
    notebook it shows itself as HTML.
    """

    session_id: str
    session_name: str
    project: str
    source: str
    status: str
    start_time: float
    end_time: int | None
    duration: float | None
    error: str | None
    children_ids: list[str]
    config: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    metrics: dict[str, Any]
    feedback: dict[str, Any]
    metadata: dict[str, Any]
    """The program's metadata; the reserved key is taken out, into `details`."""
    user_properties: dict[str, Any]
    parent_id: str | None = None
    root_id: str = ""
    event_type: str = "session"
    details: dict[str, Any]
    """Notes of honeytrace itself, such as `traceback`, `causes` and `masked`."""

    def __init__(self, fields: Mapping[str, Any], family: Family | None = None) -> None:
        self.details = {}
        self.__dict__.update(fields)
        self._family = family

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedSession) and other.session_id == self.session_id

    def __hash__(self) -> int:
        return hash(self.session_id)

    def to_dict(self) -> dict[str, Any]:
        """The session under the wire's names, as a startSession payload would carry it."""
        body = {
            "project": self.project,
            "session_name": self.session_name,
            "source": self.source,
            "session_id": self.session_id,
            "children_ids": self.children_ids,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "duration": self.duration,
            "error": self.error,
            **{name: getattr(self, name) for name in OBJECTS},
        }
        if self.details:
            body["metadata"] = {**self.metadata, RESERVED: self.details}
        return {name: value for name, value in body.items() if value is not None}

    @property
    def started_at(self) -> datetime:
        """When it started, in UTC. `list_sessions(since=…)` takes it."""
        return _EPOCH + timedelta(milliseconds=self.start_time)

    @property
    def took(self) -> timedelta | None:
        """The time it took; None without an end. `list_sessions(min_duration=…)` takes it."""
        return None if self.duration is None else timedelta(milliseconds=self.duration)

    @property
    def children(self) -> list[RecordedSession]:
        """The sessions that ran directly inside, in order of start."""
        return [] if self._family is None else list(self._family.children(self))

    @property
    def parent(self) -> RecordedSession | None:
        """The session this one ran inside, if it is known."""
        if self._family is None or self.parent_id is None:
            return None
        return self._family.get(self.parent_id)

    @property
    def traceback(self) -> str | None:
        """The traceback of the error, as Python prints it."""
        return self.details.get("traceback")

    @property
    def usage(self) -> Usage:
        """Tokens and cost of this session and everything inside it, in sum and by model.

        Read anew each time it is asked for. Figures that are unknown are None.
        """
        from .usage import tree_usage  # most readers of a session do not ask

        found = [] if self._family is None else self._family.descendants(self)
        return tree_usage(self, found)[self.session_id]

    def walk(self) -> Iterator[tuple[RecordedSession, Place]]:
        """This session and everything inside it, as a tree is drawn: each before its children."""
        found = [] if self._family is None else self._family.descendants(self)
        return walk(self, found)

    def tree(self) -> str:
        """This session and everything inside it as text: names, durations, errors."""
        lines, indents = [], [""]
        for session, place in self.walk():
            del indents[max(place.depth, 1) :]
            indent = indents[-1]
            branch = "" if place.depth == 0 else indent + ("└─ " if place.last else "├─ ")
            lines.append(_line(session, branch))
            if place.depth:
                indents.append((indent + ("   " if place.last else "│  "))[-_WIDEST:])
        return "\n".join(lines)

    def compare(self, after: RecordedSession) -> Comparison:
        """Compare this run with a later one: structure, inputs, outputs and the like.

        Both are compared call by call, with everything inside them. Times are no change.
        """
        from .compare import compare

        return compare(self, after)

    def to_pandas(self) -> DataFrame:
        """This session and everything inside it, as `walk` goes, as a `pandas.DataFrame`.

        The columns are those of `SessionList.to_pandas`, and `depth`. Raises ImportError without
        pandas.
        """
        from .table import frame

        walked = list(self.walk())
        return frame([s for s, _ in walked], depth=[place.depth for _, place in walked])

    def __str__(self) -> str:
        return _line(self, "")

    def __repr__(self) -> str:
        return f"<RecordedSession {_cut(self.session_id)} {self}>"

    def _repr_html_(self) -> str:
        from .notebook import session_html

        return session_html(self)


_WIDEST = 120
"""Columns of indentation: a tree 5,000 levels deep would take 40 MB of it."""


def _line(session: RecordedSession, branch: str) -> str:
    mark = {"ok": "", "error": f"  ✗ {session.error}"}.get(session.status, f"  ({session.status})")
    if ANSWERED_FROM in session.details:
        mark += "  (recorded)"
    name = _cut(session.session_name)
    return f"{branch}{name}  {duration_text(session.duration)}{_cut(mark)}"


def _cut(text: str) -> str:
    return printable(text) if len(text) < 160 else printable(text[:160]) + "…"


RecordedSession.__module__ = "honeytrace"  # where users find it
