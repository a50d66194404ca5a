"""Stores of sessions: one interface, several engines, named by URL.

sqlite      the embedded store, one file            (`sqlite:///…`, or a path)
memory      a store of this process                 (`memory://`)
postgres    PostgreSQL, exact for many nodes        (`postgresql://…`), with _pg_*
clickhouse  ClickHouse, for very many sessions      (`clickhouse://…`, `chdb:///…`), with _ch_*
urls        the engine that a URL names, `open_store`
errors      the exceptions of stores
overlay     pending sessions on top of a store

_protocol, _query                        the interface, its queries and results
_grouping                                small concurrent writes written together
_words, _derived                         the searched values of a record, the same for every engine
_file, _connection, _causes, migrations  the file of SQLite
_reading, _writing, _plan                its statements
_json_index, _zone_map, _fulltext, _changefeed    its indexes, built on demand
_hourly, _hourly_reading                 its sums of whole periods
_statistics                              counts and percentiles
"""

from __future__ import annotations

from ._protocol import Reader, Store
from ._query import (
    NEWEST,
    Arrivals,
    Bucket,
    Field,
    Metric,
    NameSummary,
    Outline,
    Overview,
    Query,
    StoreSize,
)
from .urls import address, open_store

__all__ = [
    "NEWEST",
    "Arrivals",
    "Bucket",
    "Field",
    "Metric",
    "NameSummary",
    "Outline",
    "Overview",
    "Query",
    "Reader",
    "Store",
    "StoreSize",
    "address",
    "open_store",
]
