"""The sessions of a list in figures: a histogram over time, and the values they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ...lookup.marks import kinds_of
from ...lookup.stamps import codes
from ...store import Bucket, Field, Query
from ...store._spending import user_in
from ...store._statistics import bucketed, faceted
from ...store.trends import TrendStore
from ._charts import Chart, calls_chart
from ._filters import Filters
from ._overview import bucket_of
from ._page import Page, Site
from ._sift import MARK_NAMES, Sifted, marks_of, sift
from ._usage import UNKNOWN, list_figures

__all__ = ["FacetsPage", "show_facets"]

_NEWEST = 20_000
"""Number of sessions, the newest ones, whose values are counted."""

_HITS = 300
"""The same for a search, which takes longer per session."""

_SAMPLE = 100
"""The same for values that are read from each session, and from the calls inside."""

_STEPS = 60

_VALUES = 8
"""Number of values of a field that are listed."""

_FIELDS: Sequence[tuple[Field, str, str]] = (
    ("status", "status", "Status"),
    ("session_name", "name", "Name"),
    ("project", "project", "Project"),
    ("source", "source", "Source"),
)
"""A field of the store, its parameter in the list, its title."""


@dataclass(frozen=True)
class Value:
    """A value of a field: the number of sessions, and the address of the list of them. For a chosen
    value the address is that of the list without the condition."""

    text: str
    count: int
    address: str
    chosen: bool


@dataclass(frozen=True)
class Facet:
    """The most frequent values of a field."""

    title: str
    values: Sequence[Value]
    more: int
    """Number of other values."""
    sampled: bool = False
    """True if the values are those of the newest `_SAMPLE` sessions."""


@dataclass(frozen=True)
class FacetsPage(Page):
    """The histogram and the facets of a list; the list fetches this page and shows both."""

    template = "facets.html"
    nav = "sessions"
    filters: Filters
    chart: Chart | None
    facets: Sequence[Facet]
    newest: int
    """Number of sessions whose values were counted, if there are more; otherwise 0."""
    sample: int
    """Number of sessions, the newest ones, that facets marked so are counted of."""
    count: int | None
    """Number of sessions that match; None if there are more than were read."""


def show_facets(site: Site, request: Request) -> Response:
    """`GET /facets`, with the parameters of the list."""
    filters = Filters.read(request.query_params)
    query = filters.query()._replace(before=None)
    read = filters.q or filters.sifted
    buckets, counts, most, newest = _hits(site, filters, query) if read else _all(site, query)
    counted, charted = sum(counts["status"].values()), sum(each.calls for each in buckets)
    page = FacetsPage(
        title="Facets",
        filters=filters,
        chart=calls_chart(buckets, filters) if buckets else None,
        facets=[
            *(
                _facet(filters, name, title, counts[field])
                for field, name, title in _FIELDS
                if len(counts[field]) > 1 or getattr(filters, name)
            ),
            *(_facet(filters, *each) for each in _read(site, filters, newest) if each[2]),
        ],
        sample=_SAMPLE,
        newest=counted if counted == most else 0,
        count=charted if charted != most else None,
    )
    return site.html(page)


Counts = Mapping[Field, Mapping[str, int]]


def _all(site: Site, query: Query) -> tuple[Sequence[Bucket], Counts, int, Sifted]:
    """Return the sessions over time, the counts of their values, the most that are counted, and
    the newest sessions."""
    counts = site.store.facets(query, _NEWEST)
    newest = site.store.list(query._replace(limit=_SAMPLE))
    return _buckets(site, query), counts, _NEWEST, Sifted(newest, _SAMPLE, None)


def _hits(
    site: Site, filters: Filters, query: Query
) -> tuple[Sequence[Bucket], Counts, int, Sifted]:
    """Return the same of the newest hits of a search, or of a condition that no engine knows."""
    if filters.sifted:
        newest = sift(site.store, filters, query)
    else:
        newest = Sifted(site.store.list(query._replace(limit=_HITS)), _HITS, None)
    found = newest.records
    figures = [(r.event_name, r.start_time, r.duration, r.status, r.event_id) for r in found]
    buckets = bucketed(figures, query, _STEPS, cut=len(found) == _HITS)
    rows = ((r.project, r.event_name, r.source, r.status, 1) for r in found)
    return buckets, faceted(rows), _HITS, newest


def _buckets(site: Site, query: Query) -> Sequence[Bucket]:
    """Return the sessions over time: from the store's sums, if there are many."""
    store = site.store
    trends = store.trends(query, "name", _STEPS) if isinstance(store, TrendStore) else None
    if trends is not None and sum(step.sums.calls for step in trends.steps) > _NEWEST:
        return [bucket_of(step) for step in trends.steps]
    return store.overview(query, _STEPS, _NEWEST, names=False).buckets


def _read(
    site: Site, filters: Filters, newest: Sifted
) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Yield parameter, title and counts of what is read from the newest sessions themselves."""
    records = newest.records[:_SAMPLE]
    users = Counter(user_in(each.user_properties) for each in records if each.user_properties)
    figures = list_figures(site.store, records)
    models = Counter(
        model for each in records for model in figures.get(each.event_id, UNKNOWN).models
    )
    marks = marks_of(site.store, records) if newest.marks is None else newest.marks
    kinds = Counter(kind for each in records for kind in kinds_of(each, marks[each.event_id]))
    code = codes(site.store, records).values()
    versions = Counter(f"commit={each.commit}" for each in code if each.commit)
    versions.update(name.replace(" ", "=", 1) for each in code for name in each.names())
    del users[""]
    for name, title, counts in (
        ("user", "User", users),
        ("model", "Model", models),
        ("mark", "Unusual", kinds),
        ("version", "Version", versions),
    ):
        if counts or getattr(filters, name):
            yield name, title, dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _facet(filters: Filters, name: str, title: str, counts: Mapping[str, int]) -> Facet:
    chosen = getattr(filters, name)
    values = [
        Value(
            MARK_NAMES.get(text, text) if name == "mark" else text,
            count,
            filters.url(**{name: "" if text == chosen else text}),
            text == chosen,
        )
        for text, count in list(counts.items())[:_VALUES]
    ]
    return Facet(title, values, max(0, len(counts) - _VALUES), name not in _COUNTED)


_COUNTED = {name for _, name, _ in _FIELDS}
