"""A batch as the requests that carry it, in either layout: encoding, order and size, no I/O.

Sources: HoneyHive OpenAPI 1.0.21 (`/session/start`, `/events/batch`, `PUT /events`); the batch
route of `honeytrace serve` is docs/delivery.md's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from .._record import (
    MERGED,
    OBJECTS,
    Item,
    Record,
    Update,
    apply,
    as_object,
    merge,
    merge_ids,
    merge_objects,
    start_session_body,
)

LATE = "honeytrace_update"
"""The key in `metadata` for what `PUT /events` has no field for, such as late inputs."""

BODY_LIMIT = 4_800_000
"""Bytes of one request: HoneyHive takes 5 MB, and proxies count differently."""

MOST = 500
"""Parts of one request, so that a refusal concerns few and is soon told apart."""

START, EVENTS, EVENT_BATCH = "/session/start", "/events", "/events/batch"

_PUT_FIELDS = ("config", "outputs", "metrics", "feedback", "user_properties")


class Parcel:
    """What a batch says of one session, folded into one record or one update."""

    __slots__ = ("content", "items")

    def __init__(self, item: Item) -> None:
        self.content = item
        self.items = [item]

    def add(self, item: Item) -> None:
        """Fold in what came later."""
        self.content = _folded(self.content, item)
        self.items.append(item)


class Request(NamedTuple):
    """One HTTP request; `parts` are what it carries, encoded."""

    method: str
    path: str
    parts: Sequence[tuple[Parcel, bytes]]
    join: Callable[[Sequence[tuple[Parcel, bytes]]], bytes]

    @property
    def body(self) -> bytes:
        return self.join(self.parts)

    def halves(self) -> tuple[Request, Request]:
        """Two requests for the parts of this one, which has more than one."""
        half = len(self.parts) // 2
        return self._replace(parts=self.parts[:half]), self._replace(parts=self.parts[half:])


def parcels(batch: Iterable[Item]) -> list[Parcel]:
    """The batch by session, in order of first mention.

    An update whose session is in the same batch travels inside it, and of several updates one is
    made, so that nothing here can overtake anything.
    """
    found: dict[str, Parcel] = {}
    for item in batch:
        parcel = found.get(item.event_id)
        if parcel is None:
            found[item.event_id] = Parcel(item)
        else:
            parcel.add(item)
    return list(found.values())


def _folded(old: Item, new: Item) -> Item:
    if isinstance(new, Update):
        return apply(old, new) if isinstance(old, Record) else _both(old, new)
    return merge(old, new) if isinstance(old, Record) else apply(new, old)


def _both(old: Update, new: Update) -> Update:
    fields = dict(old.fields)
    for name, data in new.fields.items():
        if name in MERGED:
            fields[name] = merge_objects(fields.get(name), data) or data
        elif name == "children_ids":
            fields[name] = merge_ids(fields.get(name, b"[]"), data)
        else:
            fields[name] = data
    return Update(old.event_id, fields)


def requests(
    parcels: Iterable[Parcel], layout: str, batch_path: str | None
) -> tuple[list[Request], list[Request]]:
    """The requests for these, in two steps: sessions are started before anything refers to them.

    `batch_path` is the batch route, where the server announced one.
    """
    starts: list[tuple[Parcel, bytes]] = []
    events: list[tuple[Parcel, bytes]] = []
    updates: list[tuple[Parcel, bytes]] = []
    for parcel in parcels:
        content = parcel.content
        if isinstance(content, Update):
            updates.append((parcel, full_update(content) if batch_path else put_body(content)))
        elif layout == "tree" and content.parent_id is not None:
            events.append((parcel, event(content)))
        else:
            starts.append((parcel, start_session_body(content)))
    batches = list(_split("POST", EVENT_BATCH, events, _join_events))
    if batch_path:
        return [*_split("POST", batch_path, starts + updates, _join_batch)], batches
    singles = [Request("POST", START, [part], _alone) for part in starts]
    puts = [Request("PUT", EVENTS, [part], _alone) for part in updates]
    return singles, batches + puts


def _split(
    method: str,
    path: str,
    parts: list[tuple[Parcel, bytes]],
    join: Callable[[Sequence[tuple[Parcel, bytes]]], bytes],
) -> Iterator[Request]:
    """Requests of at most `MOST` parts and about `BODY_LIMIT` bytes."""
    taken: list[tuple[Parcel, bytes]] = []
    size = 0
    for part in parts:
        size += len(part[1]) + 1
        if taken and (size > BODY_LIMIT or len(taken) == MOST):
            yield Request(method, path, taken, join)
            taken, size = [], len(part[1]) + 1
        taken.append(part)
    if taken:
        yield Request(method, path, taken, join)


def _alone(parts: Sequence[tuple[Parcel, bytes]]) -> bytes:
    return parts[0][1]


def _join_events(parts: Sequence[tuple[Parcel, bytes]]) -> bytes:
    return b'{"events":[' + b",".join(data for _, data in parts) + b"]}"


def is_update(part: tuple[Parcel, bytes]) -> bool:
    """Whether this part goes under `updates` in a request to the batch route."""
    return isinstance(part[0].content, Update)


def _join_batch(parts: Sequence[tuple[Parcel, bytes]]) -> bytes:
    shell = len(b'{"session":')
    sessions = b",".join(part[1][shell:-1] for part in parts if not is_update(part))
    updates = b",".join(part[1] for part in parts if is_update(part))
    return b'{"sessions":[' + sessions + b'],"updates":[' + updates + b"]}"


_EVENT_KEYS = tuple((name, f',"{name}":'.encode()) for name in OBJECTS)


def event(record: Record) -> bytes:
    """A nested record as a `CreateEventRequest`, which wants `config`, `inputs` and `duration`."""
    head = {
        "project": record.project,
        "source": record.source,
        "event_name": record.event_name,
        "event_type": record.event_type,
        "event_id": record.event_id,
        "session_id": record.root_id,
        "parent_id": record.parent_id,
        "start_time": record.start_time,
        "duration": record.duration or 0,
    }
    if record.end_time is not None:
        head["end_time"] = record.end_time
    if record.error is not None:
        head["error"] = record.error
    parts = [orjson.dumps(head)[:-1], b',"children_ids":', record.children_ids]
    for name, key in _EVENT_KEYS:
        data = getattr(record, name)
        if data is None and name in ("config", "inputs"):
            data = b"{}"
        if data is not None:
            parts += (key, data)
    parts.append(b"}")
    return b"".join(parts)


def full_update(update: Update) -> bytes:
    """An update with every field under its own name: only `honeytrace serve` understands it all."""
    return _object({"event_id": orjson.dumps(update.event_id), **_fields(update)})


def put_body(update: Update) -> bytes:
    """An update as `PUT /events` takes it; the rest goes to `metadata`, under `LATE`.

    So does `children_ids`: the route has it since 2026-05 only, and replaces where we append.
    """
    fields = _fields(update)
    body = {"event_id": orjson.dumps(update.event_id)}
    body |= {name: fields.pop(name) for name in _PUT_FIELDS if name in fields}
    metadata = fields.pop("metadata", None)
    if fields:
        metadata = merge_objects(metadata, _object({LATE: _object(fields)}))
    if metadata is not None:
        body["metadata"] = metadata
    return _object(body)


def _fields(update: Update) -> dict[str, bytes]:
    return {
        name: as_object(data) or data if name in OBJECTS else data
        for name, data in update.fields.items()
    }


def _object(fields: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), v) for name, v in fields.items()) + b"}"
