"""Lists of ClickHouse, newest first.

A list takes two steps. The first step reads keys, newest first, with all conditions and indexes;
superseded rows may be among them, but no current row is missing. The second step reads the newest
row of each key; if it is not the one that the first step found, the conditions are checked again.
FINAL would do both at once, but it reads the entire range.
"""

from __future__ import annotations

import time
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
    spans = _Spans(query)
    before: Sequence[Any] | None = None
    while not spans.ended and len(found) < query.limit:
        most = query.limit - len(found)
        keys: list[tuple[float, str, int]] = []
        while not spans.ended and len(keys) < most:
            keys += _keys(client, matching, *spans.span, before, most - len(keys))
            before = keys[-1] if len(keys) == most else None
            if before is None:
                spans.go_on(keys, most)
        # All at once, because every query reads the beginnings of many blocks.
        if keys:
            found += _current(client, tenant, matching, keys)
    return found


_DAY = 86_400_000.0
_SECOND, _LONGEST = 8 * _DAY, 30 * _DAY


class _Spans:
    """Spans of time, newest first, that together hold every match.

    Without a limit the engine reads the end of every part, and all matches of an index; most lists
    fill from the latest. Each span is as long as its forerunners let expect, and the fourth has no
    limit.
    """

    def __init__(self, query: Query) -> None:
        self.ended = False
        self._rounds = 0
        self._oldest = query.since
        ends = [time.time() * 1000, query.until, query.before and query.before[0]]
        self._since: float | None = min(each for each in ends if each is not None)
        self._until: float | None = None
        # An index leads to the few matches of these.
        few = query.root_id is not None or query.parent_id is not None or query.user is not None
        self._go_back(None if few else _DAY)
        self._until = None

    @property
    def span(self) -> tuple[float | None, float | None]:
        """The start and the end of the present span; None has no limit."""
        return self._since, self._until

    def go_on(self, keys: Sequence[tuple[float, str, int]], most: int) -> None:
        """Go on to the next span, after these were found in all former ones of `most`."""
        if self._since is None:
            self.ended = True
            return
        self._rounds += 1
        width: float | None = _SECOND if self._rounds == 1 else None
        if len(keys) >= _SOME and self._rounds < _ROUNDS:
            missing = most - len(keys) + _SOME
            width = max(_DAY, 2 * missing / len(keys) * (keys[0][0] - self._since))
        self._go_back(width)

    def _go_back(self, width: float | None) -> None:
        self._until = self._since
        if width is None or self._since is None or width > _LONGEST:
            self._since = None
            return
        self._since -= width
        if self._oldest is not None and self._since <= self._oldest:
            self._since = None


_SOME, _ROUNDS = 5, 3
"""Matches that say how many more to expect, and the number of spans with a limit."""


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
