"""A store in PostgreSQL: exact for any number of nodes that write the same sessions at once.

A batch is one transaction. Rows are locked while they are merged, and followers read in the order
of transactions. After a lost connection the batch is redelivered, which changes nothing if it was
stored.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from .._config import without_password
from .._record.record import Record, Update
from ..errors import ConfigurationError, StoreError
from ._query import NEWEST, Arrivals, Field, NameSummary, Outline, Overview, Query, StoreSize
from ._tenant import tenant_name
from .errors import RecordRefusedError, StoreBusyError
from .trends import By, Trends

try:
    import psycopg  # noqa: F401
    import psycopg_pool  # noqa: F401
except ImportError as missing:
    raise ConfigurationError(
        f"a store in PostgreSQL needs an extra: pip install 'honeytrace[postgres]' ({missing})"
    ) from missing

from . import _pg_reading, _pg_schema, _pg_trends, _pg_writing
from ._pg_pool import Pool

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresStore"]

_DELETE_CHUNK = 1_000
"""Number of rows that one transaction deletes, so that vacuum and followers keep up."""

_ATTEMPTS = 5
"""Number of attempts at a transaction that the engine rolled back in favour of another."""

_UNSUITABLE = (ValueError, TypeError, AttributeError)
"""Errors of a value of the wrong type; merging raises one of these at every attempt."""


class PostgresStore:
    """A `Store` in the database of a `postgresql://` URL; psycopg 3 connects.

    `?schema=` names the schema, which is created. All other parameters are libpq's. The password
    comes from the URL, from HONEYTRACE_STORE_PASSWORD, from PGPASSWORD or from `~/.pgpass`.
    `readonly` neither creates nor migrates. Raises ConfigurationError without the extra
    `postgres`, StoreUnavailableError if the server does not answer, StoreError otherwise.
    """

    def __init__(self, url: str, *, readonly: bool = False, tenant: str = "") -> None:
        self.where = without_password(url)
        self.tenant = tenant_name(tenant)
        conninfo, self._schema = _conninfo(url)
        self._pool = Pool(conninfo, self._schema, self.where)
        self._owns = True
        try:
            self._prepare(readonly)
        except BaseException:
            self._pool.close()
            raise

    def insert(self, records: Sequence[Record]) -> None:
        def write(conn: Connection[Any]) -> None:
            _pg_writing.lock(conn, self.tenant, alone=False)
            _pg_writing.insert(conn, self.tenant, records)

        if records:
            self._write(write)

    def update(self, updates: Sequence[Update]) -> None:
        alone = False

        def write(conn: Connection[Any]) -> bool:
            if alone:
                _pg_writing.lock(conn, self.tenant, alone=True)
            return _pg_writing.update(conn, self.tenant, updates, alone=alone)

        if updates and not self._write(write):
            # Take the lock before any row is locked; otherwise two writers could deadlock.
            alone = True
            self._write(write)

    def waiting(self, session_ids: Sequence[str]) -> Sequence[Update]:
        with self._pool.connection() as conn:
            return _pg_writing.waiting(conn, self.tenant, session_ids)

    def get(self, session_id: str) -> Record | None:
        return next(iter(self.get_many([session_id])), None)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        with self._pool.connection() as conn:
            found = _pg_reading.get_many(conn, self.tenant, session_ids)
        return [found[each] for each in session_ids if each in found]

    def list(self, query: Query) -> Sequence[Record]:
        with self._pool.connection() as conn:
            return _pg_reading.listed(conn, self.tenant, query)

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        with self._pool.connection() as conn:
            return _pg_reading.trees(conn, self.tenant, root_ids, most)

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        with self._pool.connection() as conn:
            return _pg_reading.find_ids(conn, self.tenant, prefix, limit)

    def outline(self, root_id: str) -> Sequence[Outline]:
        with self._pool.connection() as conn:
            return _pg_reading.outline(conn, self.tenant, root_id)

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        with self._pool.connection() as conn:
            return _pg_reading.changes_or_arrivals(conn, self.tenant, "place", after, limit)

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        with self._pool.connection() as conn:
            return _pg_reading.changes_or_arrivals(conn, self.tenant, "changed", after, limit)

    def values(self, field: Field) -> Sequence[str]:
        with self._pool.connection() as conn:
            return _pg_reading.values(conn, self.tenant, field)

    def count(self, query: Query, most: int | None = None) -> int:
        with self._pool.connection() as conn:
            return _pg_reading.count(conn, self.tenant, query, most)

    def longest(self, query: Query) -> Sequence[Record]:
        with self._pool.connection() as conn:
            return _pg_reading.longest(conn, self.tenant, query)

    def facets(self, query: Query, newest: int = NEWEST) -> Mapping[Field, Mapping[str, int]]:
        with self._pool.connection() as conn:
            return _pg_reading.facets(conn, self.tenant, query, newest)

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        with self._pool.connection() as conn:
            return _pg_reading.summary(conn, self.tenant, query, newest)

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        with self._pool.connection() as conn:
            return _pg_reading.overview(conn, self.tenant, query, buckets, newest, names=names)

    def trends(self, query: Query, by: By, steps: int) -> Trends | None:
        with self._pool.transaction() as conn:
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return _pg_trends.trends(conn, self.tenant, query, by, steps)

    def index(self) -> None:
        """Do nothing, because every insert updates the indexes."""

    def delete(self, *, before: float) -> int:
        """Delete sessions that started before this time, in small transactions; return their
        number."""
        with self._pool.transaction() as conn:
            _pg_writing.forget_updates(conn, self.tenant, before)
        deleted, chunk = 0, _DELETE_CHUNK
        while chunk == _DELETE_CHUNK:
            with self._pool.transaction() as conn:
                chunk = _pg_writing.delete_some(conn, self.tenant, before, _DELETE_CHUNK)
            deleted += chunk
        return deleted

    def size(self) -> StoreSize:
        """Return the sessions of this tenant and the bytes of all tenants."""
        with self._pool.connection() as conn:
            row = conn.execute(
                "SELECT (SELECT count(*) FROM sessions WHERE tenant = %s),"
                " pg_total_relation_size('sessions') + pg_total_relation_size('metrics')",
                (self.tenant,),
            ).fetchone()
        assert row is not None
        return StoreSize(*row)

    def ready(self) -> None:
        with self._pool.connection() as conn:
            self._check(conn)

    def for_tenant(self, tenant: str) -> PostgresStore:
        """Return the store of another tenant, on the same connections."""
        other = object.__new__(PostgresStore)
        other.__dict__.update(self.__dict__, tenant=tenant_name(tenant), _owns=False)
        return other

    def close(self) -> None:
        """Close the connections, unless this store came from `for_tenant`."""
        if self._owns:
            self._pool.close()

    def _prepare(self, readonly: bool) -> None:
        with self._pool.connection() as conn:
            if not readonly and _pg_schema.version(conn) < len(_pg_schema.STEPS):
                _pg_schema.migrate(conn, self._schema)
            self._check(conn)

    def _check(self, conn: Connection[Any]) -> None:
        if _pg_schema.version(conn) < len(_pg_schema.STEPS):
            raise StoreError(f"{self.where} has an older schema: run `honeytrace store migrate`")

    def _write(self, write: Callable[[Connection[Any]], Any]) -> Any:
        """Run a transaction, and repeat it if the engine rolled it back in favour of another."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._pool.transaction() as conn:
                    return write(conn)
            except StoreBusyError:  # noqa: PERF203 - each attempt needs a try of its own
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.01 * 2**attempt)
            except _UNSUITABLE as error:
                refused = f"the store cannot take this value: {error}"
                raise RecordRefusedError(refused) from error
        return None


def _conninfo(url: str) -> tuple[str, str | None]:
    """Return the part of a URL that libpq takes, and the schema."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(given).get("schema")
    rest = [(name, value) for name, value in given if name not in ("schema", "tenant")]
    place = parts.netloc
    password = os.environ.get("HONEYTRACE_STORE_PASSWORD")
    has_one = parts.password is not None or "password" in dict(rest)
    if password and not has_one:
        rest.append(("password", password))
    # libpq reads %20 as a space, but a plus as itself.
    query = urlencode(rest).replace("+", "%20")
    return urlunsplit(("postgresql", place, parts.path, query, "")), unquote(schema or "") or None
