"""The schema in ClickHouse, as numbered steps; each is idempotent, since DDL has no transactions.

Every write is a new row: the highest `version` counts, and a row with `deleted` ends a key. The key
is (tenant, start_time, event_id), so a session whose start moves leaves a `deleted` row at its old
key. `writes` names the latest writes that a row contains (`_ch_writing`). The columns from `users`
to `words` are derived by `_ch_rows`. `place` and `changed` are microseconds on the clock of the
writing node.

On a cluster, `sessions` is a Distributed table over `sessions_local`. It is sharded by tree, so
that a run lies on one shard, and the tables are replicated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError, StoreError

__all__ = ["STEPS", "Layout", "migrate", "version"]


class Layout:
    """The location of the tables (a server or a cluster), and the days for which sessions are
    kept."""

    def __init__(self, cluster: str = "", keep_days: int | None = None) -> None:
        if not re.fullmatch(r"[\w-]*", cluster):
            raise ConfigurationError(f"cluster={cluster!r}: this is not a valid name of a cluster")
        self.cluster = cluster
        self.keep_days = keep_days
        self.on = f" ON CLUSTER '{cluster}'" if cluster else ""
        self.replicated = "Replicated" if cluster else ""

    def local(self, table: str) -> str:
        """Return the name of the table with the rows, not the one over all shards."""
        return f"{table}_local" if self.cluster else table

    def distributed(self, table: str, key: str) -> list[str]:
        """Return the statements that create the table over all shards; none on a single server."""
        if not self.cluster:
            return []
        engine = f"Distributed('{self.cluster}', currentDatabase(), '{table}_local', {key})"
        return [f"CREATE TABLE IF NOT EXISTS {table}{self.on} AS {table}_local ENGINE = {engine}"]


_CLEANED = """min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1,
            allow_experimental_replacing_merge_with_cleanup = 1,
            enable_replacing_merge_with_cleanup_for_min_age_to_force_merge = 1"""
"""A week in which nothing was written for a day is merged as a whole, which frees the space of what
was deleted or superseded."""

_SECONDS = "toDateTime(least(greatest(start_time / 1000, 0), 4294967295), 'UTC')"


def _first(layout: Layout) -> list[str]:
    ttl = f"TTL {_SECONDS} + INTERVAL {layout.keep_days} DAY DELETE" if layout.keep_days else ""
    return [
        f"""
        CREATE TABLE IF NOT EXISTS {layout.local("sessions")}{layout.on} (
            tenant LowCardinality(String),
            event_id String CODEC(ZSTD(1)),
            parent_id String CODEC(ZSTD(1)),
            root_id String CODEC(ZSTD(1)),
            event_type LowCardinality(String),
            event_name LowCardinality(String),
            project LowCardinality(String),
            source LowCardinality(String),
            status LowCardinality(String),
            start_time Float64 CODEC(Delta(8), ZSTD(1)),
            duration Nullable(Float64),
            error Nullable(String) CODEC(ZSTD(1)),
            children_ids String CODEC(ZSTD(1)),
            record String CODEC(ZSTD(3)),
            users Array(String),
            numbers Map(LowCardinality(String), Float64),
            who String CODEC(ZSTD(1)),
            slot Nullable(UInt16),
            model LowCardinality(String),
            provider LowCardinality(String),
            tokens Array(Float64) CODEC(ZSTD(1)),
            words String CODEC(ZSTD(3)),
            place UInt64 CODEC(Delta(8), ZSTD(1)),
            changed UInt64 CODEC(ZSTD(1)),
            version UInt64 CODEC(Delta(8), ZSTD(1)),
            writes Array(UInt64),
            deleted UInt8,
            INDEX words_index words TYPE text(tokenizer = splitByString([' '])),
            INDEX users_index users TYPE text(tokenizer = array),
            INDEX place_index place TYPE minmax,
            INDEX changed_index changed TYPE minmax,
            PROJECTION by_id INDEX event_id TYPE basic,
            PROJECTION by_root INDEX root_id TYPE basic,
            PROJECTION by_parent INDEX parent_id TYPE basic
        ) ENGINE = {layout.replicated}ReplacingMergeTree(version, deleted)
        PARTITION BY toMonday({_SECONDS})
        ORDER BY (tenant, start_time, event_id)
        {ttl}
        SETTINGS index_granularity = 256, deduplicate_merge_projection_mode = 'rebuild',
            lightweight_mutation_projection_mode = 'rebuild', ttl_only_drop_parts = 1,
            {_CLEANED}
        """,
        f"""
        CREATE TABLE IF NOT EXISTS {layout.local("pending")}{layout.on} (
            tenant LowCardinality(String),
            event_id String,
            number UInt64,
            fields String,
            gone UInt8
        ) ENGINE = {layout.replicated}ReplacingMergeTree(gone)
        ORDER BY (tenant, event_id, number)
        TTL toDateTime(intDiv(number, 1000000)) + INTERVAL 30 DAY
        """,
        *layout.distributed("sessions", "cityHash64(tenant, root_id)"),
        *layout.distributed("pending", "cityHash64(tenant, event_id)"),
    ]


STEPS: tuple[Callable[[Layout], list[str]], ...] = (_first,)
"""Migrations: the n-th function returns the statements from version n-1 to n."""


def version(client: Any) -> int:
    """Return the version of the schema. Raises StoreError if a newer honeytrace made it."""
    if not client.query("EXISTS TABLE honeytrace_meta").result_rows[0][0]:
        return 0
    number = int(client.query("SELECT max(version) FROM honeytrace_meta").result_rows[0][0])
    if number > len(STEPS):
        raise StoreError(
            f"the schema has version {number} and this honeytrace knows {len(STEPS)}:"
            " upgrade honeytrace, or name another database"
        )
    return number


def migrate(client: Any, layout: Layout) -> None:
    """Bring the schema up to date; any number of nodes may do so at once. Raises as `version`."""
    client.command(
        f"CREATE TABLE IF NOT EXISTS honeytrace_meta{layout.on} (version UInt32, at DateTime)"
        f" ENGINE = {layout.replicated}ReplacingMergeTree ORDER BY version"
    )
    for number in range(version(client), len(STEPS)):
        for statement in STEPS[number](layout):
            client.command(statement)
        client.command(f"INSERT INTO honeytrace_meta SELECT {number + 1}, now()")
