"""Figures of whole periods in ClickHouse, from the columns that `_derived.counted_of` fills."""

from __future__ import annotations

from ._ch_client import Client
from ._ch_query import condition
from ._query import Query
from .trends import By, Period, Sums, Tokens, Trends, filled

__all__ = ["trends"]

_KEY: dict[By, str] = {"name": "event_name", "user": "who"}


def trends(client: Client, tenant: str, query: Query, by: By, steps: int) -> Trends:
    """Return the sums of a period, for any conditions."""
    ends = (
        "SELECT min(start_time), max(start_time) FROM sessions FINAL WHERE tenant = {tenant:String}"
    )
    unit = Period.of(query, *client.rows(ends, tenant=tenant)[0]).unit
    sql, values = condition(tenant, query._replace(before=None))
    values["unit"] = unit
    if by == "user":
        sql = f"{sql} AND who != ''"
    found = f"FROM sessions FINAL WHERE {sql}"
    over_time: dict[int, Sums] = {}
    groups: dict[str, Sums] = {}
    of = {_KEY[by]: groups, "toInt64(floor(start_time / {unit:Float64}))": over_time}
    for key, place in list(of.items())[: 2 if steps else 1]:
        for name, slot, calls, errors, slowest, event_id in client.rows(
            f"SELECT {key} AS key, slot, count(), countIf(status = 'error'), max(duration),"
            f" argMaxIf(event_id, assumeNotNull(duration), isNotNull(duration)) {found}"
            " GROUP BY key, slot",
            **values,
        ):
            sums = place.setdefault(name, Sums())  # type: ignore[attr-defined]
            sums.count_many(calls, errors, slot, slowest, event_id)
        for name, model, provider, spent in client.rows(
            f"SELECT {key} AS key, model, provider, sumForEach(tokens) {found}"
            " AND notEmpty(tokens) GROUP BY key, model, provider",
            **values,
        ):
            cost = Tokens._fields.index("cost")
            tokens = (each if n == cost else int(each) for n, each in enumerate(spent))
            place[name].spend((model, provider), Tokens._make(tokens))  # type: ignore[index]
    return Trends(filled(over_time, unit, steps), groups)
