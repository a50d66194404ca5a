"""The rows of a list of sessions, and the values in their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from ..._display.text import duration_text
from ..._record.record import Record
from ...lookup.marks import Marks, kinds_of
from ...lookup.running import RUNNING, innermost
from ...store._spending import user_in
from ._columns import Column, value_at
from ._excerpt import excerpt
from ._page import Page
from ._sift import MARK_NAMES
from ._summary import gist
from ._usage import UNKNOWN, Figures, time_to_first

__all__ = ["Cell", "Row", "RowPart"]

_CELL = 120
"""Most characters of a recorded value in a column."""


@dataclass(frozen=True)
class Cell:
    """A recorded value in a column; empty if the session has none."""

    text: str
    number: bool = False

    @classmethod
    def of(cls, value: Any) -> Cell:
        if value is None:
            return cls("")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return cls(f"{value:,}" if isinstance(value, int) else f"{value:.6g}", number=True)
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return cls(text if len(text) <= _CELL else text[: _CELL - 1] + "…")


@dataclass(frozen=True)
class Row:
    """A session in a list."""

    session_id: str
    name: str
    status: str
    project: str
    source: str
    user: str
    start_time: float
    duration: float | None
    asked: str
    answered: str
    error: str
    calls: int
    """Number of calls directly inside."""
    rating: str
    said: str
    """The feedback: the rating, and all of it on one line; empty if there is none."""
    figures: Figures = UNKNOWN
    """Model, tokens and cost, including calls inside."""
    first: float | None = None
    """Milliseconds to the first token."""
    hits: Sequence[tuple[str, bool]] = ()
    """The words around the first search hit as pieces, each with a flag for a hit."""
    now: str = ""
    """The name of the latest call inside a running run."""
    marks: Sequence[tuple[str, str, str]] = ()
    """What is unusual in a run: kind, name and sentence, one of each kind."""
    values: Mapping[str, Cell] = field(default_factory=dict)
    """The recorded values of chosen columns, by the key of the column."""

    def cell(self, column: Column) -> Cell:
        """Return the value in a column that has no form of its own."""
        return _PLAIN[column.key](self) if column.key in _PLAIN else self.values[column.key]

    @classmethod
    def of(
        cls,
        record: Record,
        running: Sequence[Record] = (),
        figures: Mapping[str, Figures] = MappingProxyType({}),
        words: str = "",
        columns: Sequence[Column] = (),
        marks: Mapping[str, Marks] = MappingProxyType({}),
    ) -> Row:
        """Return the row of a session. `running`: the calls under way, some perhaps inside.
        `figures`: figures by id. `words`: the searched text. `marks`: marks of runs by id."""
        inside = innermost(running, record.root_id) if record.status == RUNNING else None
        return cls(
            session_id=record.event_id,
            name=record.event_name,
            status=record.status,
            project=record.project,
            source=record.source,
            user=user_in(record.user_properties)[:60] if record.user_properties else "",
            start_time=record.start_time,
            duration=record.duration,
            asked=gist(record.inputs),
            answered=gist(record.outputs),
            error=(record.error or "")[:300],
            calls=len(orjson.loads(record.children_ids)),
            rating=_rating(record),
            said=gist(record.feedback),
            hits=excerpt(record, words) if words else (),
            figures=figures.get(record.event_id, UNKNOWN),
            first=time_to_first(orjson.loads(record.metrics or b"{}")),
            now=inside.event_name if inside and inside.event_id != record.event_id else "",
            marks=marks_shown(record, marks.get(record.event_id, {})),
            values={c.key: Cell.of(value_at(record, c.path)) for c in columns if c.path},
        )


_PLAIN: Mapping[str, Callable[[Row], Cell]] = {
    "status": lambda row: Cell(row.status),
    "source": lambda row: Cell(row.source),
    "user": lambda row: Cell(row.user),
    "model": lambda row: Cell(row.figures.model),
    "tokens": lambda row: Cell(row.figures.tokens or row.figures.total, number=True),
    "cost": lambda row: Cell(row.figures.cost, number=True),
    "first": lambda row: Cell("" if row.first is None else duration_text(row.first), number=True),
    "calls": lambda row: Cell(f"{row.calls:,}" if row.calls else "", number=True),
    "rating": lambda row: Cell(row.said),
    "id": lambda row: Cell(row.session_id),
}


@dataclass(frozen=True)
class RowPart(Page):
    """A single row of the list."""

    template = "row.html"
    row: Row
    columns: Sequence[Column]


def marks_shown(record: Record, marks: Marks) -> list[tuple[str, str, str]]:
    """Return kind, name and first sentence of the marks in a run, or of a call inside one."""
    found: list[tuple[str, str, str]] = []
    for kind in kinds_of(record, marks):
        some = marks.values() if record.parent_id is None else [marks[record.event_id]]
        text = next(mark.text for each in some for mark in each if mark.kind == kind)
        found.append((kind, MARK_NAMES[kind], text))
    return found


def _rating(record: Record) -> str:
    rating = orjson.loads(record.feedback or b"{}").get("rating")
    return f"{rating:g}" if type(rating) in (int, float) else ""
