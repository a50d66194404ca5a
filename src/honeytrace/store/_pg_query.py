"""A `Query` as a condition in PostgreSQL's SQL, with its values."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._pg_rows import quoted, tsquery
from ._pg_schema import PREFIX
from ._query import Metric, Query
from ._words import Term, in_json, terms

__all__ = ["Condition", "by_metric", "condition", "few_by_metric", "with_metric"]


class Condition(NamedTuple):
    """A condition on `sessions`, and the values of its parameters."""

    sql: str
    values: list[Any]


def condition(tenant: str, query: Query) -> Condition:
    """Return the condition of a query without its metric."""
    found = Condition("tenant = %s", [tenant])
    for column, text in (
        ("event_name", query.session_name),
        ("project", query.project),
        ("source", query.source),
        ("status", query.status),
    ):
        if text is not None:
            # The index finds candidates; the second condition is exact.
            beginning = f"left({column}, {PREFIX}) = %s AND {column} = %s"
            found = _both(found, beginning, quoted(text)[:PREFIX], quoted(text))
    for sql, value in (
        ("root_id = %s", query.root_id and quoted(query.root_id)),
        ("parent_id = %s", query.parent_id and quoted(query.parent_id)),
        ("start_time >= %s", query.since),
        ("start_time < %s", query.until),
        ("duration >= %s", query.min_duration),
        ("duration <= %s", query.max_duration),
        ("users @> ARRAY[%s]", None if query.user is None else quoted(query.user)),
    ):
        if value is not None:
            found = _both(found, sql, value)
    if query.error is not None:
        found = _both(found, "error IS NOT NULL" if query.error else "error IS NULL")
    if query.roots_only:
        found = _both(found, "parent_id IS NULL")
    if query.before is not None:
        start, event_id = query.before
        found = _both(found, "(start_time, event_id) < (%s, %s)", start, quoted(event_id))
    if query.text is not None:
        for each in _text(terms(query.text)):
            found = _both(found, each.sql, *each.values)
    return found


def by_metric(metric: Metric) -> Condition:
    """Return the condition on the numbers of a row."""
    name, operator, value = Metric(*metric)  # `Metric` validates the values that go into the SQL.
    return Condition(f"(numbers->>%s)::float8 {operator} %s", [quoted(name), value])


def few_by_metric(tenant: str, metric: Metric) -> Condition:
    """Return the condition on a row of `metrics`."""
    name, operator, value = Metric(*metric)
    return Condition(
        f"tenant = %s AND name = %s AND value {operator} %s", [tenant, quoted(name), value]
    )


def with_metric(tenant: str, query: Query) -> Condition:
    """Return the whole condition of a query, for statements that read all matching rows."""
    found = condition(tenant, query)
    if query.metric is not None:
        few = few_by_metric(tenant, query.metric)
        sql = f"event_id IN (SELECT event_id FROM metrics WHERE {few.sql})"
        found = _both(found, sql, *few.values)
    return found


def _both(first: Condition, sql: str, *values: object) -> Condition:
    return Condition(f"{first.sql} AND {sql}", [*first.values, *values])


def _text(wanted: list[Term]) -> list[Condition]:
    """Return the conditions of a search."""
    found = []
    worded = [term for term in wanted if term.words]
    if worded:
        like = [f"% {' '.join(t.words)}{'' if t.prefix else ' '}%" for t in worded]
        long = " AND ".join(["long_words IS NOT NULL", *["long_words LIKE %s"] * len(like)])
        query = tsquery(worded)
        found.append(
            Condition(f"({long})", [*like])
            if query is None
            else Condition(f"(words @@ %s::tsquery OR {long})", [query, *like])
        )
    for term in wanted:
        if not term.words:
            places = ("event_name", "coalesce(error, '')", "inputs::text", "outputs::text")
            sql = " OR ".join(f"strpos({place}, %s) > 0" for place in places)
            values = [term.signs] * 2 + [in_json(term.signs)] * 2
            found.append(Condition(f"({sql})", [*values]))
    return found
