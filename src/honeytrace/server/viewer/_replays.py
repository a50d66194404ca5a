"""A set of replays: every run before and after, with its scores and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ...lookup import StoreFamily
from ...lookup.recorded import RecordedSession
from ...lookup.replays import ReplayRow, Standing, counted, standings, stored_rows
from .._http import RefusedError
from ._page import Page, Site

__all__ = ["ReplaysPage", "show_replays"]

_ROWS = 1_000
"""Number of runs on the page, the newest of a larger set."""

_FIGURES = ("duration", "tokens", "cost")


@dataclass(frozen=True)
class Replayed:
    """A row of the table: a call that was replayed."""

    row: ReplayRow
    scores: Sequence[tuple[str, str, str]]
    """Before, after, and `better`, `worse` or empty, for each score of the set."""
    figures: Sequence[tuple[str, str]]
    """Duration, tokens and cost, each before and after; empty if unknown."""


@dataclass(frozen=True)
class Mean:
    """A score of the whole set."""

    name: str
    before: str
    after: str
    standing: Standing


@dataclass(frozen=True)
class ReplaysPage(Page):
    """A set of replays."""

    template = "replays.html"
    session: RecordedSession
    counts: Mapping[str, int]
    means: Sequence[Mean]
    figures: Sequence[str]
    """Names of the figures that any run has."""
    rows: Sequence[Replayed]
    is_cut: bool


def show_replays(site: Site, request: Request) -> Response:
    """`GET /replays/{session_id}`."""
    session = StoreFamily(site.reader).get(request.path_params["session_id"])
    if session is None:
        raise RefusedError(404, "session_not_found", "No session has this id.")
    found = stored_rows(site.reader, session.session_id, _ROWS)
    if not found:
        raise RefusedError(404, "no_replays", "This session is no set of replays.")
    rows, scores = found[-_ROWS:], standings(found)
    known = [name for n, name in enumerate(_FIGURES) if any(map(any, _sides(rows, n)))]
    page = ReplaysPage(
        title="Replays",
        session=session,
        counts=counted(rows),
        means=[Mean(name, *_means(each), each) for name, each in scores.items()],
        figures=known,
        rows=[_replayed(row, list(scores), known) for row in rows],
        is_cut=len(found) > _ROWS,
    )
    return site.html(page)


def _sides(rows: Sequence[ReplayRow], at: int) -> list[tuple[str, str]]:
    return [(row.before.texts[at], row.after.texts[at]) for row in rows]


def _means(standing: Standing) -> tuple[str, str]:
    before, after = ("?" if each is None else f"{each:.4g}" for each in standing[:2])
    return before, after


def _replayed(row: ReplayRow, scores: Sequence[str], known: Sequence[str]) -> Replayed:
    places = [_FIGURES.index(name) for name in known]
    figures = [(row.before.texts[at], row.after.texts[at]) for at in places]
    return Replayed(row, [_score(row, name) for name in scores], figures)


def _score(row: ReplayRow, name: str) -> tuple[str, str, str]:
    score = row.scores.get(name)
    if score is None:
        return "", "", ""
    before, after = ("" if each is None else f"{each:.4g}" for each in score)
    change = score.change or 0.0
    return before, after, "better" if change > 0 else "worse" if change < 0 else ""
