"""The list of sessions, and its updates while it is on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..._record.record import Record
from ...lookup.marks import Marks
from ...lookup.running import RUNNING
from ...store import Query
from ...store.memory import MemoryStore
from .._http import RefusedError
from .._root_path import link
from ._columns import CHOICES, NAME, Column, columns_of, sorter
from ._filters import PAGE, Filters
from ._live import Live, here
from ._page import Page, Site
from ._rows import Row, RowPart
from ._sample import sample
from ._sift import MARK_NAMES, Sifted, check, marks_of, sift
from ._usage import UNKNOWN, Figures, list_figures

__all__ = ["ListPage", "follow_list", "load_sample", "show_list"]


_SORTED = 1_000
"""Number of sessions, the newest ones, that a sorted list chooses from."""

_COUNTED = 10_000
"""Number of sessions that are counted for the page; counting a million takes too long."""

_SPENT = 200
"""The same for columns with tokens or cost, which take the calls inside of each session."""


@dataclass(frozen=True)
class Head:
    """The head of a column; `sort` is the address of the list sorted by it, empty if it cannot
    be."""

    column: Column
    sort: str
    order: str
    """`ascending` or `descending` if the list is sorted by this column, otherwise empty."""


@dataclass(frozen=True)
class ListPage(Page):
    """Sessions by their conditions, newest first or sorted."""

    template = "list.html"
    nav = "sessions"
    filters: Filters
    rows: Sequence[Row]
    columns: Sequence[Column]
    heads: Sequence[Head]
    choices: Sequence[Column]
    """The columns to choose from, besides recorded values."""
    older: str
    """Address of the next page; empty on the last one."""
    live: str
    """Address of the live stream; empty on older and sorted pages."""
    facets: str
    """Address of the histogram and the facets of these sessions."""
    count: int | None
    """Number of sessions that match, at most `counted_to`; None if counting takes too long."""
    counted_to: int
    sorted_of: int
    """Number of sessions, the newest ones, that were sorted; 0 if all of them were."""
    problem: str
    """The problem with the conditions; empty if there is none."""
    is_empty: bool
    """True if the store has no session at all."""
    projects: Sequence[str]
    sources: Sequence[str]
    names: Sequence[str]
    statuses: Sequence[str]
    """The values that the store holds of each, to choose from."""
    marks: Mapping[str, str]
    """The kinds of marks to choose from, and their names."""
    looked_at: int
    """Number of sessions that were tried for a condition that no engine knows; otherwise 0."""


@dataclass(frozen=True)
class _Found:
    """The sessions of a page, and of one more if there are older ones."""

    records: Sequence[Record] = ()
    figures: Mapping[str, Figures] = field(default_factory=dict)
    sorted_of: int = 0
    count: int | None = None
    looked_at: int = 0
    rest: Record | None = None
    """The session from which on older ones are shown next; None on the last page."""
    marks: Mapping[str, Marks] | None = None
    """The marks of the runs, if they are known already."""


def show_list(site: Site, request: Request) -> Response:
    """`GET /`."""
    filters = Filters.read(request.query_params)
    live = "" if filters.before or filters.sort else filters.url("/live", after=here(site.store))
    found, problem = _Found(), ""
    columns = columns_of(Filters())
    try:
        columns = columns_of(filters)
        found = (_sorted if filters.sort else _newest)(site, filters)
    except RefusedError as refusal:
        problem = str(refusal)
    shown = found.records[:PAGE]
    running = site.running.now()
    marks = marks_of(site.reader, shown) if found.marks is None else found.marks
    names = site.choices("session_name")
    page = ListPage(
        title=filters.view or "Sessions",
        filters=filters,
        rows=[Row.of(each, running, found.figures, filters.q, columns, marks) for each in shown],
        columns=columns,
        heads=[_head(filters, each) for each in (NAME, *columns)],
        choices=CHOICES,
        older=_older(filters, found.rest),
        live=live,
        facets="" if problem else filters.url("/facets"),
        count=found.count,
        counted_to=_COUNTED,
        sorted_of=found.sorted_of,
        problem=problem,
        is_empty=not names and not running,
        projects=site.choices("project"),
        sources=site.choices("source"),
        names=names,
        statuses=site.choices("status"),
        marks=MARK_NAMES,
        looked_at=found.looked_at,
    )
    return site.html(page, 400 if problem else 200)


def _newest(site: Site, filters: Filters) -> _Found:
    query = filters.query()
    if filters.sifted:
        found = sift(site.reader, filters, query, PAGE)
        rest = found.records[PAGE - 1] if len(found.records) > PAGE else found.rest
        figures = list_figures(site.reader, found.records[:PAGE])
        return _Found(
            found.records, figures, looked_at=_looked_at(found), rest=rest, marks=found.marks
        )
    records = site.reader.list(query)
    count: int | None
    if len(records) < query.limit and not filters.before:
        count = len(records)
    else:
        # Counting the hits of a text search takes as long as the search itself.
        count = None if filters.q else site.store.count(query, _COUNTED)
    rest = records[PAGE - 1] if len(records) > PAGE else None
    return _Found(records, list_figures(site.reader, records[:PAGE]), count=count, rest=rest)


def _looked_at(found: Sifted) -> int:
    return found.looked_at if found.rest is not None else 0


def _sorted(site: Site, filters: Filters) -> _Found:
    """Return a page of the sorted list: the longest of all sessions, otherwise of the newest."""
    query = filters.query()
    column, falls = sorter(filters.sort)
    first = min(filters.first, _SORTED)
    spent = column.key in ("model", "tokens", "cost")
    most = _SPENT if spent else _SORTED
    if filters.sifted:
        sifted = sift(site.reader, filters, query)
        records, count, cut = sifted.records[:most], None, _looked_at(sifted)
    else:
        count = None if filters.q else site.store.count(query, _COUNTED)
        if column.key == "took" and falls:
            # The engines can find the longest of all, and running calls have no duration yet.
            records = site.store.longest(query._replace(limit=first + PAGE + 1))[first:]
            figures = list_figures(site.reader, records[:PAGE])
            return _Found(records, figures, 0, count, rest=_next(records))
        records = site.reader.list(query._replace(limit=most))
        cut = 0
    figures = list_figures(site.reader, records) if spent else {}
    ordered = _in_order(records, column, figures, falls=falls)[first : first + PAGE + 1]
    if not spent:
        figures = list_figures(site.reader, ordered[:PAGE])
    sorted_of = most if len(records) == most else 0
    return _Found(ordered, figures, sorted_of, count, cut, _next(ordered))


def _next(records: Sequence[Record]) -> Record | None:
    return records[PAGE] if len(records) > PAGE else None


def _in_order(
    records: Sequence[Record], column: Column, figures: Mapping[str, Figures], *, falls: bool
) -> list[Record]:
    """Return the records in the order of a column; those without a value come last."""
    assert column.sort is not None
    keys = [(column.sort(each, figures.get(each.event_id, UNKNOWN)), each) for each in records]
    known = sorted(
        ((key, each) for key, each in keys if key is not None),
        key=lambda pair: pair[0],
        reverse=falls,
    )
    return [each for _, each in known] + [each for key, each in keys if key is None]


def _older(filters: Filters, rest: Record | None) -> str:
    if rest is None:
        return ""
    if filters.sort:
        first = filters.first + PAGE
        return filters.url(before=str(first)) if first < _SORTED else ""
    return filters.url(before=f"{rest.start_time!r},{rest.event_id}")


def _head(filters: Filters, column: Column) -> Head:
    """Return the head of a column: the first click sorts in the usual order, the second turns it,
    the third ends it."""
    if column.sort is None:
        return Head(column, "", "")
    key = column.key
    order = ""
    if filters.sort.removeprefix("-") == key:
        order = "descending" if column.falls != filters.sort.startswith("-") else "ascending"
    following = {key: f"-{key}", f"-{key}": ""}.get(filters.sort, key)
    return Head(column, filters.url(sort=following), order)


async def load_sample(site: Site, request: Request) -> Response:
    """`POST /sample`: fill an empty store with made-up sessions. Guard ensures that the request
    comes from the viewer's own pages."""

    def fill() -> None:
        if site.store.count(Query(), 1):
            raise RefusedError(409, "not_empty", "The sample is for a store without sessions.")
        site.store.insert(list(sample()))
        site.refresh()

    await run_in_threadpool(fill)
    return RedirectResponse(link("/"), 303)


def follow_list(site: Site, live: Live, request: Request) -> Response:
    """`GET /live`, with the parameters of the list: rows of new and changed sessions that match. A
    changed session that does not match any more comes without HTML."""
    filters = Filters.read(request.query_params)
    # Invalid parameters are refused now rather than within the stream.
    filters.query()
    check(filters)
    columns = columns_of(filters)

    def rows(arrived: Sequence[Record], changed: Sequence[Record]) -> list[dict[str, Any]]:
        # The memory engine can evaluate every condition; `since` moves with the time.
        told = MemoryStore()
        running = site.running.now()
        told.insert(_runs_around([*arrived, *changed], running))
        told.insert(arrived)
        told.insert(changed)
        query: Query = filters.query()._replace(limit=told.size().sessions)
        meeting = told.list(query)
        if filters.sifted:
            # Older runs, and the calls inside, are in the store.
            kept = {each.event_id for each in sift(site.reader, filters, query).records}
            meeting = [each for each in meeting if each.event_id in kept]
        there = {record.event_id for record in meeting}
        figures = list_figures(site.reader, meeting)
        marks = marks_of(site.reader, meeting)
        gone = [record for record in changed if record.event_id not in there]
        drawn = (
            (each, RowPart("", Row.of(each, running, figures, filters.q, columns, marks), columns))
            for each in reversed(meeting)
        )
        return [
            *(_told(record, "") for record in gone),
            *(_told(record, site.text(part)) for record, part in drawn),
        ]

    return live.follow(request, rows)


def _runs_around(told: Sequence[Record], running: Sequence[Record]) -> list[Record]:
    """Return the runs under way that contain these calls; their rows name the current call."""
    roots = {each.root_id for each in told}
    return [each for each in running if each.event_id in roots and each.status == RUNNING]


def _told(record: Record, html: str) -> dict[str, Any]:
    return {"id": record.event_id, "start": record.start_time, "html": html}
