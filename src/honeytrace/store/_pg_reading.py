"""Queries of PostgreSQL; each function reads with the given connection.

Places: a follower that asks for "rows after number n" would miss rows with a lower number whose
transaction commits later. A place therefore begins with the number of the writing transaction, and
only places below the oldest running transaction are returned, because no row can appear below it
any more. A long transaction of any program in the database delays followers but never makes them
miss rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg

from .._record.record import Record
from . import _pg_query
from ._pg_query import Condition
from ._pg_rows import SELECTED, quoted, record_of, unquoted
from ._pg_schema import PREFIX
from ._query import COLUMN_OF, Arrivals, Bucket, Field, NameSummary, Outline, Overview, Query
from ._statistics import FACETS, faceted

__all__ = [
    "changes_or_arrivals",
    "count",
    "facets",
    "find_ids",
    "get_many",
    "listed",
    "longest",
    "outline",
    "overview",
    "summary",
    "trees",
    "values",
]

Conn = psycopg.Connection[Any]

RARE = 2_000
"""Number of sessions with a metric that are looked up one by one."""

_NEWEST_FIRST = "ORDER BY start_time DESC, event_id DESC"
_HORIZON = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 24)"


def get_many(conn: Conn, tenant: str, ids: Sequence[str]) -> dict[str, Record]:
    """Return the records of these ids, by id."""
    wanted = [quoted(each) for each in dict.fromkeys(ids)]
    sql = f"SELECT {SELECTED} FROM sessions WHERE tenant = %s AND event_id = ANY(%s)"
    found = map(record_of, _rows(conn, sql, [tenant, wanted]))
    return {record.event_id: record for record in found}


def listed(conn: Conn, tenant: str, query: Query) -> list[Record]:
    """Return the newest sessions that match a query."""
    condition, values = _pg_query.condition(tenant, query)
    if query.metric is not None:
        sql, more = _metric(conn, tenant, query)
        condition, values = f"{condition} AND {sql}", [*values, *more]
    sql = f"SELECT {SELECTED} FROM sessions WHERE {condition} {_NEWEST_FIRST} LIMIT %s"
    return list(map(record_of, _rows(conn, sql, [*values, query.limit])))


def _metric(conn: Conn, tenant: str, query: Query) -> Condition:
    """Return the condition on the metric: by ids if few sessions have it, otherwise along the
    newest."""
    assert query.metric is not None
    few = _pg_query.few_by_metric(tenant, query.metric)
    sql = f"SELECT event_id FROM metrics WHERE {few.sql} LIMIT %s"
    ids = [row[0] for row in _rows(conn, sql, [*few.values, RARE + 1])]
    if len(ids) <= RARE:
        return Condition("event_id = ANY(%s)", [ids])
    return _pg_query.by_metric(query.metric)


def trees(conn: Conn, tenant: str, root_ids: Sequence[str], most: int) -> list[Record]:
    """Return the sessions of these trees."""
    sql = f"SELECT {SELECTED} FROM sessions WHERE tenant = %s AND root_id = ANY(%s) LIMIT %s"
    return [record_of(r) for r in _rows(conn, sql, [tenant, list(map(quoted, root_ids)), most])]


def find_ids(conn: Conn, tenant: str, prefix: str, limit: int) -> list[str]:
    """Return ids with this beginning."""
    beginning = quoted(prefix)
    sql = (
        "SELECT event_id FROM sessions WHERE tenant = %s AND event_id >= %s AND event_id < %s"
        " AND starts_with(event_id, %s) ORDER BY event_id LIMIT %s"
    )
    upper = f"{beginning}\U0010ffff"
    return [unquoted(r[0]) for r in _rows(conn, sql, [tenant, beginning, upper, beginning, limit])]


def outline(conn: Conn, tenant: str, root_id: str) -> list[Outline]:
    """Return the tree with this root, in order of start."""
    sql = (
        "SELECT event_id, parent_id, event_type, event_name, status, start_time, duration,"
        " left(error, 400), children_ids::text FROM sessions WHERE tenant = %s AND root_id = %s"
        " ORDER BY start_time, event_id"
    )
    found = []
    for row in _rows(conn, sql, [tenant, quoted(root_id)]):
        each: list[Any] = [unquoted(v) if isinstance(v, str) else v for v in row[:-1]]
        each[7] = None if each[7] is None else each[7][:200]
        found.append(Outline._make((*each, orjson.loads(row[-1]))))
    return found


def changes_or_arrivals(
    conn: Conn, tenant: str, column: str, after: int | None, limit: int
) -> Arrivals:
    """Return the sessions whose `column` (`place` or `changed`) follows `after`."""
    present = int(_rows(conn, f"SELECT {_HORIZON} - 1", [])[0][0])
    if after is None or after > present:
        return Arrivals([], present)
    sql = (
        f"SELECT {column}, {SELECTED} FROM sessions WHERE tenant = %s AND {column} > %s"
        f" AND {column} > 0 AND {column} < (SELECT {_HORIZON}) ORDER BY {column} LIMIT %s"
    )
    rows = _rows(conn, sql, [tenant, after, limit])
    return Arrivals([record_of(row[1:]) for row in rows], rows[-1][0] if rows else after)


def count(conn: Conn, tenant: str, query: Query, most: int | None) -> int:
    """Return the number of sessions that match a query, or `most` if there are more."""
    condition, values = _pg_query.with_metric(tenant, query._replace(before=None))
    found = f"SELECT 1 FROM sessions WHERE {condition} LIMIT %s"
    return int(_rows(conn, f"SELECT count(*) FROM ({found}) AS found", [*values, most])[0][0])


def longest(conn: Conn, tenant: str, query: Query) -> list[Record]:
    """Return the sessions with the longest durations, longest first."""
    condition, values = _pg_query.with_metric(tenant, query._replace(before=None))
    sql = (
        f"SELECT {SELECTED} FROM sessions WHERE {condition} AND duration IS NOT NULL"
        " ORDER BY duration DESC LIMIT %s"
    )
    return list(map(record_of, _rows(conn, sql, [*values, query.limit])))


def facets(conn: Conn, tenant: str, query: Query, newest: int) -> dict[Field, dict[str, int]]:
    """Return the number of sessions per value of each field, of the newest sessions."""
    condition, values = _pg_query.with_metric(tenant, query._replace(before=None))
    columns = ", ".join(COLUMN_OF[field] for field in FACETS)
    sql = (
        f"SELECT {columns}, count(*) FROM (SELECT {columns} FROM sessions WHERE {condition}"
        f" {_NEWEST_FIRST} LIMIT %s) AS newest GROUP BY {columns}"
    )
    rows = _rows(conn, sql, [*values, newest])
    return faceted((*map(unquoted, found), calls) for *found, calls in rows)


def values(conn: Conn, tenant: str, field: Field) -> list[str]:
    """Return all distinct values of a field, found by stepping through the index."""
    column = COLUMN_OF[field]
    short = f"left({column}, {PREFIX})"
    least = f"SELECT {short} AS v FROM sessions WHERE tenant = %s"
    sql = f"""
        WITH RECURSIVE found AS (
            ({least} ORDER BY 1 LIMIT 1)
            UNION ALL
            SELECT (SELECT v FROM ({least} AND {short} > found.v ORDER BY 1 LIMIT 1) AS next)
            FROM found WHERE found.v IS NOT NULL
        ) SELECT v FROM found WHERE v IS NOT NULL
    """
    found: list[str] = []
    for (value,) in _rows(conn, sql, [tenant, tenant]):
        if len(value) < PREFIX:
            found.append(value)
            continue
        longer = f"SELECT DISTINCT {column} FROM sessions WHERE tenant = %s AND {short} = %s"
        found += [row[0] for row in _rows(conn, longer, [tenant, value])]
    return sorted(map(unquoted, found))


def _newest(tenant: str, query: Query, newest: int) -> Condition:
    """Return a subquery for the newest sessions that match, without payloads."""
    condition, values = _pg_query.with_metric(tenant, query._replace(before=None))
    columns = "event_name, start_time, duration, status, event_id"
    sql = f"SELECT {columns} FROM sessions WHERE {condition} {_NEWEST_FIRST} LIMIT %s"
    return Condition(sql, [*values, newest])


def _grouped(key: str, source: str) -> str:
    """Return the statement for the figures of each key: calls, errors, four ranks, and the slowest
    session.

    Only numbers are sorted, because sorting the rows by key as well takes most of the time.
    Percentiles are computed in integers to be exact.
    """
    ranks = ", ".join(
        f"d[(cardinality(d) * {percent} + 99) / 100] AS {name}"
        for percent, name in ((50, "p50"), (95, "p95"), (99, "p99"), (100, "longest"))
    )
    return f"""
        SELECT key, calls, errors, {ranks},
            ids[array_position(durations, d[cardinality(d)])] AS slowest
        FROM (
            SELECT {key} AS key, count(*) AS calls,
                count(*) FILTER (WHERE status = 'error') AS errors,
                array_agg(duration) AS durations, array_agg(event_id) AS ids
            FROM {source} GROUP BY 1
        ) AS groups,
        LATERAL (
            SELECT array_agg(each ORDER BY each) AS d FROM unnest(durations) AS each
            WHERE each IS NOT NULL
        ) AS sorted
    """


def summary(conn: Conn, tenant: str, query: Query, newest: int) -> list[NameSummary]:
    """Return figures per name."""
    found, values = _newest(tenant, query, newest)
    return _named(_rows(conn, _grouped("event_name", f"({found}) AS newest"), values))


def _named(rows: Sequence[Any]) -> list[NameSummary]:
    named = [
        NameSummary._make((unquoted(name), *rest, slowest and unquoted(slowest)))
        for name, *rest, slowest in rows
    ]
    return sorted(named, key=lambda each: (-each.calls, each.session_name))


def overview(
    conn: Conn, tenant: str, query: Query, count: int, newest: int, *, names: bool
) -> Overview:
    """Return figures in `count` equal steps of time, as `_statistics.bucketed` does, and with
    `names` also by name; the sessions are read once."""
    found, values = _newest(tenant, query, newest)
    sql = f"""
        WITH newest AS MATERIALIZED ({found}),
        period AS (
            SELECT CASE WHEN count(*) = %s OR %s::float8 IS NULL THEN min(start_time)
                ELSE %s::float8 END AS since, coalesce(%s::float8, max(start_time) + 1.0) AS until
            FROM newest
        ),
        timed AS (
            SELECT least(floor((start_time - since) / ((until - since) / %s)), %s) AS step,
                duration, status, event_id FROM newest, period
        )
        SELECT NULL::float8, NULL::text, NULL::int8, NULL::int8, since, until, NULL::float8,
            NULL::float8, NULL::text FROM period
        UNION ALL SELECT key, NULL, {_FIGURES} FROM ({_grouped("step", "timed")}) AS over_time
    """
    if names:
        sql += f"""
            UNION ALL SELECT NULL, key, {_FIGURES}
            FROM ({_grouped("event_name", "newest")}) AS named
        """
    since = query.since
    rows = _rows(conn, sql, [*values, newest, since, since, query.until, count, count - 1])
    start, end = next(row[4:6] for row in rows if row[0] is None and row[1] is None)
    named = _named([(name, *figures) for _, name, *figures in rows if name is not None])
    steps = {int(step): (c, e, *ranks[:2]) for step, _, c, e, *ranks in rows if step is not None}
    if not steps:
        return Overview([], [])
    length = (end - start) / count
    over_time = [
        Bucket(start + n * length, start + (n + 1) * length, *steps.get(n, (0, 0, None, None)))
        for n in range(count)
    ]
    return Overview(over_time, named)


_FIGURES = "calls, errors, p50, p95, p99, longest, slowest"


def _rows(conn: Conn, sql: str, values: Sequence[Any]) -> list[Any]:
    return conn.execute(sql, values).fetchall()
