"""The finished session: the only owner of wire names and of milliseconds.

A `Record` is what travels from the queue to the sinks. Its JSON parts stay encoded, so that the
bytes made by the snapshot reach the store and the socket without being parsed again; `decode`
parses them for a reader.

HoneyHive's startSession schema has no `parent_id`; what it cannot say travels in `metadata` under
the one reserved key `"honeytrace"`.
"""

# no `from __future__ import annotations` here: `NamedTuple` would compile each text at import

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from .._compiled import native
from .._lazy import orjson

RESERVED = "honeytrace"
"""The key in `metadata` that carries parent, root, status, traceback and redaction receipt."""

MERGED = ("config", "inputs", "metrics", "feedback", "metadata", "user_properties")
"""Mapping fields: an update merges into them, key by key; it replaces every other field."""

OBJECTS = (*MERGED, "outputs")
"""Fields that are JSON objects on the wire."""


class Record(NamedTuple):
    """One session (or event), encoded. Times are milliseconds since the epoch, UTC.

    The fields from `children_ids` on are JSON text: a list of ids, then objects; None is absent.
    """

    event_id: str
    session_id: str
    """The root's id where the record is an event of a session, else equal to `event_id`."""
    parent_id: str | None
    root_id: str
    event_type: str
    """`"session"` for a root; `"chain"`, `"model"` or `"tool"` for what runs inside one."""
    event_name: str
    project: str
    source: str
    status: str
    """`"ok"`, `"error"`, or how else it ended: `"cancelled"`, `"interrupted"`, `"closed"`, …"""
    start_time: float
    end_time: int | None
    """Integral, because the wire's is; None while the call runs."""
    duration: float | None
    error: str | None
    children_ids: bytes
    config: bytes | None
    inputs: bytes | None
    outputs: bytes | None
    metrics: bytes | None
    feedback: bytes | None
    metadata: bytes | None
    """Includes the reserved key."""
    user_properties: bytes | None


class Update(NamedTuple):
    """Later knowledge about a session: `fields` maps field names to JSON text.

    `MERGED` fields merge, `"children_ids"` appends what is missing, everything else replaces.
    """

    event_id: str
    fields: dict[str, bytes]


Item = Record | Update

OVERHEAD: int = 450 if native is None else native.OVERHEAD
"""Bytes that an item takes beside its encoded parts. Measured with tracemalloc: 400 interpreted,
260 compiled; the rest is slack."""

ItemT = TypeVar("ItemT", bound=Item)
_TEXT = frozenset(
    ("event_id", "root_id", "event_type", "event_name", "project", "source", "status")
)
_NUMBER = frozenset(("start_time", "end_time", "duration"))


_ENCODED = 13
"""From this field of a record on, all are encoded."""


def size_of(item: Item) -> int:
    """Return about how many bytes an item takes in memory."""
    parts = item.fields.values() if isinstance(item, Update) else item
    return OVERHEAD + sum(len(part) for part in parts if isinstance(part, bytes))


def pack(item: Item) -> bytes:
    """An item for a file of ours: a line of JSON, then the encoded parts, whose sizes it tells."""
    if isinstance(item, Update):
        parts: Sequence[Any] = list(item.fields.values())
        texts: list[Any] = [item.event_id, list(item.fields)]
    else:
        texts, parts = list(item[:_ENCODED]), item[_ENCODED:]
    sizes = [None if part is None else len(part) for part in parts]
    return b"".join((orjson.dumps([*texts, sizes]), b"\n", *filter(None, parts)))


def unpack(data: bytes, *, ours: bool = False) -> Item:
    """The item that `pack` wrote. Raises ValueError where it is none: bytes can be forged, but in a
    file that is `ours` alone."""
    try:
        line = data.find(b"\n")
        if line < 0:
            raise ValueError("it is cut short")
        item = _from_parts(orjson.loads(data[:line]), data, line + 1)
        return item if ours else checked(item)
    except (TypeError, AttributeError) as error:
        raise ValueError("no item") from error


def _from_parts(told: list[Any], data: bytes, at: int) -> Item:
    *texts, sizes = told
    parts: list[Any] = []
    for size in sizes:
        parts.append(None if size is None else data[at : at + size])
        at += abs(size or 0)
    if at != len(data):
        raise ValueError("it is shorter or longer than it says")
    if len(texts) == len(Update._fields):
        return Update(texts[0], dict(zip(texts[1], parts, strict=True)))
    return Record(*texts, *parts)


def checked(item: ItemT) -> ItemT:
    """The item, if it can be one: read from a file, it may be anything. Raises ValueError."""
    if isinstance(item, Update):
        if not isinstance(item.event_id, str):
            raise ValueError("an id is no text")
        for data in item.fields.values():
            orjson.loads(data)
        return item
    value: Any
    for name, value in zip(Record._fields, item, strict=True):
        if name in OBJECTS:
            good = value is None or isinstance(orjson.loads(value), dict)
        elif name == "children_ids":
            good = isinstance(value, bytes) and isinstance(orjson.loads(value), list)
        elif name in _TEXT or (value is not None and name not in _NUMBER):
            good = isinstance(value, str)
        else:
            good = value is None or isinstance(value, (int, float))
        if not good:
            raise ValueError(f"{name} is none")
    return item


def as_object(data: bytes | None) -> bytes | None:
    """`data` as a JSON object: the wire takes no scalar and no list, so those get wrapped."""
    if data is None or data.startswith(b"{"):
        return data
    return b'{"result":' + data + b"}"


def merge_objects(old: bytes | None, new: bytes | None) -> bytes | None:
    """Two JSON objects in one, shallowly; `new` wins. A reserved key present in both merges too."""
    if old is None or new is None:
        return new if old is None else old
    merged = orjson.loads(old)
    for key, value in orjson.loads(new).items():
        if key == RESERVED and isinstance(merged.get(key), dict) and isinstance(value, dict):
            merged[key].update(value)
        else:
            merged[key] = value
    return orjson.dumps(merged)


def with_details(
    own: bytes | None,
    parent_id: str | None,
    root_id: str,
    event_type: str,
    failure: tuple[str, str | None, Mapping[str, Any]] | None,
    masked: Sequence[str] | None,
) -> bytes | None:
    """Return the metadata `own` with everything that only the reserved key can say.

    failure: status, error text, and details of a call that failed.
    masked: the receipt of what was masked.
    """
    details: dict[str, Any] = {}
    if parent_id is not None:
        details = {"parent_id": parent_id, "root_id": root_id}
        if event_type != "chain":
            details["event_type"] = event_type
    if failure:
        details.update(failure[2])
        if failure[0] != "error":
            details["status"] = failure[0]
    if masked:
        details["masked"] = masked
    if not details:
        return own
    reserved = b"%b" % orjson.dumps({RESERVED: details})  # a copy, as in `pieces`
    return reserved if own is None else merge_objects(own, reserved)


def merge_ids(old: bytes, new: bytes) -> bytes:
    """Two JSON lists of ids in one, in order and without repeats."""
    if old == new or new == b"[]":
        return old
    return orjson.dumps(list(dict.fromkeys(orjson.loads(old) + orjson.loads(new))))


def merge(old: Record, new: Record) -> Record:
    """One record out of two of the same id: a redelivery changes nothing, a continuation adds."""
    children_ids = merge_ids(old.children_ids, new.children_ids)
    if (old.start_time, old.end_time) == (new.start_time, new.end_time):
        return old._replace(children_ids=children_ids)  # updates may have come in between
    seen = old.end_time is not None and old.start_time == new.start_time
    if seen and new.status == "interrupted":
        return old._replace(children_ids=children_ids)  # a journal that had not seen the end
    merged: dict[str, Any] = {
        name: merge_objects(getattr(old, name), getattr(new, name)) for name in MERGED
    }
    ends = [end for end in (old.end_time, new.end_time) if end is not None]
    start, end = min(old.start_time, new.start_time), max(ends, default=None)
    if old.start_time == new.start_time and old.end_time is None:
        duration = new.duration  # the end of what was known as running
    else:
        duration = None if end is None else end - start
    return new._replace(
        parent_id=old.parent_id or new.parent_id,
        root_id=old.root_id,
        start_time=start,
        end_time=end,
        duration=duration,
        outputs=new.outputs or old.outputs,
        children_ids=children_ids,
        **merged,
    )


def apply(record: Record, update: Update) -> Record:
    """The record with an update's fields in it; names a record does not have are ignored."""
    changes: dict[str, Any] = {}
    for name, data in update.fields.items():
        if name in MERGED:
            changes[name] = merge_objects(getattr(record, name), data)
        elif name == "outputs":
            changes[name] = as_object(data)
        elif name == "children_ids":
            changes[name] = merge_ids(record.children_ids, data)
        elif name == "session_name":
            changes["event_name"] = orjson.loads(data)
        elif name in Record._fields:
            changes[name] = orjson.loads(data)
    if changes.get("error"):
        changes.setdefault("status", "error")
    return record._replace(**changes)


def start_session_body(record: Record) -> bytes:
    """The body of `POST /session/start`: `{"session": {…}}`, spliced from the encoded parts."""
    encoded = pieces(record)
    inside = encoded if isinstance(encoded, bytes) else b"".join(encoded)
    return b'{"session":' + inside + b"}"


_SPLICED = 1_000
"""Bytes of inputs and outputs that are handed on as they are rather than copied."""


def pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """The object under `"session"` in a startSession payload, in pieces
    for a join where it is long.

    Source: HoneyHive OpenAPI 1.0.21, SessionStartRequest: `error` is absent rather than null,
    `end_time` is an integer, the objects are never null.
    """
    return _spliced(_session_head(record), record)


def event_pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """A nested record as a `CreateEventRequest`, which wants `config`, `inputs` and `duration`."""
    return _spliced(_event_head(record), record)


def _session_head(record: Record) -> dict[str, Any]:
    """The fields that are not encoded yet."""
    head: dict[str, Any] = {
        "project": record.project,
        "session_name": record.event_name,
        "source": record.source,
        "session_id": record.event_id,
        "start_time": record.start_time,
    }
    if record.duration is not None:
        head["duration"] = record.duration
    return _with_end(head, record)


def _event_head(record: Record) -> dict[str, Any]:
    head: dict[str, Any] = {
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
    if record.config is None:
        head["config"] = {}
    if record.inputs is None:
        head["inputs"] = {}
    return _with_end(head, record)


def _with_end(head: dict[str, Any], record: Record) -> dict[str, Any]:
    if record.end_time is not None:
        head["end_time"] = record.end_time
    if record.error is not None:
        head["error"] = record.error
    return head


def _spliced(head: dict[str, Any], record: Record) -> bytes | tuple[bytes, ...]:
    """`head` and what both layouts say alike: encoded parts go in as they are, uncopied if long."""
    children, config, inputs, outputs, metrics, feedback, metadata, user = record[13:]
    head["children_ids"] = [] if children == b"[]" else orjson.Fragment(children)
    if config is not None:
        head["config"] = orjson.Fragment(config)
    if metadata is not None:
        head["metadata"] = orjson.Fragment(metadata)
    if metrics or feedback or user:
        for name in ("metrics", "feedback", "user_properties"):
            if data := getattr(record, name):
                head[name] = orjson.Fragment(data)
    large: list[bytes] = []
    for name, data in (("inputs", inputs), ("outputs", outputs)):
        if data is not None and len(data) > _SPLICED:
            large += (b',"%s":' % name.encode(), data)
        elif data is not None:
            head[name] = orjson.Fragment(data)
    if large:
        return (orjson.dumps(head)[:-1], *large, b"}")
    return b"%b" % orjson.dumps(head)  # a copy: orjson's results keep a kilobyte, however short


if native is not None:
    native.use_record(_session_head, _event_head)
    pieces, event_pieces = native.pieces, native.event_pieces


def from_start_session(session: Mapping[str, Any], new_id: Callable[[], str]) -> Record:
    """A `Record` from a decoded startSession payload (the object under `"session"`).

    Shapes are the caller's to check; `new_id` mints an id where the payload brings none.
    """
    metadata = session.get("metadata") or {}
    own = metadata.get(RESERVED)
    own = own if isinstance(own, dict) else {}
    event_id = session.get("session_id") or new_id()
    error, end = session.get("error"), session.get("end_time")
    return Record(
        event_id=event_id,
        session_id=event_id,
        parent_id=own.get("parent_id"),
        root_id=own.get("root_id") or event_id,
        event_type=own.get("event_type") or ("chain" if own.get("parent_id") else "session"),
        event_name=session.get("session_name") or "unknown",
        project=session.get("project") or "",
        source=session.get("source") or "unknown",
        status=own.get("status") or ("error" if error else "ok"),
        start_time=session.get("start_time") or 0.0,
        end_time=None if end is None else round(end),
        duration=session.get("duration"),
        error=error,
        children_ids=orjson.dumps(session.get("children_ids") or []),
        **{name: _encode(session.get(name)) for name in OBJECTS},
    )


def _encode(value: Any) -> bytes | None:
    return None if value is None else orjson.dumps(value)


def decode(record: Record) -> dict[str, Any]:
    """The fields of a `RecordedSession`, by name, from this record."""
    objects = {
        name: orjson.loads(data) if (data := getattr(record, name)) else {} for name in OBJECTS
    }
    return {
        "session_id": record.event_id,
        "session_name": record.event_name,
        **{
            name: getattr(record, name)
            for name in Record._fields
            if name not in OBJECTS and name not in ("event_id", "event_name", "session_id")
        },
        **objects,
        "children_ids": orjson.loads(record.children_ids),
        "details": objects["metadata"].pop(RESERVED, {}),
    }
