"""Failures in groups of the same type, raised in the same place of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._record.record import RESERVED, Record
from ...store._spending import user_in
from .._http import RefusedError
from ._failure import Frame, frames, innermost, type_of
from ._filters import Filters
from ._page import Page, Site

__all__ = ["Issue", "IssuesPage", "grouped", "show_issues"]

_NEWEST = 2_000
"""Number of failures that are read, which takes a tenth of a second."""

_EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One of the failures of a group."""

    session_id: str
    name: str
    start_time: float
    error: str


@dataclass(frozen=True)
class Issue:
    """Failures of one type that were raised in one place."""

    type: str
    message: str
    """The message of the newest failure."""
    place: Frame | None
    name: str
    """The session in which the error was raised; stands for the place if no frame is known."""
    count: int
    users: int
    """Number of known users who met the failure."""
    first: float
    last: float
    """Epoch milliseconds."""
    examples: Sequence[Example]
    """The newest failures of the group."""


@dataclass(frozen=True)
class IssuesPage(Page):
    """Every kind of failure, the most frequent first."""

    template = "issues.html"
    nav = "issues"
    filters: Filters
    periods: Sequence[tuple[str, str, str]]
    issues: Sequence[Issue]
    failures: int
    since: float
    """Start of the oldest failure that was read."""
    cut: bool
    """True if older failures were not read."""
    problem: str


_PERIODS = (("24h", "day"), ("7d", "week"), ("30d", "month"), ("", "all"))


def show_issues(site: Site, request: Request) -> Response:
    """`GET /issues`, with the parameters of the list."""
    filters = Filters.read(request.query_params).known
    filters = replace(filters, scope="calls", status="error", before="")
    problem = ""
    try:
        query = filters.query()
    except RefusedError as refusal:
        problem = str(refusal)
        query = Filters(scope="calls", status="error").query()
    records = site.store.list(query._replace(limit=_NEWEST))
    issues = grouped(records)
    page = IssuesPage(
        title="Issues",
        filters=filters,
        periods=[(p, n, filters.url("/issues", since=p, until="")) for p, n in _PERIODS],
        issues=issues,
        failures=sum(each.count for each in issues),
        since=records[-1].start_time if records else 0,
        cut=len(records) == _NEWEST,
        problem=problem,
    )
    return site.html(page, 400 if problem else 200)


def grouped(records: Sequence[Record]) -> list[Issue]:
    """Return the failures, newest first, by type and innermost own frame. A failure that was raised
    by a call inside counts only for that call."""
    groups: dict[tuple[Any, ...], list[tuple[Record, Frame | None]]] = {}
    for record in records:
        details = _details(record)
        if details.get("raised_in") or not record.error:
            continue
        place = innermost(frames(str(details.get("traceback") or "")))
        # The line is left out, because it moves with every edit above it.
        where = (place.file, place.function) if place else ("", record.event_name)
        groups.setdefault((type_of(record.error), *where), []).append((record, place))
    issues = [_issue(key[0], found) for key, found in groups.items()]
    return sorted(issues, key=lambda issue: (-issue.count, -issue.last))


def _issue(kind: str, found: Sequence[tuple[Record, Frame | None]]) -> Issue:
    newest, place = found[0]
    starts = [record.start_time for record, _ in found]
    users = {user_in(r.user_properties) for r, _ in found if r.user_properties} - {""}
    message = (newest.error or "").partition(":")[2].strip()
    return Issue(
        type=kind,
        message=message[:300],
        place=place,
        name=newest.event_name,
        count=len(found),
        users=len(users),
        first=min(starts),
        last=max(starts),
        examples=[
            Example(r.event_id, r.event_name, r.start_time, (r.error or "")[:200])
            for r, _ in found[:_EXAMPLES]
        ],
    )


def _details(record: Record) -> Mapping[str, Any]:
    metadata = orjson.loads(record.metadata or b"{}")
    found = metadata.get(RESERVED)
    return found if isinstance(found, dict) else {}
