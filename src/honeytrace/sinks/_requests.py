"""A batch as the requests that carry it, in either layout: encoding, order and size, without I/O.

Sources: HoneyHive OpenAPI 1.0.21 (`/session/start`, `/events/batch`, `PUT /events`), and
docs/delivery.md for the batch route of `honeytrace serve`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

import orjson

from .._network.streamed import Streamed
from .._record.fold import fold_runs, fold_updates
from .._record.many import Encoded, by_kind, has_repeats, measured
from .._record.merge import apply, as_object, merge, merge_objects
from .._record.record import OBJECTS, Item, Record, Update
from .._record.wire import event_pieces, pieces
from ._body import Lists, body, size_of

LATE = "honeytrace_update"
"""The key in `metadata` for late values that `PUT /events` has no field for, such as inputs."""

BODY_LIMIT = 4_800_000
"""Bytes of one request. HoneyHive accepts 5 MB, and proxies count differently."""

MOST = 5_000
"""Records in one request at most, so that the bad record of a refused request is found soon."""

START, EVENTS, EVENT_BATCH = "/session/start", "/events", "/events/batch"

_PUT_FIELDS = ("config", "outputs", "metrics", "feedback", "user_properties")


class Request(NamedTuple):
    """One HTTP request: its items, and the same items encoded, `size` bytes together."""

    method: str
    path: str
    items: Sequence[Item]
    encoded: Sequence[Encoded]
    size: int
    lists: Callable[[Sequence[Item], Sequence[Encoded]], Lists]
    end: bytes
    """The last bytes of the body."""

    @property
    def is_mixed(self) -> bool:
        """True if this request goes to the batch route, even if the route was withdrawn since."""
        return self.lists is _kinds

    def halves(self) -> tuple[Request, Request]:
        """Return two requests for the items of this one, which must have more than one."""
        half = len(self.items) // 2
        return self._part(0, half), self._part(half, len(self.items))

    def _part(self, start: int, stop: int) -> Request:
        encoded = self.encoded[start:stop]
        size = sum(map(size_of, encoded))
        return self._replace(items=self.items[start:stop], encoded=encoded, size=size)

    @property
    def body(self) -> bytes | Streamed:
        """The bytes of the body, in chunks if there are many."""
        return body(self.lists(self.items, self.encoded), self.size, self.end)


def fold(batch: Sequence[Item]) -> tuple[Sequence[Item], dict[int, list[Item]]]:
    """Return the batch with one item a session, and the folded items by identity.

    An update whose session is in the same batch travels inside it, and of several updates one is
    made, so that nothing here can overtake anything.
    """
    if not has_repeats(batch):
        return batch, {}
    found: dict[str, list[Item]] = {}
    for item in batch:
        found.setdefault(item.event_id, []).append(item)
    folded: list[Item] = []
    origins: dict[int, list[Item]] = {}
    for items in found.values():
        item = reduce(_folded, fold_runs(items))
        folded.append(item)
        origins[id(item)] = items
    return folded, origins


def _folded(old: Item, new: Item) -> Item:
    if isinstance(new, Update):
        return apply(old, new) if isinstance(old, Record) else fold_updates([old, new])
    return merge(old, new) if isinstance(old, Record) else apply(new, old)


def requests(
    items: Sequence[Item], layout: str, batch_path: str | None
) -> tuple[list[Request], list[Request]]:
    """The requests for these, in two steps: sessions are started before anything refers to them.

    `batch_path` is the batch route, where the server announced one.
    """
    starts, events, updates = _sorted(items, layout)
    started: list[Encoded] = list(map(pieces, starts))
    batches = list(_split(EVENT_BATCH, events, list(map(event_pieces, events)), _events, MOST))
    if batch_path:
        both: list[Item] = [*starts, *updates]
        return [*_split(batch_path, both, [*started, *map(full_update, updates)], _kinds)], batches
    singles = [
        Request("POST", START, (item,), (encoded,), size_of(encoded), _start, b"}")
        for item, encoded in zip(starts, started, strict=True)
    ]
    puts = [
        Request("PUT", EVENTS, (update,), (encoded,), len(encoded), _bare, b"")
        for update, encoded in zip(updates, map(put_body, updates), strict=True)
    ]
    return singles, batches + puts


def _sorted(
    items: Sequence[Item], layout: str
) -> tuple[Sequence[Record], Sequence[Record], Sequence[Update]]:
    """Return the records that start sessions, the events of sessions, and the updates, in order."""
    roots, nested, updates = by_kind(items)
    if layout == "tree":
        return roots, nested, updates
    if roots and nested:
        roots = [item for item in items if not isinstance(item, Update)]
    return roots or nested, (), updates


def _split(
    path: str,
    items: Sequence[Item],
    encoded: Sequence[Encoded],
    lists: Callable[[Sequence[Item], Sequence[Encoded]], Lists],
    most: int = 1 << 31,
) -> Iterator[Request]:
    """Requests of at most `most` items and about `BODY_LIMIT` bytes."""
    start, size = 0, measured(encoded)[0]
    if size > BODY_LIMIT or len(items) > most:
        size = 0
        for at, length in enumerate(map(size_of, encoded)):
            if at > start and (size + length > BODY_LIMIT or at - start == most):
                yield Request("POST", path, items[start:at], encoded[start:at], size, lists, b"]}")
                start, size = at, 0
            size += length
    if items:
        yield Request("POST", path, items[start:], encoded[start:], size, lists, b"]}")


def _bare(items: Sequence[Item], encoded: Sequence[Encoded]) -> Lists:
    return [(b"", encoded)]


def _start(items: Sequence[Item], encoded: Sequence[Encoded]) -> Lists:
    return [(b'{"session":', encoded)]


def _events(items: Sequence[Item], encoded: Sequence[Encoded]) -> Lists:
    return [(b'{"events":[', encoded)]


def _kinds(items: Sequence[Item], encoded: Sequence[Encoded]) -> Lists:
    """Sessions first, then updates, as they are in the items."""
    sessions = len(items) - [type(item) for item in items].count(Update)
    return [(b'{"sessions":[', encoded[:sessions]), (b'],"updates":[', encoded[sessions:])]


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
