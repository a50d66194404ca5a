"""The schema in PostgreSQL as numbered steps, each a transaction; released steps never change.

JSON parts are `json`, which keeps their bytes. `_pg_rows` derives the columns from `users` on.
`place` and `changed` are the number of the writing transaction, shifted left by 24 bits, plus the
position in its batch; `_pg_reading` explains why. Long texts are indexed by their beginning, since
an index entry has at most 2,700 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import StoreError

if TYPE_CHECKING:
    import psycopg

__all__ = ["PREFIX", "STEPS", "migrate", "version"]

PREFIX = 500
"""Characters of names, projects, sources and statuses that are indexed."""

_TEXT = 'text COLLATE "C"'
"""Code point order, as in the other engines, independent of the database's locale."""


def _first() -> list[str]:
    newest_first = "tenant, start_time DESC, event_id DESC"
    parent = "tenant, parent_id, start_time"
    beginnings = [
        f"CREATE INDEX sessions_by_{column} ON sessions"
        f" (tenant, left({column}, {PREFIX}), start_time DESC, event_id DESC)"
        for column in ("event_name", "project", "source", "status")
    ]
    return [
        f"""
        CREATE TABLE sessions (
            tenant {_TEXT} NOT NULL,
            event_id {_TEXT} NOT NULL,
            session_id {_TEXT} NOT NULL,
            parent_id {_TEXT},
            root_id {_TEXT} NOT NULL,
            event_type {_TEXT} NOT NULL,
            event_name {_TEXT} NOT NULL,
            project {_TEXT} NOT NULL,
            source {_TEXT} NOT NULL,
            status {_TEXT} NOT NULL,
            start_time double precision NOT NULL,
            end_time bigint,
            duration double precision,
            error {_TEXT},
            children_ids json NOT NULL,
            config json,
            inputs json,
            outputs json,
            metrics json,
            feedback json,
            metadata json,
            user_properties json,
            users text[],
            numbers jsonb,
            who {_TEXT} NOT NULL,
            slot smallint,
            model {_TEXT} NOT NULL,
            provider {_TEXT} NOT NULL,
            tokens double precision[],
            words tsvector,
            long_words {_TEXT},
            place bigint NOT NULL,
            changed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant, event_id)
        )
        """,
        f"CREATE INDEX sessions_by_time ON sessions ({newest_first})",
        f"CREATE INDEX sessions_failed ON sessions ({newest_first}) WHERE error IS NOT NULL",
        "CREATE INDEX sessions_by_root ON sessions (tenant, root_id, start_time)",
        f"CREATE INDEX sessions_by_parent ON sessions ({parent}) WHERE parent_id IS NOT NULL",
        "CREATE INDEX sessions_by_place ON sessions (tenant, place)",
        "CREATE INDEX sessions_changed ON sessions (tenant, changed) WHERE changed > 0",
        "CREATE INDEX sessions_words ON sessions USING gin (words)",
        "CREATE INDEX sessions_long ON sessions (tenant) WHERE long_words IS NOT NULL",
        "CREATE INDEX sessions_users ON sessions USING gin (users) WHERE users IS NOT NULL",
        "CREATE INDEX sessions_spending ON sessions (tenant, start_time) WHERE tokens IS NOT NULL",
        *beginnings,
        # Words are added to the index in batches of some thousand rows; until then their list is
        # read.
        "ALTER INDEX sessions_words SET (gin_pending_list_limit = 2048)",
        f"""
        CREATE TABLE metrics (
            tenant {_TEXT} NOT NULL,
            name {_TEXT} NOT NULL,
            value double precision NOT NULL,
            event_id {_TEXT} NOT NULL
        )
        """,
        "CREATE INDEX metrics_by_value ON metrics (tenant, name, value) INCLUDE (event_id)",
        "CREATE INDEX metrics_by_session ON metrics (tenant, event_id)",
        f"""
        CREATE TABLE pending_updates (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tenant {_TEXT} NOT NULL,
            event_id {_TEXT} NOT NULL,
            fields json NOT NULL,
            received double precision NOT NULL
        )
        """,
        "CREATE INDEX pending_updates_by_event ON pending_updates (tenant, event_id)",
    ]


STEPS: tuple[list[str], ...] = (_first(),)
"""Migrations: the n-th list of statements leads from version n-1 to n."""

_LOCK = 0x486E5974
"""The advisory lock of a migration."""


def version(conn: psycopg.Connection[Any]) -> int:
    """Return the version of the schema. Raises StoreError if a newer honeytrace made it."""
    row = conn.execute("SELECT to_regclass('honeytrace_meta') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return 0
    row = conn.execute("SELECT coalesce(max(version), 0) FROM honeytrace_meta").fetchone()
    number = int(row[0]) if row else 0
    if number > len(STEPS):
        raise StoreError(
            f"the schema has version {number} and this honeytrace knows {len(STEPS)}:"
            " upgrade honeytrace, or name another schema with ?schema=…"
        )
    return number


def migrate(conn: psycopg.Connection[Any], schema: str | None) -> None:
    """Bring the schema up to date; any number of nodes may do so at once. Raises as `version`."""
    from psycopg import sql

    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Creating one takes a right that the owner of an existing schema may lack.
        if schema is not None and not _has_schema(conn, schema):
            name = sql.Identifier(schema)
            conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        conn.execute(
            "CREATE TABLE IF NOT EXISTS honeytrace_meta"
            " (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
        )
        for number in range(version(conn), len(STEPS)):
            for statement in STEPS[number]:
                conn.execute(statement)
            conn.execute("INSERT INTO honeytrace_meta (version) VALUES (%s)", (number + 1,))


def _has_schema(conn: psycopg.Connection[Any], schema: str) -> bool:
    found = conn.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
    return found.fetchone() is not None
