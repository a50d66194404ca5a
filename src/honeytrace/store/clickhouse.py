"""A store in ClickHouse, for more sessions than one database machine holds. It also runs inside
this process, through `chdb`, for tests and demos.

The store is eventually consistent, unlike PostgreSQL. If two nodes write the same *new* session
with different contents at the same moment, one of them is kept (a redelivery has the same content);
merges of a known session converge. A batch that spans weeks may be stored in part if the connection
is lost, and a redelivery completes it. Followers are `lag` seconds late, and the clocks of the
nodes must differ by less than that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .._record.record import Record, Update
from ..errors import StoreError
from . import _ch_listing, _ch_reading, _ch_schema, _ch_trends
from ._ch_client import Client
from ._ch_writing import Writer
from ._grouping import Grouping
from ._query import NEWEST, Arrivals, Field, NameSummary, Outline, Overview, Query, StoreSize
from ._tenant import tenant_name
from .errors import RecordRefusedError
from .trends import By, Trends

__all__ = ["ClickHouseStore"]

T = TypeVar("T")

_UNSUITABLE = (ValueError, TypeError, AttributeError)
"""Errors of a value of the wrong type; merging raises one of these at every attempt."""


class ClickHouseStore:
    """A `Store` in the database of a `clickhouse://` URL, or in the directory of a `chdb://` one.

    `readonly` neither creates nor migrates. Raises ConfigurationError without the extra
    `clickhouse`, StoreUnavailableError if the server does not answer, StoreError otherwise. Figures
    and values cover all sessions and ignore `newest`.
    """

    def __init__(self, url: str, *, readonly: bool = False, tenant: str = "") -> None:
        self.tenant = tenant_name(tenant)
        self._client = Client(url)
        self.where = self._client.where
        self._writer = Writer(self._client)
        self._inserts = Grouping(_refusing(self._writer.insert))
        self._updates = Grouping(_refusing(self._writer.update))
        self._owns = True
        if not readonly and self._version() < len(_ch_schema.STEPS):
            self._client.run(lambda raw: _ch_schema.migrate(raw, self._client.layout))
        self.ready()

    def insert(self, records: Sequence[Record]) -> None:
        if records:
            self._inserts.put(self.tenant, records)

    def update(self, updates: Sequence[Update]) -> None:
        if updates:
            self._updates.put(self.tenant, updates)

    def waiting(self, session_ids: Sequence[str]) -> Sequence[Update]:
        return self._writer.waiting(self.tenant, session_ids)

    def get(self, session_id: str) -> Record | None:
        return next(iter(self.get_many([session_id])), None)

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        found = _ch_reading.known(self._client, self.tenant, session_ids)
        return [found[each].record for each in session_ids if each in found]

    def list(self, query: Query) -> Sequence[Record]:
        return _ch_listing.listed(self._client, self.tenant, query)

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        return _ch_reading.trees(self._client, self.tenant, root_ids, most)

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        return _ch_reading.find_ids(self._client, self.tenant, prefix, limit)

    def outline(self, root_id: str) -> Sequence[Outline]:
        return _ch_reading.outline(self._client, self.tenant, root_id)

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        return _ch_reading.following(self._client, self.tenant, "place", after, limit)

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        return _ch_reading.following(self._client, self.tenant, "changed", after, limit)

    def values(self, field: Field) -> Sequence[str]:
        return _ch_reading.values(self._client, self.tenant, field)

    def count(self, query: Query, most: int | None = None) -> int:
        found = _ch_reading.count(self._client, self.tenant, query)
        return found if most is None else min(found, most)

    def longest(self, query: Query) -> Sequence[Record]:
        return _ch_reading.longest(self._client, self.tenant, query)

    def facets(self, query: Query, newest: int = NEWEST) -> Mapping[Field, Mapping[str, int]]:
        return _ch_reading.facets(self._client, self.tenant, query)

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        return _ch_reading.summary(self._client, self.tenant, query)

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        over_time = _ch_reading.over_time(self._client, self.tenant, query, buckets)
        return Overview(over_time, list(self.summary(query)) if names else [])

    def trends(self, query: Query, by: By, steps: int) -> Trends | None:
        return _ch_trends.trends(self._client, self.tenant, query, by, steps)

    def index(self) -> None:
        """Do nothing, because every insert updates the indexes."""

    def delete(self, *, before: float) -> int:
        """Delete sessions that started before this time; return their number. `?keep_days=` deletes
        automatically, by whole weeks."""
        found = self.count(Query(until=before))
        self._writer.delete(self.tenant, before)
        return found

    def size(self) -> StoreSize:
        """Return the sessions of this tenant and the bytes of all tenants."""
        table = self._client.layout.local("sessions")
        rows = self._client.rows(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = {table:String}"
            " AND database = currentDatabase()",
            table=table,
        )
        return StoreSize(self.count(Query()), int(rows[0][0] or 0))

    def ready(self) -> None:
        if self._version() < len(_ch_schema.STEPS):
            raise StoreError(f"{self.where} has an older schema: run `honeytrace store migrate`")

    def for_tenant(self, tenant: str) -> ClickHouseStore:
        """Return the store of another tenant, on the same connection."""
        other = object.__new__(ClickHouseStore)
        other.__dict__.update(self.__dict__, tenant=tenant_name(tenant), _owns=False)
        return other

    def close(self) -> None:
        """Verify the last writes and close the connection, unless this store came from
        `for_tenant`."""
        if self._owns:
            self._writer.close()
            self._client.close()

    def _version(self) -> int:
        found: int = self._client.run(_ch_schema.version)
        return found


def _refusing(write: Callable[[str, Sequence[T]], None]) -> Callable[[str, Sequence[T]], None]:
    """Return `write` with the errors of unsuitable values as RecordRefusedError."""

    def refusing(tenant: str, items: Sequence[T]) -> None:
        try:
            write(tenant, items)
        except _UNSUITABLE as error:
            raise RecordRefusedError(f"the store cannot take this value: {error}") from error

    return refusing
