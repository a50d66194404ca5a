"""Two sessions side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._display.words import Words, differing_words
from ...lookup import StoreFamily
from ...lookup.compare import Change, Pair, compare
from ...lookup.recorded import RecordedSession
from ...store import Query
from .._http import RefusedError
from ._nodes import Text
from ._page import Page, Site
from ._rows import Row

__all__ = ["ComparePage", "show_comparison"]

Pace = Literal["slower", "faster", ""]

_NOTABLE = 1.1
"""Ratio of two durations from which the difference is pointed out."""

_ROWS = 2_000
_CANDIDATES = 20


@dataclass(frozen=True)
class Changed:
    """A value that differs; None if it was added or removed."""

    path: str
    kind: str
    before: Text | None
    after: Text | None
    words: tuple[Words, Words] | None = None
    """Both texts as pieces, each with a flag for a difference; None if that would say little."""


@dataclass(frozen=True)
class Compared:
    """A row: a call of one run and the corresponding call of the other."""

    pair: Pair
    indent: int
    """Levels, at most 12: deeper calls are not indented further."""
    change: str
    """The difference of the durations in words; empty if it is unknown."""
    pace: Pace
    changes: Sequence[Changed]


@dataclass(frozen=True)
class ComparePage(Page):
    """The differences between two runs of a pipeline."""

    template = "compare.html"
    nav = "compare"
    a: str
    b: str
    """The ids as typed; the sessions found for them follow."""
    before: RecordedSession | None
    after: RecordedSession | None
    counts: Mapping[str, int]
    rows: Sequence[Compared]
    left: int
    candidates: Sequence[Row]
    """Recent sessions to choose from, if one of the two is missing."""
    problem: str


def show_comparison(site: Site, request: Request) -> Response:
    """`GET /compare`, with `a` and `b`: ids, or beginnings of ids."""
    a, b = (request.query_params.get(name, "").strip() for name in "ab")
    if chosen := request.query_params.getlist("id"):  # The list shows the older one below.
        b, a, *_ = [*chosen, ""]
    before = after = None
    problem = ""
    try:
        before, after = (_find(site, each) if each else None for each in (a, b))
    except RefusedError as refusal:
        problem = str(refusal)
    pairs: Sequence[Pair] = []
    counts: Mapping[str, int] = {}
    candidates: Sequence[Row] = []
    if before and after:
        comparison = compare(before, after)
        pairs, counts = comparison.pairs, comparison.counts
    else:
        candidates = _candidates(site, before or after)
    page = ComparePage(
        title="Compare",
        a=before.session_id if before else a,
        b=after.session_id if after else b,
        before=before,
        after=after,
        counts=counts,
        rows=[_compared(pair) for pair in islice(pairs, _ROWS)],
        left=max(0, len(pairs) - _ROWS),
        candidates=candidates,
        problem=problem,
    )
    return site.html(page, 404 if problem else 200)


def _find(site: Site, text: str) -> RecordedSession:
    family = StoreFamily(site.reader)
    found = family.get(text)
    if found is None:
        ids = site.reader.find_ids(text, 2)
        found = family.get(ids[0]) if len(ids) == 1 else None
        if found is None:
            how = "more than one session has" if ids else "no session has"
            raise RefusedError(404, "session_not_found", f"{how} an id that begins with {text!r}")
    return found


def _candidates(site: Site, chosen: RecordedSession | None) -> list[Row]:
    """Return recent sessions of the same name, or recent runs."""
    if chosen is None:
        query = Query(roots_only=True, limit=_CANDIDATES)
    else:
        project, name = chosen.project, chosen.session_name
        query = Query(project=project, session_name=name, limit=_CANDIDATES + 1)
    found = site.store.list(query)
    return [Row.of(each) for each in found if chosen is None or each.event_id != chosen.session_id]


def _compared(pair: Pair) -> Compared:
    old = pair.before.duration if pair.before else None
    new = pair.after.duration if pair.after else None
    ratio = new / old if old and new is not None else 1.0
    change = f"{(ratio - 1) * 100:+.0f} %" if ratio < 2 else f"{ratio:.1f} times"
    pace: Pace = "slower" if ratio >= _NOTABLE else "faster" if ratio <= 1 / _NOTABLE else ""
    changes = [_changed(each) for each in pair.changes]
    depth = min(pair.place.depth, 12)
    return Compared(pair, depth, "" if abs(ratio - 1) < 0.01 else change, pace, changes)


def _changed(change: Change) -> Changed:
    before = None if change.kind == "added" else _text(change.before)
    after = None if change.kind == "removed" else _text(change.after)
    return Changed(
        change.path, change.kind, before, after, differing_words(change.before, change.after)
    )


def _text(value: Any) -> Text:
    return Text.of(value if isinstance(value, str) else orjson.dumps(value).decode(), 400)
