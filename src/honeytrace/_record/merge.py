"""Two accounts of one session in one: redeliveries, continuations, updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .._base.lazy import orjson
from .record import MERGED, RESERVED, Record, Update

WRAPPER = b'{"result":'
"""The beginning of an object that stands for a scalar or a list; a brace ends it."""


def as_object(data: bytes | None) -> bytes | None:
    """`data` as a JSON object: the wire takes no scalar and no list, so those get wrapped."""
    if data is None or data.startswith(b"{"):
        return data
    return b"%b%b}" % (WRAPPER, data)


def is_bare(data: bytes | None) -> bool:
    """Return whether outputs are an object that looks like the one `as_object` makes."""
    if data is None or not data.startswith(WRAPPER):
        return False
    return len(orjson.loads(data)) == 1


def merge_objects(old: bytes | None, new: bytes | None) -> bytes | None:
    """Two JSON objects in one, shallowly; `new` wins. A reserved key present in both merges too."""
    if old is None or new is None:
        return new if old is None else old
    merged = orjson.loads(old)
    for key, value in orjson.loads(new).items():
        if key == RESERVED and isinstance(merged.get(key), dict) and isinstance(value, dict):
            merge_details(merged[key], value)
        else:
            merged[key] = value
    return orjson.dumps(merged)


def merge_details(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Merge the reserved key's notes into `old`; receipts, which are lists, add up."""
    receipts = {
        name: list(dict.fromkeys([*old.get(name, ()), *new.get(name, ())]))
        for name in _RECEIPTS
        if name in old or name in new
    }
    old.update(new)
    old.update(receipts)


_RECEIPTS = ("masked", "set")


def receipt_details(receipt: Sequence[Any], assigned: Iterable[str] = ()) -> dict[str, Any]:
    """Return a receipt as details: paths of masked values, digests of values that were cut.

    assigned: fields that the program has set; they are not what a function took or returned.
    """
    found = {
        "masked": [each for each in receipt if isinstance(each, str)],
        "cut": dict(each for each in receipt if not isinstance(each, str)),
        "set": list(assigned),
    }
    return {name: value for name, value in found.items() if value}


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
    if seen and new.status in ("interrupted", "running"):
        return old._replace(children_ids=children_ids)  # a journal that had not seen the end
    if _is_provisional(new) and not _is_provisional(old):
        return old._replace(children_ids=children_ids)  # the root of a trace has come already
    merged: dict[str, Any] = {
        name: merge_objects(getattr(old, name), getattr(new, name)) for name in MERGED
    }
    if _is_provisional(old) and not _is_provisional(new):
        merged["metadata"] = merge_objects(merged["metadata"], _SETTLED)
        return new._replace(children_ids=children_ids, **merged)
    ends = [end for end in (old.end_time, new.end_time) if end is not None]
    start, end = min(old.start_time, new.start_time), max(ends, default=None)
    if old.start_time == new.start_time and old.end_time is None:
        duration = new.duration  # the end of a call that was known as running
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


def merge_batch(
    known: Record | None, batch: Sequence[tuple[int, Record]], waiting: Update | None
) -> tuple[Record, int | None]:
    """Return a record merged with those of its id in a batch, and with the update that waited.

    batch: records, each with its position. The position of the last one that changed the record is
    returned too, or None if none did.
    """
    whole, changed = known, None
    for at, record in batch:
        before = whole
        whole = arrived = record if whole is None else merge(whole, record)
        if waiting is not None:
            whole, waiting = apply(whole, waiting), None
        if whole != (arrived if before is None else before):
            changed = at
    assert whole is not None
    return whole, changed


PROVISIONAL = "provisional"
"""The key among honeytrace's details that says a session was made of a trace whose root has not
come yet: its name and times are those of the spans that have."""

_SETTLED = b'{"%b":{"%b":false}}' % (RESERVED.encode(), PROVISIONAL.encode())


def _is_provisional(record: Record) -> bool:
    # looked for rather than parsed: nearly every record has details, and hardly any this one
    if record.metadata is None or b'"provisional":true' not in record.metadata:
        return False
    details = orjson.loads(record.metadata).get(RESERVED)
    return isinstance(details, dict) and details.get(PROVISIONAL) is True


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
    end = changes.get("end_time")
    if end is not None and record.duration is None and "duration" not in changes:
        changes["duration"] = max(0.0, end - changes.get("start_time", record.start_time))
    if changes.get("error"):
        changes.setdefault("status", "error")
    return record._replace(**changes)


def with_details(
    own: bytes | None,
    parent_id: str | None,
    root_id: str,
    event_type: str,
    failure: tuple[str, str | None, Mapping[str, Any]] | None,
    receipt: Sequence[Any] | None,
    more: Mapping[str, Any] | None = None,
    stamp: bytes = b"",
) -> bytes | None:
    """Return the metadata `own` with everything that only the reserved key can say.

    failure: status, error text, and details of a call that failed.
    receipt: the receipt of masked and cut values.
    more: whatever else is known, by name.
    stamp: members that are JSON already, as they stand between the braces.
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
    if receipt:
        details.update(receipt_details(receipt))
    if more:
        details.update(more)
    if details:
        reserved = b"%b" % orjson.dumps({RESERVED: details})  # a copy, as in `pieces`
        if stamp:
            reserved = b"%b,%b}}" % (reserved[:-2], stamp)
    elif stamp:
        reserved = b'{"honeytrace":{%b}}' % stamp
    else:
        return own
    return reserved if own is None else merge_objects(own, reserved)


@lru_cache(maxsize=256)
def details_alone(
    parent_id: str | None, root_id: str, event_type: str, stamp: bytes
) -> bytes | None:
    """Return the metadata of a call about which nothing else is to be said.

    The calls of one function inside one parent have the same, so the last ones are remembered.
    """
    return with_details(None, parent_id, root_id, event_type, None, None, None, stamp)
