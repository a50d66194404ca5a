"""Stores of sessions: one interface, several engines, named by URL.

sqlite      the embedded store, one file            (`sqlite:///…`, or a path)
memory      a store of this process                 (`memory://`)
postgres    PostgreSQL, exact for many nodes        (`postgresql://…`)
clickhouse  ClickHouse, for very many sessions      (`clickhouse://…`, `chdb:///…`)
urls        the engine that a URL names, `open_store`
errors      the exceptions of stores
overlay     pending sessions on top of a store
trends      figures of whole periods, for all engines

_protocol, _query                        the interface, its queries and results
_grouping                                small concurrent writes written together
_words, _derived, _spending              the searched and summed values of a record
_tenant                                  names of tenants
_file, _connection, _causes, migrations  the file of SQLite
_reading, _writing                       its statements; _plan chooses how a query is run
_json_index, _zone_map, _fulltext, _changefeed    its indexes, built on demand
_hourly, _hourly_reading                 its sums of whole periods
_statistics                              counts and percentiles
_pg_schema, _pg_pool, _pg_rows           PostgreSQL: schema, connections, records as rows
_pg_writing, _pg_reading, _pg_query, _pg_trends    its statements; _pg_writing merges updates
_ch_schema, _ch_client, _ch_rows         ClickHouse: schema, connection, records as rows
_ch_writing, _ch_reading, _ch_listing, _ch_query, _ch_trends    its statements
_ch_checks                               checks of merged rows, after other nodes' writes
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
