"""Folding updates: many updates of one session become one that has the same effect."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .._base.lazy import orjson
from .merge import merge_details, merge_ids
from .record import MERGED, RESERVED, Item, Update

__all__ = ["fold_runs", "fold_updates"]


def fold_updates(updates: Sequence[Update]) -> Update:
    """Return one update with the effect of these, which are of one session, applied in order.

    Each mapping is parsed once. Applying the updates one after the other would parse the growing
    result every time: 20,000 updates with new keys took half a minute.
    """
    if len(updates) == 1:
        return updates[0]
    fields: dict[str, bytes] = {}
    mappings: dict[str, dict[str, Any]] = {}
    fails = False
    for update in updates:
        for name, data in update.fields.items():
            # to the end, for `session_name` and `event_name` are one field, and the later one wins
            before = fields.pop(name, b"[]")
            if name in MERGED:
                _merge_into(mappings.setdefault(name, {}), orjson.loads(data))
                fields[name] = b""
            elif name == "children_ids":
                fields[name] = merge_ids(before, data)
            else:
                fields[name] = data
        # `apply` makes an error the status too, unless the same update has a status
        if "status" in update.fields:
            fails = False
        elif orjson.loads(update.fields.get("error", b"null")):
            fails = True
            fields.pop("status", None)
    if fails and not orjson.loads(fields["error"]):
        fields["status"] = b'"error"'
    for name, mapping in mappings.items():
        fields[name] = orjson.dumps(mapping)
    return Update(updates[0].event_id, fields)


def fold_runs(items: Sequence[Item]) -> list[Item]:
    """Return the items of one session with each run of updates folded into one."""
    folded: list[Item] = []
    for is_update, run in groupby(items, key=lambda item: isinstance(item, Update)):
        some = list(run)
        folded += [fold_updates(some)] if is_update else some  # type: ignore[arg-type]
    return folded


def _merge_into(merged: dict[str, Any], new: dict[str, Any]) -> None:
    """Merge as `merge_objects` does."""
    for key, value in new.items():
        known = merged.get(key)
        if key == RESERVED and isinstance(known, dict) and isinstance(value, dict):
            merge_details(known, value)
        else:
            merged[key] = value
