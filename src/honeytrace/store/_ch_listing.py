"""Lists of ClickHouse, newest first.

A list takes two steps. The first step reads keys, newest first, with all conditions and indexes;
superseded rows may be among them, but no current row is missing. The second step reads the newest
row of each key; if it is not the one that the first step found, the conditions are checked again.
FINAL would do both at once, but it reads the entire range.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from .._record.record import Record
from ._ch_client import Client
from ._ch_query import Condition, at_keys, condition
from ._ch_rows import record_of
from ._query import Query

__all__ = ["conditions", "listed"]

_NEWEST_FIRST = "ORDER BY start_time DESC, event_id DESC"


def listed(client: Client, tenant: str, query: Query) -> list[Record]:
    """Return the newest sessions that match a query."""
    found: list[Record] = []
    matching = conditions(client, tenant, query)
    spans = deque(_spans(query))
    before: Sequence[Any] | None = None
    while spans and len(found) < query.limit:
        most = query.limit - len(found)
        keys: list[tuple[float, str, int]] = []
        while spans and len(keys) < most:
            keys += _keys(client, matching, *spans[0], before, most - len(keys))
            before = keys[-1] if len(keys) == most else None
            if before is None:
                spans.popleft()
                if len(spans) > 1 and len(keys) * _FEW < most:
                    spans = deque([(None, spans[0][1])])
        # All at once, because every query reads the beginnings of many blocks.
        if keys:
            found += _current(client, tenant, matching, keys)
    return found


_FEW = 20
"""If the first span fills less than this part of a page, the second would hardly fill it either,
and all that is older is read at once."""

_SPANS = (86_400_000.0, 8 * 86_400_000.0)
"""Milliseconds before the newest possible start that a list looks at first. Without a limit the
engine reads the end of every part, and most lists fill from the latest."""


def _spans(query: Query) -> list[tuple[float | None, float | None]]:
    """Return spans of time, newest first, that together hold every match."""
    if query.root_id is not None or query.parent_id is not None or query.user is not None:
        return [(None, None)]  # An index leads to the few matches.
    ends = [time.time() * 1000, query.until, query.before and query.before[0]]
    newest = min(each for each in ends if each is not None)
    edges = [newest - span for span in _SPANS if newest - span > (query.since or -math.inf)]
    return list(zip([*edges, None], [None, *edges], strict=True))


def _keys(
    client: Client,
    matching: Condition,
    since: float | None,
    until: float | None,
    before: Sequence[Any] | None,
    most: int,
) -> list[tuple[float, str, int]]:
    """Return key and version of the newest rows of a span that match; superseded rows may be among
    them."""
    sql, values = matching
    if since is not None:
        sql += f" AND start_time >= {since!r}"
    if until is not None:
        sql += f" AND start_time < {until!r}"
    if before is not None:
        sql += " AND start_time <= {after:Float64}"  # The key can serve this condition.
        sql += " AND (start_time, event_id) < ({after:Float64}, {after_id:String})"
        values = {**values, "after": before[0], "after_id": before[1]}
    rows = client.rows(
        f"SELECT start_time, event_id, version FROM sessions WHERE {sql} AND deleted = 0"
        f" {_NEWEST_FIRST} LIMIT 1 BY start_time, event_id LIMIT {{most:UInt32}}",
        **values,
        most=most,
    )
    return [(start, event_id, version) for start, event_id, version in rows]


def _current(
    client: Client, tenant: str, matching: Condition, keys: Sequence[tuple[float, str, int]]
) -> list[Record]:
    """Return the current sessions at these keys that match the query, newest first."""
    at, values = at_keys(tenant, keys)
    rows = client.rows(
        f"SELECT start_time, event_id, version, record, deleted FROM sessions WHERE {at}"
        " ORDER BY version DESC LIMIT 1 BY event_id",
        **values,
    )
    matched = {tuple(key) for key in keys}
    changed = [row[:2] for row in rows if tuple(row[:3]) not in matched and not row[4]]
    if changed:
        # These match if their newest version does.
        sql = f"{matching.sql} AND {at_keys(tenant, changed).sql}"
        current = client.rows(
            f"SELECT start_time, event_id, version FROM sessions FINAL WHERE {sql}",
            **matching.values,
        )
        matched |= {tuple(key) for key in current}
    found = [row for row in rows if tuple(row[:3]) in matched and not row[4]]
    found.sort(key=lambda row: (row[0], row[1].encode()), reverse=True)
    return [record_of(row[3]) for row in found]


def conditions(client: Client, tenant: str, query: Query) -> Condition:
    """Return the condition of a query, with the words of the index."""

    def beginnings(prefix: str, most: int) -> list[str]:
        rows = client.rows(
            "SELECT DISTINCT token FROM mergeTreeTextIndex(currentDatabase(), 'sessions',"
            " 'words_index') WHERE startsWith(token, {prefix:String}) LIMIT {most:UInt32}",
            prefix=prefix,
            most=most,
        )
        return [row[0] for row in rows]

    # The index of one server does not cover the cluster.
    return condition(tenant, query, None if client.layout.cluster else beginnings)
