"""Writes to ClickHouse, which has no transactions and no locks.

A merged row lists the random numbers of the writes that it contains. After a write, the row is read
again, at once and some seconds later, when concurrent writes are visible (`_ch_checks`). If a row
of another node has won and lacks this write, the write is added to that row. So merges of one
session converge. An update and its session that are written concurrently find each other, because
both sides write first and read afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from .._record.fold import fold_updates
from .._record.merge import apply, merge_batch
from .._record.record import Record, Update
from ._ch_checks import SETTLE, Add, Check, Checks
from ._ch_client import Client
from ._ch_query import among
from ._ch_reading import Known, known
from ._ch_rows import COLUMNS, row_of

__all__ = ["Writer"]

_ROUNDS = 5
"""Largest number of times that a merged row is verified; each repeat means another concurrent
write."""

_REMEMBERED = 63
"""Number of earlier writes that a row names: as many as may be under way for one session."""

_PENDING = ("tenant", "event_id", "number", "fields", "gone")


class _Waiting(NamedTuple):
    """The updates that wait for one session, folded, and their numbers."""

    update: Update
    numbers: list[int]


class _Batch(NamedTuple):
    """The records of an insert, and the position of the first one of each id. Those that nothing is
    added to are stored as they are."""

    records: Sequence[Record]
    places: Mapping[str, int]


_NO_BATCH = _Batch([], {})


class Writer:
    """The writes of all tenants on one connection."""

    def __init__(self, client: Client, settle: float = SETTLE) -> None:
        self._client = client
        self._checks = Checks(self._verify_all, settle)

    def insert(self, tenant: str, records: Sequence[Record]) -> None:
        """Add records, or merge them into those of their ids."""
        places: dict[str, int] = {}
        repeated: dict[str, list[int]] = {}
        for at, record in enumerate(records):
            first = places.setdefault(record.event_id, at)
            if first != at:
                repeated.setdefault(record.event_id, [first]).append(at)
        waiting = self._pending(tenant, list(places))
        found = known(self._client, tenant, places)
        adding: dict[str, Add] = {}
        for event_id in places.keys() & {*found, *waiting, *repeated}:
            some = [(at, records[at]) for at in repeated.get(event_id, [places[event_id]])]
            update = waiting[event_id].update if event_id in waiting else None
            adding[event_id] = partial(merge_batch, batch=some, waiting=update)
        self._write(tenant, adding, found, _Batch(records, places))
        if waiting:
            self._applied(tenant, waiting.values())
        self._cross(tenant, [event_id for event_id in places if event_id not in waiting])

    def update(self, tenant: str, updates: Sequence[Update]) -> None:
        """Apply updates, and keep those of unknown sessions."""
        by_id: dict[str, list[Update]] = {}
        for each in updates:
            by_id.setdefault(each.event_id, []).append(each)
        folded = {event_id: fold_updates(some) for event_id, some in by_id.items()}
        found = known(self._client, tenant, folded)
        kept = [each for event_id, each in folded.items() if event_id not in found]
        if kept:
            first = self._client.places(len(kept))
            rows = [
                (tenant, each.event_id, first + number, _fields(each), 0)
                for number, each in enumerate(kept)
            ]
            self._client.insert("pending", rows, _PENDING)
        at = {event_id: number for number, event_id in enumerate(folded)}
        self._write(tenant, {i: _applying(folded[i], at[i]) for i in found}, found)
        self._cross(tenant, [each.event_id for each in kept])

    def waiting(self, tenant: str, ids: Sequence[str]) -> list[Update]:
        """Return the updates that wait for these sessions, one for each session."""
        wanted = list(dict.fromkeys(ids))
        found = self._pending(tenant, wanted)
        return [found[each].update for each in wanted if each in found]

    def delete(self, tenant: str, before: float) -> None:
        """Delete sessions that started before this time, and waiting updates received before it.

        A `deleted` row ends each. The engine's own DELETE is a mutation, which waits until a thread
        is free for it: for minutes on a busy server.
        """
        values = {"tenant": tenant, "before": before}
        with self._checks.exclusive:
            self._client.command(
                "INSERT INTO pending (tenant, event_id, number, gone)"
                " SELECT tenant, event_id, number, 1 FROM pending FINAL"
                " WHERE tenant = {tenant:String} AND gone = 0 AND number < {before:UInt64}",
                tenant=tenant,
                before=max(0, int(before * 1000)),
            )
            old = "tenant = {tenant:String} AND start_time < {before:Float64}"
            weeks = f"SELECT DISTINCT _partition_id FROM sessions WHERE {old} ORDER BY 1"
            for (week,) in self._client.rows(weeks, **values):
                self._client.command(
                    "INSERT INTO sessions (tenant, event_id, root_id, start_time, version, deleted)"
                    " SELECT tenant, event_id, root_id, start_time, version + 1, 1"
                    f" FROM sessions FINAL WHERE _partition_id = '{week}' AND {old}",
                    **values,
                )
            self._checks.forget(tenant, lambda ids: set(known(self._client, tenant, ids)))

    def settle(self) -> None:
        """Verify all recent writes now."""
        self._checks.run()

    def close(self) -> None:
        """Verify all recent writes, and end."""
        self._checks.close()

    def _write(
        self,
        tenant: str,
        adding: dict[str, Add],
        found: Mapping[str, Known],
        batch: _Batch = _NO_BATCH,
    ) -> None:
        """Write the additions and the new records; merged rows are verified at once and later."""
        token = secrets.randbits(63)
        merged = self._written(tenant, adding, found, token, batch)
        if merged:
            check = Check(tenant, merged, token)
            self._verify(check)
            self._checks.add(check)

    def _verify_all(self, checks: Sequence[Check]) -> None:
        """Verify many writes with one query for each tenant."""
        for tenant in {check.tenant for check in checks}:
            some = [check for check in checks if check.tenant == tenant]
            found = known(self._client, tenant, [i for check in some for i in check.adding])
            for check in some:
                if _lacking(check, found):
                    self._verify(check)

    def _verify(self, check: Check) -> None:
        """Repeat the additions on the rows that lack them."""
        for _ in range(_ROUNDS):
            found = known(self._client, check.tenant, check.adding)
            lacking = _lacking(check, found)
            if not lacking or not self._written(check.tenant, lacking, found, check.token):
                return

    def _written(
        self,
        tenant: str,
        adding: Mapping[str, Add],
        found: Mapping[str, Known],
        token: int,
        batch: _Batch = _NO_BATCH,
    ) -> dict[str, Add]:
        """Write each record, with its addition; return the additions of the merged ones."""
        with self._client.in_order():
            rows, merged = self._rows(tenant, adding, found, token, batch)
            self._client.insert("sessions", rows, COLUMNS)
        return merged

    def _rows(
        self,
        tenant: str,
        adding: Mapping[str, Add],
        found: Mapping[str, Known],
        token: int,
        batch: _Batch,
    ) -> tuple[list[tuple[Any, ...]], dict[str, Add]]:
        """Return the rows to write, and the additions of the merged ones."""
        merged: dict[str, Add] = {}
        added = {i: add(found[i].record if i in found else None) for i, add in adding.items()}
        changes = (at for _, at in added.values() if at is not None)
        first = self._client.places(2 * max(len(batch.records), 1 + max(changes, default=0)))
        own = (token,)
        # One call for each row, without an object for it: a batch has thousands.
        rows = [
            row_of(
                tenant,
                batch.records[at],
                place=first + 2 * at,
                changed=0,
                version=first + 2 * at,
                writes=own,
            )
            for event_id, at in batch.places.items()
            if event_id not in added
        ]
        for event_id, (new, at) in added.items():
            place = first + 2 * batch.places.get(event_id, 0)
            changed = 0 if at is None else first + 2 * at + 1
            old = found.get(event_id)
            writes: Sequence[int] = own
            if old is None:
                version = place
            elif new == old.record:
                continue
            else:
                merged[event_id] = adding[event_id]
                # The new version exceeds the version that was read, even if this node's clock is
                # behind.
                version = max(place + 1, old.version + 2)
                # The key changes, so the old row is deleted.
                if old.record.start_time != new.start_time:
                    end = row_of(
                        tenant, old.record, place=0, changed=0, version=version - 1, deleted=True
                    )
                    rows.append(end)
                place, writes = old.place, [*old.writes[-_REMEMBERED:], token]
            rows.append(
                row_of(tenant, new, place=place, changed=changed, version=version, writes=writes)
            )
        return rows, merged

    def _pending(self, tenant: str, ids: list[str]) -> dict[str, _Waiting]:
        """Return the updates that wait for these sessions."""
        any_waits = "SELECT 1 FROM pending WHERE tenant = {tenant:String} AND gone = 0 LIMIT 1"
        if not self._client.rows(any_waits, tenant=tenant):
            return {}
        sql, values = among(ids)
        rows = self._client.rows(
            "SELECT event_id, number, fields FROM pending FINAL WHERE tenant = {tenant:String}"
            f" AND gone = 0 AND {sql} ORDER BY number",
            tenant=tenant,
            **values,
        )
        by_id: dict[str, list[Sequence[Any]]] = {}
        for row in rows:
            by_id.setdefault(row[0], []).append(row)
        return {
            i: _Waiting(fold_updates([_update(*row) for row in some]), [row[1] for row in some])
            for i, some in by_id.items()
        }

    def _applied(self, tenant: str, waiting: Iterable[_Waiting]) -> None:
        """Mark these updates as applied; one that has come since then keeps waiting."""
        rows = [
            (tenant, update.event_id, number, "{}", 1)
            for update, numbers in waiting
            for number in numbers
        ]
        self._client.insert("pending", rows, _PENDING)

    def _cross(self, tenant: str, ids: list[str]) -> None:
        """Apply updates that were kept while their session was arriving."""
        if not ids:
            return
        waiting = self._pending(tenant, ids)
        found = known(self._client, tenant, waiting)
        if found:
            self._write(tenant, {i: _applying(waiting[i].update, 0) for i in found}, found)
            self._applied(tenant, [waiting[i] for i in found])


def _lacking(check: Check, found: Mapping[str, Known]) -> dict[str, Add]:
    """Return the additions of a write that its rows do not name."""
    return {
        event_id: add
        for event_id, add in check.adding.items()
        if event_id in found and check.token not in found[event_id].writes
    }


def _applying(update: Update, at: int) -> Add:
    def add(record: Record | None) -> tuple[Record, int | None]:
        assert record is not None
        return apply(record, update), at

    return add


def _update(event_id: str, _: int, fields: str) -> Update:
    return Update(event_id, {n: text.encode() for n, text in orjson.loads(fields).items()})


def _fields(update: Update) -> str:
    return orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
