"""Figures of whole periods in PostgreSQL, from the columns that `_derived.counted_of` fills."""

from __future__ import annotations

from typing import Any

import psycopg

from . import _pg_query
from ._pg_rows import unquoted
from ._query import Query
from .trends import TOLD, By, Period, Sums, Tokens, Trends, filled

__all__ = ["trends"]

Conn = psycopg.Connection[Any]

_COLUMN: dict[By, str] = {"name": "event_name", "user": "who"}
_SPENT = ", ".join(f"sum(tokens[{n}])" for n in range(1, len(Tokens._fields) + 1))


def trends(conn: Conn, tenant: str, query: Query, by: By, steps: int) -> Trends | None:
    """Return the sums of a period; None for conditions that could read the whole store."""
    plain = Query(project=query.project, session_name=query.session_name, since=query.since,
                  until=query.until, roots_only=query.roots_only, limit=query.limit)  # fmt: skip
    if query._replace(before=None) != plain:
        return None
    oldest, newest = _row(conn, "SELECT min(start_time), max(start_time) FROM sessions", tenant)
    unit = Period.of(query, oldest or 0.0, newest or 0.0).unit
    condition, values = _pg_query.condition(tenant, plain)
    key = _COLUMN[by]
    if by == "user":
        condition += " AND who <> ''"
    rows = f"""
        SELECT floor(start_time / %s)::bigint AS at, {key} AS key, slot, status, duration, model,
            provider, tokens FROM sessions WHERE {condition}
    """
    sets = "((at, {0}), (key, {0}))" if steps else "((key, {0}))"
    at = "at" if steps else "NULL::bigint"
    over_time: dict[int, Sums] = {}
    groups: dict[str, Sums] = {}
    sql = f"""
        SELECT {at}, key, slot, count(*), count(*) FILTER (WHERE status = 'error'), max(duration)
        FROM ({rows}) AS found GROUP BY GROUPING SETS {sets.format("slot")}
    """
    for number, name, slot, calls, errors, slowest in conn.execute(sql, [unit, *values]):
        sums = _sums(over_time, groups, number, name)
        sums.count_many(calls, errors, slot, slowest, None)
    sql = f"""
        SELECT {at}, key, model, provider, {_SPENT}
        FROM ({rows} AND tokens IS NOT NULL) AS found
        GROUP BY GROUPING SETS {sets.format("model, provider")}
    """
    for number, name, model, provider, *spent in conn.execute(sql, [unit, *values]):
        sums = _sums(over_time, groups, number, name)
        sums.spend((unquoted(model), unquoted(provider)), tokens_of(spent))
    _name_slowest(conn, condition, values, key, groups)
    named = {unquoted(name): sums for name, sums in groups.items()}
    return Trends(filled(over_time, unit, steps), named)


def tokens_of(spent: list[float]) -> Tokens:
    """Return sums that the engine made as doubles; all but the cost are whole."""
    cost = Tokens._fields.index("cost")
    return Tokens._make(each if n == cost else int(each) for n, each in enumerate(spent))


def _sums(
    over_time: dict[int, Sums], groups: dict[str, Sums], number: int | None, name: str | None
) -> Sums:
    """Return the sums of a step, or of a group if there is a name."""
    if name is not None:
        return groups.setdefault(name, Sums())
    assert number is not None
    return over_time.setdefault(number, Sums())


def _name_slowest(
    conn: Conn, condition: str, values: list[Any], key: str, groups: dict[str, Sums]
) -> None:
    """Add the ids of the slowest sessions of the largest groups."""
    most = sorted(groups.items(), key=lambda each: each[1].calls, reverse=True)[:TOLD]
    ended = {name: sums.slowest for name, sums in most if sums.slowest is not None}
    sql = f"""
        SELECT DISTINCT ON ({key}) {key}, event_id FROM sessions
        JOIN unnest(%s::text[], %s::float8[]) AS slowest (name, most)
            ON {key} = slowest.name AND duration = slowest.most
        WHERE {condition}
    """
    for name, event_id in conn.execute(sql, [list(ended), list(ended.values()), *values]):
        groups[name].slowest_id = unquoted(event_id)


def _row(conn: Conn, sql: str, tenant: str) -> Any:
    return conn.execute(f"{sql} WHERE tenant = %s", (tenant,)).fetchone()
