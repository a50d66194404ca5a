"""Query plans: the table and the conditions, in SQL, that find the sessions of a query.

The conditions on JSON (user, metric, text) decide the plan. A condition that few sessions meet is
looked up in its index, and those sessions are read. One that many meet is expected among the newest
sessions. If neither helps, the index of the JSON combines the conditions by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import _fulltext, _json_index
from ._json_index import Condition, Facet
from ._query import Query

__all__ = ["Way", "counting", "is_derived", "listing"]

WINDOW = 20_000
"""The newest rows, which are searched first. A common condition fills its page there, and for a
rare one this costs little more."""

RARE = 5_000
"""Matches that are fetched and sorted, at most. Beyond it the newest rows are tried one by one."""

TIES = 100
"""Matches beyond a page that are looked for, since they are in order of time only."""


class Way(NamedTuple):
    """A table and a condition that find sessions."""

    table: str
    """`events`, or one that has its small columns, too."""
    condition: str
    values: list[object]


def is_derived(query: Query) -> bool:
    """Return whether a query has conditions on JSON."""
    return query.user is not None or query.metric is not None or query.text is not None


def listing(conn: sqlite3.Connection, query: Query) -> Iterator[Condition]:
    """Yield conditions on `events` to try in turn until one fills the page with the newest; the
    last one finds all there are."""
    if not is_derived(query):
        yield _plain(query)
        return
    # to look up what the facets do not hold yet takes longer than to look into the newest
    late = bool(_json_index.asked(query)) and _json_index.is_behind(conn)
    if late:
        yield from _windowed(conn, query)
    few = _few_by_facet(conn, query)
    if few is not None:
        yield few
        return
    if not late:
        yield from _windowed(conn, query)
    faceted = _faceted(conn, query, hardly=True)
    if faceted is not None:
        numbers, complete = _newest(conn, faceted, query.limit + TIES)
        yield _all([_among(numbers), _plain(query)])
        if complete:
            return
    yield _few_otherwise(conn, query) or _walked(conn, query)


def counting(conn: sqlite3.Connection, query: Query) -> Way:
    """Return the way to all sessions that meet every condition; `before` plays no part."""
    query = query._replace(before=None)
    if not is_derived(query):
        return Way("events", *_plain(query))
    few = _few_by_facet(conn, query)
    if few is None:
        faceted = _faceted(conn, query)
        if faceted is not None:
            return faceted
        few = _few_otherwise(conn, query)
    return Way("events", *(few or _walked(conn, query)))


def _few_by_facet(conn: sqlite3.Connection, query: Query) -> Condition | None:
    """Return the condition for those that meet a facet and the small columns, if they are few."""
    for facet in _json_index.asked(query):
        numbers = _json_index.numbers(conn, facet, _small(query))
        few = _few(conn, query, numbers, facet.others)
        if few is not None:
            return few
    return None


def _few_otherwise(conn: sqlite3.Connection, query: Query) -> Condition | None:
    """Return the condition for sessions that meet the columns or hold the text, if they are few."""
    condition, values = _plain(query)
    columns = (f"SELECT id FROM events WHERE {condition}", values) if condition != "1" else None
    # in this order: of a word that many begin so, the index gathers all before it gives one
    few = _few(conn, query, columns, query)
    if few is None and query.text is not None:
        text = _fulltext.numbers(conn, query.text)
        few = _few(conn, query, text, query._replace(text=None))
    return few


def _few(
    conn: sqlite3.Connection, query: Query, numbers: Condition | None, others: Query
) -> Condition | None:
    """The rows of these numbers where they are few: they are looked into for the other conditions;
    `others`: the query without what the numbers meet."""
    if numbers is None:
        return None
    sql, values = numbers
    found = [row for (row,) in conn.execute(f"{sql} LIMIT ?", (*values, RARE + 1))]
    if len(found) > RARE:
        return None
    conditions = [_among(found), _plain(query), *_looked_into(others)]
    if others.text is not None:
        conditions.append(_fulltext.among(conn, others.text, found))
    return _all(conditions)


def _windowed(conn: sqlite3.Connection, query: Query) -> Iterator[Condition]:
    """Yield the condition on the newest rows of the period, if there are more of them."""
    condition, values = _plain(Query(since=query.since, until=query.until, before=query.before))
    found, since, lowest, highest = conn.execute(
        "SELECT count(*), min(start_time), min(id), max(id) FROM (SELECT id, start_time FROM events"
        f" WHERE {condition} ORDER BY start_time DESC LIMIT ?)",
        (*values, WINDOW),
    ).fetchone()
    if found == WINDOW:
        within = query._replace(since=since)
        derived = _all(_looked_into(within))
        if query.text is not None:
            text = _fulltext.condition(conn, query.text, f"rowid BETWEEN {lowest} AND {highest}")
            derived = _then(derived, text)
        yield _all([_plain(within), *_timed(conn, within), derived])


def _timed(conn: sqlite3.Connection, query: Query) -> Iterator[Condition]:
    """Yield the conditions that spare reading rows of that time, if the index has them in order."""
    if not _json_index.is_behind(conn):
        for facet in _json_index.asked(query):
            if facet.timed:
                yield from _numbered(conn, facet, query)


def _faceted(conn: sqlite3.Connection, query: Query, *, hardly: bool = False) -> Way | None:
    """By what the facets hold alone, if that is all it takes; `hardly`: few are expected to meet
    them all."""
    held = [facet.held for facet in _json_index.asked(query) if facet.held is not None]
    if not held or len(held) < len(_json_index.asked(query)) or _json_index.is_behind(conn):
        return None
    if query.root_id is not None or query.parent_id is not None:
        return None
    first, *rest = held
    conditions = [first, _small(query)]
    # those that meet hardly are mostly of different calls; numbers take longer than names
    alike = [
        (f"event_name IN (SELECT event_name FROM {_json_index.TABLE} WHERE {first[0]})", first[1])
    ]
    for each in rest:
        sql, values = _all([each, *(alike if hardly else [])])
        conditions.append((f"+id IN (SELECT id FROM {_json_index.TABLE} WHERE {sql})", values))
    if query.text is not None:
        conditions.append(_fulltext.condition(conn, query.text))
    return Way(_json_index.TABLE, *_all(conditions))


def _newest(conn: sqlite3.Connection, way: Way, limit: int) -> tuple[list[int], bool]:
    """The numbers of the newest, and whether these are all."""
    sql = f"SELECT id, start_time FROM {way.table} WHERE {way.condition}"
    rows = conn.execute(f"{sql} ORDER BY start_time DESC LIMIT ?", (*way.values, limit)).fetchall()
    complete = len(rows) < limit
    # of those that start as the last one there may be more
    return [row for row, start in rows if complete or start > rows[-1][1]], complete


def _walked(conn: sqlite3.Connection, query: Query) -> Condition:
    """Return the condition that walks the time index, with the numbers of all that match."""
    conditions = [_plain(query)]
    for facet in _json_index.asked(query):
        conditions += [*_numbered(conn, facet, query)] or [facet.json]
    if query.text is not None:
        conditions.append(_fulltext.condition(conn, query.text))
    return _all(conditions)


def _numbered(conn: sqlite3.Connection, facet: Facet, query: Query) -> Iterator[Condition]:
    """The numbers of all that meet a facet, where they can be told."""
    numbers = _json_index.numbers(conn, facet, _small(query))
    if numbers is not None:
        # the plus keeps SQLite from fetching and sorting every match
        yield f"+id IN ({numbers[0]})", numbers[1]


def _looked_into(query: Query) -> Iterator[Condition]:
    """The conditions that the JSON of a row is to meet."""
    return (facet.json for facet in _json_index.asked(query))


def _plain(query: Query) -> Condition:
    """Return the conditions on columns."""
    columns: list[Condition] = [_small(query)]
    if query.root_id is not None:
        columns.append(("root_id = ?", [query.root_id]))
    if query.parent_id is not None:
        columns.append(("parent_id = ?", [query.parent_id]))
    if query.before is not None:
        columns.append(("(start_time < ? OR event_id < ?)", [*query.before]))
    return _all(columns)


def _small(query: Query) -> Condition:
    """Return the conditions on small columns, which the index of the JSON has too."""
    wanted: tuple[tuple[str, object], ...] = (
        ("project = ?", query.project),
        ("event_name = ?", query.session_name),
        ("source = ?", query.source),
        ("status = ?", query.status),
        ("start_time >= ?", query.since),
        ("start_time < ?", query.until),
        ("duration >= ?", query.min_duration),
        ("duration <= ?", query.max_duration),
        # redundant beside what `_plain` adds; but an index can seek to it
        ("start_time <= ?", query.before and query.before[0]),
    )
    conditions = [sql for sql, value in wanted if value is not None]
    values = [value for _, value in wanted if value is not None]
    if query.error is not None:
        conditions.append("error IS NOT NULL" if query.error else "error IS NULL")
    if query.roots_only:
        conditions.append("parent_id IS NULL")
    return " AND ".join(conditions) or "1", values


def _all(conditions: Iterable[Condition]) -> Condition:
    """Join conditions that all have to hold."""
    given = list(conditions)
    return " AND ".join(sql for sql, _ in given) or "1", [
        each for _, some in given for each in some
    ]


def _then(first: Condition, second: Condition) -> Condition:
    """Both hold; for no row SQLite makes ready for the second before one has met the first."""
    return f"CASE WHEN {first[0]} THEN {second[0]} END", [*first[1], *second[1]]


def _among(numbers: Iterable[int]) -> Condition:
    return f"id IN ({', '.join(map(str, numbers))})", []
