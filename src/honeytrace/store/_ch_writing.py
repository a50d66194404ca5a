"""Writes to ClickHouse, which has no transactions and no locks.

A merged row lists the random numbers of the writes that it contains. After a write, the row is read
again, at once and some seconds later, when concurrent writes are visible. If a row of another node
has won and lacks this write, the write is added to that row. So merges of one session converge. An
update and its session that are written concurrently find each other, because both sides write first
and read afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import orjson

from .._record.fold import fold_updates
from .._record.merge import apply, merge
from .._record.record import Record, Update
from ._ch_client import Client
from ._ch_query import among
from ._ch_reading import Known, known
from ._ch_rows import COLUMNS, row_of

__all__ = ["forget_updates", "insert", "update"]

_ROUNDS = 5
"""Largest number of times that a merged row is verified; each repeat means another concurrent
write."""

_REMEMBERED = 63
"""Number of earlier writes that a row names: as many as may be under way for one session."""

Add = Callable[["Record | None"], "tuple[Record, bool]"]
"""A function that merges new data into a record or creates one, with a flag for a changed
session."""

_PENDING = ("tenant", "event_id", "number", "fields", "gone")


def insert(client: Client, tenant: str, records: Sequence[Record]) -> None:
    """Add records, or merge them into those of their ids."""
    by_id: dict[str, list[Record]] = {}
    for record in records:
        by_id.setdefault(record.event_id, []).append(record)
    waiting = _waiting(client, tenant, list(by_id))
    _write(client, tenant, {i: _adding(some, waiting.get(i)) for i, some in by_id.items()})
    if waiting:
        _forget(client, tenant, waiting)
    _cross(client, tenant, [event_id for event_id in by_id if event_id not in waiting])


def update(client: Client, tenant: str, updates: Sequence[Update]) -> None:
    """Apply updates, and keep those of unknown sessions."""
    by_id: dict[str, list[Update]] = {}
    for each in updates:
        by_id.setdefault(each.event_id, []).append(each)
    folded = {event_id: fold_updates(some) for event_id, some in by_id.items()}
    found = known(client, tenant, folded)
    kept = [each for event_id, each in folded.items() if event_id not in found]
    if kept:
        first = client.places(len(kept))
        rows = [
            (tenant, each.event_id, first + number, _fields(each), 0)
            for number, each in enumerate(kept)
        ]
        client.insert("pending", rows, _PENDING)
    _write(client, tenant, {i: _applying(folded[i]) for i in found}, found)
    _cross(client, tenant, [each.event_id for each in kept])


def forget_updates(client: Client, tenant: str, before: float) -> None:
    """Delete waiting updates that were received before this time."""
    client.command(
        f"DELETE FROM {client.layout.local('pending')}{client.layout.on}"
        " WHERE tenant = {tenant:String} AND number < {before:UInt64}",
        tenant=tenant,
        before=max(0, int(before * 1000)),
    )


def _adding(records: Sequence[Record], waiting: Update | None) -> Add:
    def add(record: Record | None) -> tuple[Record, bool]:
        whole, changed, update = record, False, waiting
        for each in records:
            before = whole
            whole = arrived = each if whole is None else merge(whole, each)
            if update is not None:
                whole, update = apply(whole, update), None
            changed = changed or whole != (arrived if before is None else before)
        assert whole is not None
        return whole, changed

    return add


def _applying(update: Update) -> Add:
    def add(record: Record | None) -> tuple[Record, bool]:
        assert record is not None
        return apply(record, update), True

    return add


def _write(
    client: Client, tenant: str, adding: dict[str, Add], found: dict[str, Known] | None = None
) -> None:
    """Write the additions. Merged rows are read again, at once and when concurrent writes are
    visible, and an addition is repeated if a row lacks it."""
    found = known(client, tenant, adding) if found is None else found
    token = secrets.randbits(63)
    merged = _written(client, tenant, adding, found, token)
    if merged:
        _verify(client, tenant, merged, token)
        client.later(lambda: _verify(client, tenant, merged, token))


def _verify(client: Client, tenant: str, adding: dict[str, Add], token: int) -> None:
    """Repeat the additions on the rows that lack them."""
    for _ in range(_ROUNDS):
        found = known(client, tenant, adding)
        lacking = {i: adding[i] for i, each in found.items() if token not in each.writes}
        if not lacking or not _written(client, tenant, lacking, found, token):
            return


def _written(
    client: Client, tenant: str, adding: dict[str, Add], found: dict[str, Known], token: int
) -> dict[str, Add]:
    """Write each record with its addition; return the merged ones."""
    rows = []
    merged: dict[str, Add] = {}
    first = client.places(2 * len(adding) or 1)
    for number, (event_id, add) in enumerate(adding.items()):
        at = first + 2 * number
        old = found.get(event_id)
        new, changed = add(None if old is None else old.record)
        if old is None:
            mark = at + 1 if changed else 0
            rows.append(row_of(tenant, new, place=at, changed=mark, version=at, writes=[token]))
        elif new != old.record:
            merged[event_id] = add
            # The new version exceeds the version that was read, even if this node's clock is
            # behind.
            version = max(at + 1, old.version + 2)
            # The key changes, so the old row is deleted.
            if old.record.start_time != new.start_time:
                end = row_of(
                    tenant, old.record, place=0, changed=0, version=version - 1, deleted=True
                )
                rows.append(end)
            writes = [*old.writes[-_REMEMBERED:], token]
            rows.append(
                row_of(tenant, new, place=old.place, changed=at, version=version, writes=writes)
            )
    client.insert("sessions", rows, COLUMNS)
    return merged


def _waiting(client: Client, tenant: str, ids: list[str]) -> dict[str, Update]:
    """Return the updates that wait for these sessions, folded."""
    any_waits = "SELECT 1 FROM pending WHERE tenant = {tenant:String} AND gone = 0 LIMIT 1"
    if not client.rows(any_waits, tenant=tenant):
        return {}
    sql, values = among(ids)
    rows = client.rows(
        "SELECT event_id, fields FROM pending FINAL WHERE tenant = {tenant:String}"
        f" AND gone = 0 AND {sql} ORDER BY number",
        tenant=tenant,
        **values,
    )
    waiting: dict[str, list[Update]] = {}
    for event_id, fields in rows:
        decoded = {name: text.encode() for name, text in orjson.loads(fields).items()}
        waiting.setdefault(event_id, []).append(Update(event_id, decoded))
    return {event_id: fold_updates(some) for event_id, some in waiting.items()}


def _forget(client: Client, tenant: str, waiting: dict[str, Update]) -> None:
    """Mark the updates of these sessions as applied."""
    sql, values = among(waiting)
    rows = client.rows(
        "SELECT tenant, event_id, number, fields, 1 FROM pending FINAL WHERE gone = 0"
        f" AND tenant = {{tenant:String}} AND {sql}",
        tenant=tenant,
        **values,
    )
    client.insert("pending", rows, _PENDING)


def _cross(client: Client, tenant: str, ids: list[str]) -> None:
    """Apply updates that were kept while their session was arriving."""
    if not ids:
        return
    waiting = _waiting(client, tenant, ids)
    found = known(client, tenant, waiting)
    if found:
        _write(client, tenant, {i: _applying(waiting[i]) for i in found}, found)
        _forget(client, tenant, {i: waiting[i] for i in found})


def _fields(update: Update) -> str:
    return orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
