"""Starting sessions, one or many in a request, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from .._record.record import Item, Record
from ..sinks.store import StoreSink
from ..store import Query, Store
from ._call import Call
from ._homes import moved, nested
from ._http import RefusedError, bad_request, busy
from ._wire import event_json, session_record, update_item

_DESCENDANTS = 100_000
"""Largest number of events of one session in a reply."""


def start(call: Call) -> bytes:
    """`POST /session/start` → the session as stored now; a known `session_id` is merged."""
    return _started(call, session_record(call.json().get("session")))


def start_v1(call: Call) -> bytes:
    """`POST /v1/sessions`, whose body is the bare session."""
    return _started(call, session_record(call.json()))


def start_batch(call: Call) -> bytes:
    """`POST /session/start/batch`, honeytrace's own route: many sessions, then updates.

    An invalid item is refused alone. If the store is busy, the client repeats the whole request.
    """
    body = call.json()
    read = [
        (kind, index, _try(reader, payload))
        for kind, reader in _READERS.items()
        for index, payload in enumerate(_list(body, f"{kind}s"))
    ]
    items = [item for *_, item in read if not isinstance(item, RefusedError)]
    delivery = StoreSink(call.store).deliver(items, timeout=call.limits.body_seconds)
    if delivery.retry:
        raise busy()
    call.store.update(moved(call.store, nested(items)))
    reasons = {id(item): reason for item, reason in delivery.refused}
    refused = [
        {"index": index, "kind": kind, "reason": reasons.get(id(item), str(item))}
        for kind, index, item in read
        if isinstance(item, RefusedError) or id(item) in reasons
    ]
    return orjson.dumps({"accepted": len(read) - len(refused), "refused": refused})


def get(call: Call) -> bytes:
    """`GET /session/{session_id}` → an Event; ids of events work, too, since a session is an
    event."""
    return event_json(_find(call))


def get_tree(call: Call) -> bytes:
    """`GET /v1/sessions/{session_id}` → the session with its events nested under `children`."""
    session = _find(call)
    found = family(call.store, session)
    known = {record.event_id for record in found}
    inside: dict[str | None, list[Record]] = {}
    for record in found:
        parent_id = record.parent_id
        if parent_id is not None and parent_id not in known:
            # Its parent is running, was lost, or has another id, so the event is shown at the top.
            parent_id = session.root_id
        inside.setdefault(parent_id, []).append(record)
    return _nested(session, inside)


def family(store: Store, session: Record) -> Sequence[Record]:
    """Return all records of the tree of `session`, itself included, in order of start."""
    found = {each.event_id: each for each in _of_root(store, session.root_id)}
    if session.root_id != session.event_id:
        # Also read the events that arrived before the session, when its root was not known yet.
        found |= {each.event_id: each for each in _of_root(store, session.event_id)}
    return sorted(found.values(), key=lambda record: (record.start_time, record.event_id))


def _of_root(store: Store, root_id: str) -> Sequence[Record]:
    return store.list(Query(root_id=root_id, limit=_DESCENDANTS))


def _started(call: Call, record: Record) -> bytes:
    call.store.insert([record])
    call.store.update(moved(call.store, nested([record])))
    return event_json(call.store.get(record.event_id) or record)


def _find(call: Call) -> Record:
    record = call.store.get(call.path["session_id"])
    if record is None:
        raise RefusedError(404, "session_not_found", "no session has this id")
    return record


_READERS: dict[str, Callable[[Any], Item]] = {"session": session_record, "update": update_item}


def _try(read: Callable[[Any], Item], payload: Any) -> Item | RefusedError:
    try:
        return read(payload)
    except RefusedError as refusal:
        return refusal


def _list(body: dict[str, Any], name: str) -> list[Any]:
    items = body.get(name)
    if items is None:
        return []
    if type(items) is not list:
        raise bad_request(f"{name} must be a list")
    return items


def _nested(root: Record, inside: dict[str | None, list[Record]]) -> bytes:
    """Return the tree as JSON, without recursion: a chain may be longer than Python's stack.

    Each record is written once: entries are removed from `inside`, so cycles of parents end, too.
    """
    parts = [event_json(root)[:-1], b',"children":[']
    stack = [iter(inside.pop(root.event_id, ()))]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
            parts.append(b"]}")
            continue
        if not parts[-1].endswith(b"["):
            parts.append(b",")
        parts += (event_json(child)[:-1], b',"children":[')
        stack.append(iter(inside.pop(child.event_id, ())))
    return b"".join(parts)
