"""Queries of ClickHouse other than lists (`_ch_listing`). Counts and figures read their whole range
with FINAL, which takes the newest version of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from .._record.record import Record
from ._ch_client import Client
from ._ch_listing import conditions
from ._ch_query import among
from ._ch_rows import record_of
from ._query import COLUMN_OF, Arrivals, Bucket, Field, NameSummary, Outline, Query
from ._statistics import FACETS, faceted

__all__ = [
    "Known",
    "count",
    "facets",
    "find_ids",
    "following",
    "known",
    "longest",
    "outline",
    "over_time",
    "summary",
    "trees",
    "values",
]


class Known(NamedTuple):
    """A stored session in its newest version."""

    record: Record
    place: int
    changed: int
    version: int
    writes: Sequence[int]


def known(client: Client, tenant: str, ids: Iterable[str]) -> dict[str, Known]:
    """Return the sessions of these ids that exist, by id."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    sql, values = among(wanted)
    rows = client.rows(
        "SELECT event_id, record, place, changed, version, writes, deleted FROM sessions"
        f" WHERE tenant = {{tenant:String}} AND {sql} ORDER BY version DESC LIMIT 1 BY event_id",
        tenant=tenant,
        **values,
    )
    return {
        event_id: Known(record_of(text), *rest) for event_id, text, *rest, gone in rows if not gone
    }


def trees(client: Client, tenant: str, root_ids: Sequence[str], most: int) -> list[Record]:
    """Return the sessions of these trees."""
    if not root_ids:
        return []
    sql, values = among(root_ids, "root_id")
    rows = client.rows(
        "SELECT record FROM (SELECT record, deleted FROM sessions"
        f" WHERE tenant = {{tenant:String}} AND {sql} ORDER BY version DESC LIMIT 1 BY event_id)"
        " WHERE deleted = 0 LIMIT {most:UInt32}",
        tenant=tenant,
        most=most,
        **values,
    )
    return [record_of(row[0]) for row in rows]


def find_ids(client: Client, tenant: str, prefix: str, limit: int) -> list[str]:
    """Return ids of existing sessions with this beginning."""
    found: list[str] = []
    after = ""
    while len(found) < limit:
        rows = client.rows(
            "SELECT DISTINCT event_id FROM sessions WHERE tenant = {tenant:String}"
            " AND startsWith(event_id, {prefix:String}) AND event_id > {after:String}"
            " ORDER BY event_id LIMIT {most:UInt32}",
            tenant=tenant,
            prefix=prefix,
            after=after,
            most=limit,
        )
        ids = [row[0] for row in rows]
        existing = known(client, tenant, ids)
        found += [each for each in ids if each in existing]
        if len(ids) < limit:
            break
        after = ids[-1]
    return found[:limit]


def outline(client: Client, tenant: str, root_id: str) -> list[Outline]:
    """Return the tree with this root, in order of start."""
    rows = client.rows(
        "SELECT event_id, parent_id, event_type, event_name, status, start_time, duration,"
        " substringUTF8(error, 1, 200), children_ids, deleted FROM sessions"
        " WHERE tenant = {tenant:String} AND root_id = {root:String}"
        " ORDER BY version DESC LIMIT 1 BY event_id",
        tenant=tenant,
        root=root_id,
    )
    found = [
        Outline._make((event_id, parent or None, *rest, orjson.loads(children)))
        for event_id, parent, *rest, children, deleted in rows
        if not deleted
    ]
    return sorted(found, key=lambda each: (each.start_time, each.session_id))


def following(client: Client, tenant: str, column: str, after: int | None, limit: int) -> Arrivals:
    """Return the sessions whose `column` (`place` or `changed`) follows `after`."""
    present = client.present()
    if after is None or after > present:
        return Arrivals([], present)
    found: list[Record] = []
    after = max(0, after)
    while len(found) < limit:
        keys = client.rows(
            f"SELECT DISTINCT {column}, event_id FROM sessions WHERE tenant = {{tenant:String}}"
            f" AND {column} > {{after:UInt64}} AND {column} <= {{present:UInt64}} AND deleted = 0"
            f" ORDER BY {column} LIMIT {{most:UInt32}} WITH TIES",
            tenant=tenant,
            after=after,
            present=present,
            most=limit - len(found),
        )
        if not keys:
            break
        current = known(client, tenant, [key[1] for key in keys])
        for place, event_id in keys:
            each = current.get(event_id)
            # A session that was changed again comes at its later place.
            if each is not None and getattr(each, column) == place:
                found.append(each.record)
        after = int(keys[-1][0])
    return Arrivals(found, after)


def count(client: Client, tenant: str, query: Query) -> int:
    """Return the number of sessions that match a query."""
    sql, values = conditions(client, tenant, query._replace(before=None))
    return int(client.rows(f"SELECT count() FROM sessions FINAL WHERE {sql}", **values)[0][0])


def longest(client: Client, tenant: str, query: Query) -> list[Record]:
    """Return the sessions with the longest durations, longest first."""
    sql, values = conditions(client, tenant, query._replace(before=None))
    rows = client.rows(
        f"SELECT event_id FROM sessions FINAL WHERE {sql} AND isNotNull(duration)"
        " ORDER BY duration DESC LIMIT {most:UInt32}",
        **values,
        most=query.limit,
    )
    ids = [row[0] for row in rows]
    found = known(client, tenant, ids)
    return [found[each].record for each in ids if each in found]


def facets(client: Client, tenant: str, query: Query) -> dict[Field, dict[str, int]]:
    """Return the number of sessions per value of each field, of all sessions."""
    sql, values = conditions(client, tenant, query._replace(before=None))
    columns = ", ".join(COLUMN_OF[field] for field in FACETS)
    rows = client.rows(
        f"SELECT {columns}, count() FROM sessions FINAL WHERE {sql} GROUP BY {columns}", **values
    )
    return faceted(tuple(row) for row in rows)


def values(client: Client, tenant: str, field: Field) -> list[str]:
    """Return all distinct values of a field, in order."""
    column = COLUMN_OF[field]
    seen: dict[str, float] = dict(
        client.rows(
            f"SELECT {column}, max(start_time) FROM sessions WHERE tenant = {{tenant:String}}"
            f" AND deleted = 0 GROUP BY {column}",
            tenant=tenant,
        )  # type: ignore[arg-type]
    )
    # One current session proves a value. Where the newest is superseded, all of the value are read.
    starts = ", ".join({repr(float(start)) for start in seen.values()})
    found = _current_values(client, tenant, column, f"start_time IN ({starts})") if seen else set()
    if unproven := seen.keys() - found:
        found |= _current_values(client, tenant, column, among(unproven, column).sql)
    return sorted(found)


def _current_values(client: Client, tenant: str, column: str, condition: str) -> set[str]:
    rows = client.rows(
        f"SELECT DISTINCT {column} FROM sessions FINAL WHERE tenant = {{tenant:String}}"
        f" AND {condition}",
        tenant=tenant,
    )
    return {row[0] for row in rows}


_CALLS = "count() AS calls, countIf(status = 'error') AS errors"
_SORTED = "arraySort(groupArray(duration)) AS d"
"""All known durations, exactly; one float each, even for millions of sessions."""


def _ranks(*percents: int) -> str:
    # The nearest rank, in integers. Reading beyond the end of an empty array gives 0, hence the
    # `if`.
    return ", ".join(
        f"if(empty(d), NULL, d[intDiv(length(d) * {percent} + 99, 100)])" for percent in percents
    )


def summary(client: Client, tenant: str, query: Query) -> list[NameSummary]:
    """Return figures per name of all sessions that match a query."""
    sql, values = conditions(client, tenant, query._replace(before=None))
    # Reading the ids of all sessions would take half of the time, so the slowest are known by start
    # first. The outer query keeps the durations in the engine.
    rows = client.rows(
        f"SELECT event_name, calls, errors, {_ranks(50, 95, 99, 100)}, start FROM (SELECT"
        f" event_name, {_CALLS}, {_SORTED},"
        " argMaxIf(start_time, assumeNotNull(duration), isNotNull(duration)) AS start"
        f" FROM sessions FINAL WHERE {sql} GROUP BY event_name)",
        **values,
    )
    starts = ", ".join({repr(float(row[7])) for row in rows if row[6] is not None}) or "0"
    slowest = client.rows(
        f"SELECT event_name, start_time, duration, event_id FROM sessions FINAL WHERE {sql}"
        f" AND start_time IN ({starts})",
        **values,
    )
    ids = {tuple(row[:3]): row[3] for row in slowest}
    named = [NameSummary._make((*row[:7], ids.get((row[0], row[7], row[6])))) for row in rows]
    return sorted(named, key=lambda each: (-each.calls, each.session_name))


def over_time(client: Client, tenant: str, query: Query, count: int) -> list[Bucket]:
    """Return figures in `count` equal steps of time, as `_statistics.bucketed` does."""
    sql, values = conditions(client, tenant, query._replace(before=None))
    ends = "SELECT count(), min(start_time), max(start_time) FROM sessions FINAL"
    calls, oldest, latest = client.rows(f"{ends} WHERE {sql}", **values)[0]
    if not calls:
        return []
    start = oldest if query.since is None else query.since
    end = latest + 1.0 if query.until is None else query.until
    step = (end - start) / count
    rows = client.rows(
        f"SELECT bucket, calls, errors, {_ranks(50, 95)} FROM (SELECT"
        " least(toInt64(floor((start_time - {start:Float64}) / {step:Float64})),"
        f" {count - 1}) AS bucket, {_CALLS}, {_SORTED}"
        f" FROM sessions FINAL WHERE {sql} GROUP BY bucket)",
        **values,
        start=start,
        step=step,
    )
    found = {row[0]: row[1:] for row in rows}
    return [
        Bucket._make((start + n * step, start + (n + 1) * step, *found.get(n, (0, 0, None, None))))
        for n in range(count)
    ]
