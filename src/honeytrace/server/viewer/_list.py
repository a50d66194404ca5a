"""The list of sessions, and its updates while it is on a screen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._record.record import Record
from ...lookup.running import RUNNING, innermost
from ...store.memory import MemoryStore
from .._http import RefusedError
from ._excerpt import excerpt
from ._filters import PAGE, Filters
from ._live import Live, here
from ._page import Page, Site
from ._summary import gist
from ._usage import UNKNOWN, Figures, list_figures, time_to_first

__all__ = ["ListPage", "Row", "follow_list", "show_list"]


_SORTED = 1_000
"""Number of sessions, the newest ones, that a sorted list chooses from."""


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

    @classmethod
    def of(
        cls,
        record: Record,
        running: Sequence[Record] = (),
        figures: Mapping[str, Figures] = MappingProxyType({}),
        words: str = "",
    ) -> Row:
        """Return the row of a session. `running`: the calls under way, some perhaps inside.
        `figures`: figures by id. `words`: the searched text."""
        inside = innermost(running, record.root_id) if record.status == RUNNING else None
        return cls(
            session_id=record.event_id,
            name=record.event_name,
            status=record.status,
            project=record.project,
            source=record.source,
            user=_user(record),
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
        )


@dataclass(frozen=True)
class ListPage(Page):
    """Sessions by their conditions, newest first."""

    template = "list.html"
    nav = "sessions"
    filters: Filters
    rows: Sequence[Row]
    older: str
    """Address of the next page; empty on the last one."""
    live: str
    """Address of the live stream; empty on older pages."""
    count: int | None
    """Number of sessions that match; None if counting takes too long."""
    sorted_of: int
    """Number of sessions, the newest ones, that a sorted list chose from."""
    problem: str
    """The problem with the conditions; empty if there is none."""
    projects: Sequence[str]
    sources: Sequence[str]
    names: Sequence[str]
    statuses: Sequence[str]
    """The values that the store holds of each, to choose from."""


@dataclass(frozen=True)
class RowPart(Page):
    """A single row of the list."""

    template = "row.html"
    row: Row


def show_list(site: Site, request: Request) -> Response:
    """`GET /`."""
    filters = Filters.read(request.query_params)
    live = "" if filters.before or filters.sort else filters.url("/live", after=here(site.store))
    found, problem, count = [], "", None
    try:
        reader = site.reader
        query = filters.query(time.time())
        if filters.sort == "took":
            found = list(reader.list(query._replace(limit=_SORTED, before=None)))
            found.sort(key=lambda record: record.duration or 0, reverse=True)
        else:
            found = list(reader.list(query))
            # Counting the hits of a text search takes as long as the search itself.
            count = None if filters.q else site.store.count(query)
    except RefusedError as refusal:
        problem = str(refusal)
    shown, older = found[:PAGE], ""
    figures = list_figures(site.reader, shown)
    if len(found) > PAGE and not filters.sort:
        older = filters.url(before=f"{shown[-1].start_time!r},{shown[-1].event_id}")
    page = ListPage(
        title="Sessions",
        filters=filters,
        rows=[Row.of(record, site.running.now(), figures, filters.q) for record in shown],
        older=older,
        live=live,
        count=count,
        sorted_of=min(len(found), _SORTED) if filters.sort else 0,
        problem=problem,
        projects=site.choices("project"),
        sources=site.choices("source"),
        names=site.choices("session_name"),
        statuses=site.choices("status"),
    )
    return site.html(page, 400 if problem else 200)


def follow_list(site: Site, live: Live, request: Request) -> Response:
    """`GET /live`, with the parameters of the list: rows of new and changed sessions that match. A
    changed session that does not match any more comes without HTML."""
    filters = Filters.read(request.query_params)
    filters.query(time.time())  # Invalid conditions are refused now rather than within the stream.

    def rows(arrived: Sequence[Record], changed: Sequence[Record]) -> list[dict[str, Any]]:
        # The memory engine can evaluate every condition; `since` moves with the time.
        told = MemoryStore()
        running = site.running.now()
        told.insert(_runs_around([*arrived, *changed], running))
        told.insert(arrived)
        told.insert(changed)
        limit = told.size().sessions
        meeting = told.list(filters.query(time.time())._replace(limit=limit))
        there = {record.event_id for record in meeting}
        figures = list_figures(site.reader, meeting)
        gone = [record for record in changed if record.event_id not in there]
        return [
            *(_told(record, "") for record in gone),
            *(
                _told(record, site.text(RowPart("", Row.of(record, running, figures, filters.q))))
                for record in reversed(meeting)
            ),
        ]

    return live.follow(request, rows)


def _runs_around(told: Sequence[Record], running: Sequence[Record]) -> list[Record]:
    """Return the runs under way that contain these calls; their rows name the current call."""
    roots = {each.root_id for each in told}
    return [each for each in running if each.event_id in roots and each.status == RUNNING]


def _told(record: Record, html: str) -> dict[str, Any]:
    return {"id": record.event_id, "start": record.start_time, "html": html}


def _user(record: Record) -> str:
    """Return the name of the session's user."""
    if record.user_properties is None:
        return ""
    properties = orjson.loads(record.user_properties)
    names = ("name", "email", "user_id", "id", "user")
    return next((str(properties[name]) for name in names if properties.get(name)), "")[:60]


def _rating(record: Record) -> str:
    rating = orjson.loads(record.feedback or b"{}").get("rating")
    return f"{rating:g}" if type(rating) in (int, float) else ""
