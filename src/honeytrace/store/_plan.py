"""Query plans: the table and the conditions, in SQL, that find the sessions of a query.

The conditions on JSON (user, metric, text) decide the plan. The texts of the newest sessions are
read first, which fills a page of a common word. A condition that few sessions meet is looked up in
its index, and those sessions are read. A condition that many sessions meet is tried on the newest
sessions first. If neither helps, the conditions are combined within the index of the JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import _fulltext, _json_index, _zone_map
from ._json_index import Condition, Facet
from ._query import Query

__all__ = ["Way", "counting", "is_derived", "listing", "near"]

WINDOW = 20_000
"""Number of the newest rows, which are searched first. A common condition fills its page there, and
a rare condition costs little more."""

NEAR = 2_000
"""Number of the newest rows that are searched before anything else, in less than a millisecond, if
the conditions are on columns alone."""

RARE = 5_000
"""Largest number of matches that are fetched and sorted. Beyond it, the newest rows are tried one
by one."""

READ_FIRST = 10
"""Number of rows whose texts are read first, as a multiple of the page."""

TIES = 100
"""Number of extra matches beyond a page, since matches are in order of time only."""


Row = tuple[int, float]
"""Number and start of a row."""


class Way(NamedTuple):
    """A table and a condition that find sessions."""

    table: str
    """The table: `events`, or one with the same small columns."""
    condition: str
    values: list[object]


def is_derived(query: Query) -> bool:
    """Return whether a query has conditions on JSON."""
    return query.user is not None or query.metric is not None or query.text is not None


def listing(conn: sqlite3.Connection, query: Query) -> Iterator[Condition]:
    """Yield conditions on `events` to try in turn until one fills the page with the newest
    sessions; the last condition finds all of them."""
    if not is_derived(query):
        yield _plain(query)
        return
    # Catching up the facets takes longer than reading the newest rows.
    late = bool(_json_index.asked(query)) and _json_index.is_behind(conn)
    if query.text is not None:
        first, are_all = _read_first(conn, query)
        yield first
        if are_all:
            return
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
        yield _all([_fulltext.those(numbers), _plain(query)])
        if complete:
            return
    if query.text is not None and _plain(query)[0] != "1":
        read, are_all = _read_few(conn, query)
        if read is not None:
            yield read
        if are_all:
            return
    yield _few_otherwise(conn, query) or _walked(conn, query)


def near(conn: sqlite3.Connection, query: Query) -> Query | None:
    """Return the query for the newest rows of its period; None if that would not be quicker.

    A page of a common condition is filled there, so that the map of zones need not be read.
    """
    if is_derived(query) or not _zone_map.narrows(query):
        return None
    return _newest_only(conn, query, NEAR)


def _newest_only(conn: sqlite3.Connection, query: Query, rows: int) -> Query | None:
    """Return the query for this many newest rows of its period; None if it has no more."""
    condition, values = _plain(Query(since=query.since, until=query.until, before=query.before))
    sql = f"SELECT start_time FROM events WHERE {condition} ORDER BY start_time DESC"
    found = conn.execute(f"{sql} LIMIT 1 OFFSET {rows}", values).fetchone()
    return None if found is None else query._replace(since=found[0])


def _read_first(conn: sqlite3.Connection, query: Query) -> tuple[Condition, bool]:
    """Return the condition on the newest rows that hold the text, found by reading their texts, and
    true if these are all."""
    within, most = _newest_only(conn, query, WINDOW), READ_FIRST * query.limit
    rows = _newest_rows(conn, within or query, most)
    return _read(conn, query, rows, are_all=within is None and len(rows) < most)


def _read_few(conn: sqlite3.Connection, query: Query) -> tuple[Condition | None, bool]:
    """Return the same of the rows that meet the columns; None if they are not few."""
    rows = _newest_rows(conn, query, RARE + 1)
    return (None, False) if len(rows) > RARE else _read(conn, query, rows, are_all=True)


def _newest_rows(conn: sqlite3.Connection, query: Query, most: int) -> list[Row]:
    condition, values = _plain(query)
    sql = f"SELECT id, start_time FROM events WHERE {condition} ORDER BY start_time DESC LIMIT ?"
    return conn.execute(sql, (*values, most)).fetchall()


def _read(
    conn: sqlite3.Connection, query: Query, rows: list[Row], *, are_all: bool
) -> tuple[Condition, bool]:
    """Return the condition on those of some rows that hold the text, and true if these are all.
    Once they fill the page, no more are read. `are_all`: no other row meets the columns."""
    assert query.text is not None
    facets = list(_looked_into(query))
    found, tried = _fulltext.read(
        conn, query.text, [row for row, _ in rows], None if facets else query.limit
    )
    are_all = are_all and tried == len(rows)
    if not are_all and rows:
        # More rows may start at the same time as the last one that was read.
        whole = (row for row, start in rows[:tried] if start > rows[tried - 1][1])
        found = list(set(found).intersection(whole))
    return _all([_fulltext.those(found), _plain(query), *facets]), are_all


def counting(conn: sqlite3.Connection, query: Query) -> Way:
    """Return the way to all sessions that match a query; `before` is ignored."""
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
    """Return the condition for sessions that meet a facet and the small columns, if they are
    few."""
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
    # The order matters: for a common beginning of words, the index gathers all rows before it
    # returns one.
    few = _few(conn, query, columns, query)
    if few is None and query.text is not None:
        text = _fulltext.numbers(conn, query.text)
        few = _few(conn, query, text, query._replace(text=None))
    return few


def _few(
    conn: sqlite3.Connection, query: Query, numbers: Condition | None, others: Query
) -> Condition | None:
    """Return the condition for these rows if they are few; `others`: the query without the
    conditions that the rows meet, which are checked on each row."""
    if numbers is None:
        return None
    sql, values = numbers
    found = [row for (row,) in conn.execute(f"{sql} LIMIT ?", (*values, RARE + 1))]
    if len(found) > RARE:
        return None
    conditions = [_fulltext.those(found), _plain(query), *_looked_into(others)]
    if others.text is not None:
        conditions.append(_fulltext.among(conn, others.text, found))
    return _all(conditions)


def _windowed(conn: sqlite3.Connection, query: Query) -> Iterator[Condition]:
    """Yield the condition on the newest rows of the period, if the period has more rows."""
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
    """Yield conditions that avoid reading rows of that time, if the index has them in order."""
    if not _json_index.is_behind(conn):
        for facet in _json_index.asked(query):
            if facet.timed:
                yield from _numbered(conn, facet, query)


def _faceted(conn: sqlite3.Connection, query: Query, *, hardly: bool = False) -> Way | None:
    """Return the plan that uses only the facets, if they suffice; `hardly`: few sessions are
    expected to meet all of them."""
    held = [facet.held for facet in _json_index.asked(query) if facet.held is not None]
    if not held or len(held) < len(_json_index.asked(query)) or _json_index.is_behind(conn):
        return None
    if query.root_id is not None or query.parent_id is not None:
        return None
    first, *rest = held
    conditions = [first, _small(query)]
    # Rare matches are mostly of different calls; numbers take longer than names.
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
    """Return the numbers of the newest rows, and a flag that these are all."""
    sql = f"SELECT id, start_time FROM {way.table} WHERE {way.condition}"
    rows = conn.execute(f"{sql} ORDER BY start_time DESC LIMIT ?", (*way.values, limit)).fetchall()
    complete = len(rows) < limit
    # More rows may start at the same time as the last one.
    return [row for row, start in rows if complete or start > rows[-1][1]], complete


def _walked(conn: sqlite3.Connection, query: Query) -> Condition:
    """Return the condition that walks the time index, with the numbers of all matching rows."""
    conditions = [_plain(query)]
    for facet in _json_index.asked(query):
        conditions += [*_numbered(conn, facet, query)] or [facet.json]
    if query.text is not None:
        conditions.append(_fulltext.condition(conn, query.text))
    return _all(conditions)


def _numbered(conn: sqlite3.Connection, facet: Facet, query: Query) -> Iterator[Condition]:
    """Return the numbers of all rows that meet a facet; None if they are unknown."""
    numbers = _json_index.numbers(conn, facet, _small(query))
    if numbers is not None:
        # The plus keeps SQLite from fetching and sorting every match.
        yield f"+id IN ({numbers[0]})", numbers[1]


def _looked_into(query: Query) -> Iterator[Condition]:
    """Return the conditions on the JSON of a row."""
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
        # The condition repeats a part of `_plain`, but an index can seek to it.
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
    """Join conditions that must all hold."""
    given = list(conditions)
    return " AND ".join(sql for sql, _ in given) or "1", [
        each for _, some in given for each in some
    ]


def _then(first: Condition, second: Condition) -> Condition:
    """Join two conditions; SQLite prepares the second only after a row has met the first."""
    return f"CASE WHEN {first[0]} THEN {second[0]} END", [*first[1], *second[1]]
