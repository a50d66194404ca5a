"""What goes into ClickHouse, which has no transactions and no locks.

A merged row is written and then verified: if another node wrote the same session in between, what
this node added is added to the other's row as well. Whoever writes last sees the other one, so
that two continuations of one session converge. The same holds for an update that crosses its
session: both sides write first and look then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from .._record.fold import fold_updates
from .._record.merge import apply, merge
from .._record.record import Record, Update
from ._ch_client import Client
from ._ch_reading import Known, known
from ._ch_rows import COLUMNS, row_of

__all__ = ["forget_updates", "insert", "update"]

_ROUNDS = 5
"""Times that a merged row is verified; each more needs another node to have written meanwhile."""

Add = Callable[["Record | None"], "tuple[Record, bool]"]
"""Adds what a call brought to a record, or makes one; tells whether what arrived was changed."""

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
    """Apply updates, and keep those of sessions that are not known."""
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
    """Delete waiting updates that were received before."""
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
    """Write what these add, and verify what was merged."""
    found = known(client, tenant, adding) if found is None else found
    for _ in range(_ROUNDS):
        rows = []
        merged: dict[str, int] = {}
        first = client.places(2 * len(adding) or 1)
        for number, (event_id, add) in enumerate(adding.items()):
            at = first + 2 * number
            old = found.get(event_id)
            new, changed = add(None if old is None else old.record)
            if old is None:
                mark = at + 1 if changed else 0
                rows.append(row_of(tenant, new, place=at, changed=mark, version=at))
            elif new != old.record:
                merged[event_id] = at + 1
                if old.record.start_time != new.start_time:  # another key: the old row goes
                    end = row_of(tenant, old.record, place=0, changed=0, version=at, deleted=True)
                    rows.append(end)
                rows.append(row_of(tenant, new, place=old.place, changed=at, version=at + 1))
        client.insert("sessions", rows, COLUMNS)
        if not merged:
            return
        found = _crossed(client, tenant, {i: (found[i].version, own) for i, own in merged.items()})
        adding = {event_id: adding[event_id] for event_id in found}
        if not adding:
            return


def _crossed(client: Client, tenant: str, versions: dict[str, tuple[int, int]]) -> dict[str, Known]:
    """Return the sessions that another node wrote between the versions read and written here, as
    the other one wrote them last."""
    rows = client.rows(
        "SELECT event_id, version FROM sessions WHERE tenant = {tenant:String}"
        " AND event_id IN {ids:Array(String)} AND version > {least:UInt64} AND deleted = 0",
        tenant=tenant,
        ids=list(versions),
        least=min(read for read, _ in versions.values()),
    )
    others = {i for i, version in rows if version > versions[i][0] and version != versions[i][1]}
    if not others:
        return {}
    return {
        event_id: each
        for event_id, each in known(client, tenant, others).items()
        # of two rows, the one with the higher version is what both are now added to
        if each.version != versions[event_id][1]
    } | _beneath(client, tenant, {i: versions[i] for i in others})


def _beneath(client: Client, tenant: str, versions: dict[str, tuple[int, int]]) -> dict[str, Known]:
    """Return the rows that lie just beneath the ones written here, where these are the newest: they
    lack what is in those, and those lack what is in them."""
    from ._ch_rows import FIELDS, SELECTED, record_of

    found: dict[str, Known] = {}
    for event_id, (read, own) in versions.items():
        rows = client.rows(
            f"SELECT {SELECTED}, place, changed, version FROM sessions"
            " WHERE tenant = {tenant:String} AND event_id = {id:String} AND deleted = 0"
            " AND version > {read:UInt64} AND version < {own:UInt64} ORDER BY version DESC LIMIT 1",
            tenant=tenant,
            id=event_id,
            read=read,
            own=own,
        )
        for row in rows:
            found[event_id] = Known(record_of(row), *row[len(FIELDS) :])
    return found


def _waiting(client: Client, tenant: str, ids: list[str]) -> dict[str, Update]:
    """Return the updates that wait for these sessions, folded."""
    rows = client.rows(
        "SELECT event_id, fields FROM pending FINAL WHERE tenant = {tenant:String}"
        " AND gone = 0 AND event_id IN {ids:Array(String)} ORDER BY number",
        tenant=tenant,
        ids=ids,
    )
    waiting: dict[str, list[Update]] = {}
    for event_id, fields in rows:
        decoded = {name: text.encode() for name, text in orjson.loads(fields).items()}
        waiting.setdefault(event_id, []).append(Update(event_id, decoded))
    return {event_id: fold_updates(some) for event_id, some in waiting.items()}


def _forget(client: Client, tenant: str, waiting: dict[str, Update]) -> None:
    """Mark the updates of these sessions as applied."""
    rows = client.rows(
        "SELECT tenant, event_id, number, fields, 1 FROM pending FINAL WHERE gone = 0"
        " AND tenant = {tenant:String} AND event_id IN {ids:Array(String)}",
        tenant=tenant,
        ids=list(waiting),
    )
    client.insert("pending", rows, _PENDING)


def _cross(client: Client, tenant: str, ids: list[str]) -> None:
    """Apply updates that were kept while their session arrived."""
    if not ids:
        return
    waiting = _waiting(client, tenant, ids)
    found = known(client, tenant, waiting)
    if found:
        _write(client, tenant, {i: _applying(waiting[i]) for i in found}, found)
        _forget(client, tenant, {i: waiting[i] for i in found})


def _fields(update: Update) -> str:
    return orjson.dumps({name: data.decode() for name, data in update.fields.items()}).decode()
