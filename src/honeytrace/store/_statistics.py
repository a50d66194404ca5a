"""Counts and percentiles over many sessions, the same for every engine."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

from ._query import Bucket, Field, NameSummary, Query

__all__ = ["FACETS", "Figure", "bucketed", "faceted", "summarised"]

FACETS: tuple[Field, ...] = get_args(Field)
"""The fields that facets count, in this order."""

Figure = tuple[str, float, "float | None", str, Any]
"""Name, start, duration and status of a session, and its key in the engine. A plain tuple, because
there are a hundred thousand of them."""


def summarised(figures: Sequence[Figure], id_of: Callable[[Any], str | None]) -> list[NameSummary]:
    """Return the figures by name, most called first; `id_of` returns the id of a key."""
    groups = defaultdict(list)
    for figure in figures:
        groups[figure[0]].append(figure)
    summaries = []
    for name, group in groups.items():
        durations = _durations(group)
        slowest = next(each[4] for each in group if each[2] == durations[-1]) if durations else None
        summaries.append(
            NameSummary(
                session_name=name,
                calls=len(group),
                errors=_errors(group),
                p50=_nearest_rank(durations, 50),
                p95=_nearest_rank(durations, 95),
                p99=_nearest_rank(durations, 99),
                max=_nearest_rank(durations, 100),
                slowest_id=None if slowest is None else id_of(slowest),
            )
        )
    return sorted(summaries, key=lambda summary: (-summary.calls, summary.session_name))


def bucketed(figures: Sequence[Figure], query: Query, count: int, *, cut: bool) -> list[Bucket]:
    """Return the figures in `count` equal steps of time, of sessions newest first; `cut`: older
    sessions are missing."""
    if not figures:
        return []
    oldest, newest = figures[-1][1], figures[0][1]
    start = oldest if cut or query.since is None else query.since
    # The end is exclusive: one more millisecond puts the newest session into the last step.
    end = newest + 1.0 if query.until is None else query.until
    step = (end - start) / count
    groups: list[list[Figure]] = [[] for _ in range(count + 1)]
    for figure in figures:
        groups[int((figure[1] - start) / step)].append(figure)
    groups[count - 1] += groups.pop()  # Rounding alone can create one step too many.
    return [
        Bucket(
            start + number * step,
            start + (number + 1) * step,
            len(group),
            _errors(group),
            _nearest_rank(durations, 50),
            _nearest_rank(durations, 95),
        )
        for number, group in enumerate(groups)
        for durations in [_durations(group)]
    ]


def faceted(rows: Iterable[tuple[Any, ...]]) -> dict[Field, dict[str, int]]:
    """Return the counts per value of each field, most frequent first; a row has the values of
    `FACETS` and the number of sessions with all of them."""
    counts: dict[Field, Counter[str]] = {field: Counter() for field in FACETS}
    for *values, calls in rows:
        for field, value in zip(FACETS, values, strict=True):
            counts[field][value] += calls
    return {
        field: dict(sorted(count.items(), key=lambda each: (-each[1], each[0])))
        for field, count in counts.items()
    }


def _errors(group: list[Figure]) -> int:
    return [status for _, _, _, status, _ in group].count("error")


def _durations(group: list[Figure]) -> list[float]:
    return sorted(duration for _, _, duration, _, _ in group if duration is not None)


def _nearest_rank(durations: list[float], percent: int) -> float | None:
    return durations[math.ceil(len(durations) * percent / 100) - 1] if durations else None
