"""How a store's sessions fare over time, and by name."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ...store import NameSummary
from .._http import RefusedError
from ._charts import Chart, charts
from ._filters import Filters
from ._page import Page, Site

__all__ = ["OverviewPage", "show_overview"]

_NEWEST = 40_000
"""Sessions that are looked at, so that a store of millions answers at once."""

_BUCKETS = 60

_NAMES = 300
"""Of the table: those that are called most."""

_PERIODS = (("1h", "hour"), ("24h", "day"), ("7d", "week"), ("30d", "month"), ("", "all"))


@dataclass(frozen=True)
class OverviewPage(Page):
    """Figures over time, of one name or all, and per name."""

    template = "overview.html"
    nav = "overview"
    filters: Filters
    periods: Sequence[tuple[str, str, str]]
    """How far back one may look: the parameter, its name, the address."""
    charts: Sequence[Chart]
    start: float
    end: float
    """Of the charts, in epoch milliseconds."""
    names: Sequence[NameSummary]
    more_names: int
    calls: int
    errors: int
    newest: int
    """How many were looked at, where there are more; else 0."""
    projects: Sequence[str]
    problem: str


def show_overview(site: Site, request: Request) -> Response:
    """`GET /overview`, with the parameters of the list."""
    filters = Filters.read(request.query_params)
    filters = dataclasses.replace(filters, scope=filters.scope or "calls")
    problem = ""
    try:
        query = filters.query(time.time())
    except RefusedError as refusal:
        problem = str(refusal)
        query = Filters(scope="calls").query(time.time())
    alone = query.session_name is not None
    buckets, names = site.store.overview(query, _BUCKETS, _NEWEST, names=not alone)
    if alone:  # the other names are still to be chosen from
        names = site.store.summary(query._replace(session_name=None), _NEWEST)
    looked_at = sum(each.calls for each in names)
    page = OverviewPage(
        title="Overview",
        filters=filters,
        periods=[(p, name, filters.url("/overview", since=p)) for p, name in _PERIODS],
        charts=charts(buckets),
        start=buckets[0].start if buckets else 0,
        end=buckets[-1].end if buckets else 0,
        names=names[:_NAMES],
        more_names=max(0, len(names) - _NAMES),
        calls=sum(each.calls for each in buckets),
        errors=sum(each.errors for each in buckets),
        newest=_NEWEST if looked_at == _NEWEST else 0,
        projects=site.choices("project"),
        problem=problem,
    )
    return site.html(page, 400 if problem else 200)
