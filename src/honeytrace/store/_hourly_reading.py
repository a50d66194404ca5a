"""Queries of the hourly sums of the SQLite store.

Rows that are not added to the sums yet, and hours that a period cuts, are read directly.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from heapq import nsmallest

import orjson

from ._hourly import DAILY, DAY, exists, left, read, stale, summed, sums_of
from ._query import Query
from .trends import HOUR, By, Period, Sums

__all__ = ["can_tell", "cells", "period"]

BEHIND = 30_000
"""Largest number of rows that are not added yet; beyond it, the sums are not used."""

Timed = tuple[float, str, Sums]
"""Sums with a time in epoch milliseconds, and a name or user."""

Level = tuple[str, int, int]
"""A kind of sums, and the hours that are read of it."""


def period(conn: sqlite3.Connection, query: Query) -> Period:
    """Return the part of the query's period in which there are sessions; other conditions are
    ignored."""
    # SQLite reads the whole index if one statement asks for both ends.
    oldest, newest = conn.execute(
        "SELECT (SELECT min(start_time) FROM events), (SELECT max(start_time) FROM events)"
    ).fetchone()
    return Period.of(query, oldest or 0.0, newest or 0.0)


def cells(
    conn: sqlite3.Connection, query: Query, period: Period, by: By, most: int | None = None
) -> Iterator[Timed]:
    """Yield the sums of a period, each with a time within it and its name or user. No hour may be
    stale.

    `most`: only so many names or users, those with the most calls, come with all figures, the
    others with their calls alone.
    """
    first, last = _whole(period)
    levels = list(_levels(by, first, last, period.unit))
    loose = list(_loose(conn, query, period, by))
    told: set[str] | None = None
    if most is not None:
        calls = Counter[str]()
        for level in levels:
            calls.update(
                dict(conn.execute(*_held(query, level, "key, sum(calls)", " GROUP BY key")))
            )
        for _, key, sums in loose:
            calls[key] += sums.calls
        if len(calls) > most:
            told = set(nsmallest(most, calls, key=lambda key: (-calls[key], key)))
            yield from ((period.since, key, _calls(calls[key])) for key in calls.keys() - told)
    for level in levels:
        for hour, key, *row in conn.execute(*_held(query, level, _FIGURES, among=told)):
            yield hour * HOUR, key, read(row)
    yield from (each for each in loose if told is None or each[1] in told)


def _calls(count: int) -> Sums:
    sums = Sums()
    sums.calls = count
    return sums


def _loose(conn: sqlite3.Connection, query: Query, period: Period, by: By) -> Iterator[Timed]:
    """Yield the sums of rows that are not in the table yet, or in hours that the period cuts."""
    since, until = period
    upto = summed(conn)
    spans: list[tuple[str, tuple[object, ...]]] = [
        # The plus keeps SQLite from walking the whole period in the index of time.
        ("id > ? AND +start_time >= ? AND +start_time < ?", (upto, since, until))
    ]
    spans += [
        ("start_time >= ? AND start_time < ? AND +id <= ?", (*edge, upto))
        for edge in _edges(since, until, *_whole(period))
    ]
    for condition, values in spans:
        for (hour, kind, key, project, top), sums in sums_of(conn, condition, values).items():
            if kind == by and _wanted(query, key, project, top):
                yield hour * HOUR, key, sums


def _whole(period: Period) -> tuple[int, int]:
    """Return the first and the last hour, exclusive, of the whole hours of a period."""
    first = -int(-period.since // HOUR)
    return first, max(first, int(period.until // HOUR))


def _levels(by: By, first: int, last: int, unit: float) -> Iterator[Level]:
    """Yield kinds of cells with the hours that each covers: days inside, hours around them."""
    start, end = -(-first // DAY) * DAY, last // DAY * DAY
    if unit == HOUR or end <= start:
        yield by, first, last
        return
    yield by, first, start
    yield by + DAILY, start, end
    yield by, end, last


def can_tell(conn: sqlite3.Connection, query: Query, by: By) -> bool:
    """Return whether `cells` can answer this query quickly."""
    plain = Query(project=query.project, session_name=query.session_name, since=query.since,
                  until=query.until, roots_only=query.roots_only, limit=query.limit)  # fmt: skip
    if query._replace(before=None) != plain or (by == "user" and query.session_name is not None):
        return False
    return exists(conn) and left(conn) <= BEHIND and not stale(conn)


def _edges(since: float, until: float, first: int, last: int) -> Iterator[tuple[float, float]]:
    """Yield the stretches that whole hours do not cover."""
    if since < first * HOUR:
        yield since, min(first * HOUR, until)
    if until > max(last * HOUR, since):
        yield max(last * HOUR, since), until


_FIGURES = "hour, key, calls, errors, durations, slowest, slowest_row, tokens"


def _held(
    query: Query, level: Level, columns: str, ending: str = "", among: set[str] | None = None
) -> tuple[str, list[object]]:
    """Return the statement that reads a level of the table, of all keys or `among` some."""
    conditions = ["kind = ?", "hour >= ?", "hour < ?"]
    values: list[object] = [*level]
    if query.project is not None:
        conditions.append("project = ?")
        values.append(query.project)
    if query.session_name is not None:
        conditions.append("key = ?")
        values.append(query.session_name)
    if query.roots_only:
        conditions.append("top")
    if among is not None:
        conditions.append("key IN (SELECT value FROM json_each(?))")
        values.append(orjson.dumps(sorted(among)).decode())
    return f"SELECT {columns} FROM hourly WHERE {' AND '.join(conditions)}{ending}", values


def _wanted(query: Query, key: str, project: str, top: int) -> bool:
    return (
        query.project in (None, project)
        and query.session_name in (None, key)
        and (bool(top) or not query.roots_only)
    )
