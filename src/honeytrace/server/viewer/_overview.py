"""Figures of sessions over time, and by name, model or user, for a whole period.

The store's hourly sums (`store.trends`) cover any number of sessions. Up to 20,000 sessions are
read one by one, for exact percentiles and finer steps. Conditions that the sums do not support are
also answered from single sessions; the page then says from which time on it counts.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from ..._display.figures import amount_text, count_text
from ...lookup.prices import price
from ...store import Bucket, Query
from ...store.trends import Model, Step, Sums, Tokens, Trends, TrendStore
from .._http import RefusedError
from ._by_code import CODED, by_code
from ._charts import Chart, charts
from ._filters import Filters
from ._page import Page, Site
from ._usage import spent_text

__all__ = ["OverviewPage", "bucket_of", "show_overview"]

_NEWEST = 20_000
"""Number of sessions that are read one by one, which takes a tenth of a second."""

_STEPS = 60

_GROUPS = 100
"""Number of rows of the table: the groups with the most calls."""

_PERIODS = (("1h", "hour"), ("24h", "day"), ("7d", "week"), ("30d", "month"), ("", "all"))

By = Literal["name", "model", "user", "version", "commit"]


@dataclass(frozen=True)
class Group:
    """A row of the table: the sessions of one name, model or user."""

    name: str
    calls: int
    errors: int | None = None
    """None if the sums do not know it, as for models."""
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    slowest_id: str | None = None
    tokens: str = ""
    cost: str = ""
    chart: str = ""
    """Address of the charts of this group alone."""
    sessions: str = ""
    """Address of the list of its sessions."""


@dataclass(frozen=True)
class OverviewPage(Page):
    """Figures over time, of one name or all, and per name, model or user."""

    template = "overview.html"
    nav = "overview"
    filters: Filters
    periods: Sequence[tuple[str, str, str]]
    """The periods to choose from: the parameter, its name, the address."""
    by: By
    divisions: Sequence[tuple[str, str]]
    """The groupings to choose from, each with its address."""
    charts: Sequence[Chart]
    start: float
    end: float
    """Ends of the charts, in epoch milliseconds."""
    groups: Sequence[Group]
    more_groups: int
    calls: int
    errors: int
    tokens: str
    cost: str
    newest: int
    """Number of sessions that were read, if there are more that are not counted; otherwise 0."""
    sampled: int
    """Number of sessions, the newest ones, that the groups are of; 0 if they are of all."""
    open_calls: int | None
    """Calls that living processes have open; None if there is no such process."""
    projects: Sequence[str]
    problem: str


def show_overview(site: Site, request: Request) -> Response:
    """`GET /overview`, with the parameters of the list, and `by`."""
    filters = Filters.read(request.query_params).known
    filters = dataclasses.replace(filters, scope=filters.scope or "calls")
    by: By = next((each for each in get_args(By) if each == filters.by), "name")
    problem = ""
    try:
        query = filters.query()
    except RefusedError as refusal:
        problem = str(refusal)
        query = Filters(scope="calls").query()
    found = _figures(site, query, filters, by)
    processes = site.running.processes()
    spent = _spent(found.total.tokens)
    calls = sum(each.calls for each in found.buckets)
    page = OverviewPage(
        title="Overview",
        filters=filters,
        periods=[(p, n, filters.url("/overview", since=p, until="")) for p, n in _PERIODS],
        by=by,
        divisions=[(name, filters.url("/overview", by=name)) for name in get_args(By)],
        charts=charts(found.buckets, found.tokens, filters),
        start=found.buckets[0].start if found.buckets else 0,
        end=found.buckets[-1].end if found.buckets else 0,
        groups=[_linked(each, filters, by) for each in found.groups[:_GROUPS]],
        more_groups=max(0, found.known - _GROUPS),
        calls=calls,
        errors=sum(each.errors for each in found.buckets),
        tokens=spent[0],
        cost=spent_text(spent[1]),
        newest=found.newest,
        sampled=CODED if by in ("version", "commit") and calls > CODED else 0,
        open_calls=sum(len(each.calls) for each in processes) if processes else None,
        projects=site.choices("project"),
        problem=problem,
    )
    return site.html(page, 400 if problem else 200)


@dataclass(frozen=True)
class _Found:
    """The figures of a period, from hourly sums or single sessions."""

    buckets: Sequence[Bucket]
    tokens: Sequence[tuple[float, float, int]]
    """Start, end and tokens of each step; empty if no tokens were recorded."""
    groups: Sequence[Group]
    known: int
    """Number of groups, also of those that are not in the table."""
    total: Sums
    newest: int


def _figures(site: Site, query: Query, filters: Filters, by: By) -> _Found:
    store = site.store
    trends: Trends | None = None
    if isinstance(store, TrendStore):
        trends = store.trends(query, "name", _STEPS)
    known = 0
    total = Sums()
    for step in trends.steps if trends else ():
        total.add(step.sums)
    tokens = [
        (each.start, each.end, sum(t.total for t in each.sums.tokens.values()))
        for each in (trends.steps if trends else ())
    ]
    if trends is None or total.calls <= _NEWEST:
        alone = query.session_name is not None
        buckets, summaries = store.overview(query, _STEPS, _NEWEST, names=not alone)
        if alone:  # The other names must stay available to choose from.
            summaries = store.summary(query._replace(session_name=None), _NEWEST)
        spent = trends.groups if trends and by == "name" else {}
        groups = [
            Group(*each[:8], *_spent(spent[each.session_name].tokens if each[0] in spent else {}))
            for each in summaries
        ]
        # A full page left some sessions out.
        newest = sum(each.calls for each in buckets)
        newest = newest if trends is None and newest >= _NEWEST else 0
    else:
        buckets = [bucket_of(step) for step in trends.steps]
        groups = _groups(trends)
        known = len(trends.groups)
        newest = 0
    if by == "model":
        groups, known = _models(total.tokens), 0
    elif by == "user":
        users = store.trends(query, "user", 0) if isinstance(store, TrendStore) else None
        groups = _groups(users) if users else []
        known = len(users.groups) if users else 0
    elif by in ("version", "commit"):
        groups, known = [Group(*each) for each in by_code(store, query, by)], 0
    groups = sorted(groups, key=lambda group: (-group.calls, group.name))
    told = tokens if any(count for _, _, count in tokens) else []
    return _Found(buckets, told, groups, max(known, len(groups)), total, newest)


def bucket_of(step: Step) -> Bucket:
    """Return the figures of a step of hourly sums."""
    sums = step.sums
    return Bucket(step.start, step.end, sums.calls, sums.errors, *sums.percentiles(50, 95))


def _groups(trends: Trends) -> list[Group]:
    """Return the groups of the table with their figures."""
    most = nsmallest(_GROUPS, trends.groups.items(), key=lambda each: (-each[1].calls, each[0]))
    return [_group(name, sums) for name, sums in most]


def _group(name: str, sums: Sums) -> Group:
    p50, p95, p99 = sums.percentiles(50, 95, 99)
    slowest = sums.slowest_id if isinstance(sums.slowest_id, str) else None
    tokens, cost = _spent(sums.tokens)
    return Group(name, sums.calls, sums.errors, p50, p95, p99, sums.slowest, slowest, tokens, cost)


def _models(found: Mapping[Model, Tokens]) -> list[Group]:
    models: dict[str, dict[Model, Tokens]] = {}
    for model, tokens in found.items():
        models.setdefault(model[0] or "unknown", {})[model] = tokens
    return [
        Group(
            name,
            sum(each.calls for each in tokens.values()),
            tokens=_spent(tokens)[0],
            cost=_spent(tokens)[1],
        )
        for name, tokens in models.items()
    ]


def _linked(group: Group, filters: Filters, by: By) -> Group:
    """Return the row with its links; the list has no condition on a model."""
    if by == "name":
        chart = filters.url("/overview", name=group.name)
        return dataclasses.replace(
            group, chart=chart, sessions=filters.url("/", name=group.name, scope="calls", by="")
        )
    if by in ("version", "commit"):
        wanted = f"commit={group.name}" if by == "commit" else group.name.replace(" ", "=", 1)
        address = filters.url("/", version=wanted, by="")
        return dataclasses.replace(group, sessions=address)
    if by == "user":
        address = filters.url("/", user=group.name, scope="calls", by="")
        return dataclasses.replace(group, sessions=address)
    return group


def _spent(tokens: Mapping[Model, Tokens]) -> tuple[str, str]:
    """Return tokens and cost as texts; empty if none were recorded."""
    if not tokens:
        return "", ""
    total = sum(each.total for each in tokens.values())
    costs = list(_costs(tokens.items()))
    known = [cost for cost in costs if cost is not None]
    cost = amount_text(sum(known), at_least=len(known) < len(costs)) if known else ""
    return count_text(total), cost


def _costs(tokens: Iterable[tuple[Model, Tokens]]) -> Iterable[float | None]:
    """Return the cost of each model in US dollars; None if its tokens have no price."""
    for (model, provider), each in tokens:
        if not each.unpriced_prompt and not each.unpriced_completion:
            yield each.cost
            continue
        counts = {
            "prompt_tokens": each.unpriced_prompt,
            "completion_tokens": each.unpriced_completion,
            "cached_tokens": each.unpriced_cached,
        }
        priced = price(model, provider or None, counts, time.time() * 1000) if model else None
        yield None if priced is None else each.cost + priced
