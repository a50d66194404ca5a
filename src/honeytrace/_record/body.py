"""The bodies of a record on the wire, spliced from its encoded parts.

Beside it stands `body.pyx`, the same in C.
"""

from __future__ import annotations

from typing import Any

from .._base.lazy import orjson
from .head import event_head, session_head
from .record import Record

_SPLICED = 1_000
"""Bytes of inputs and outputs that are handed on as they are rather than copied."""


def pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return the object under `"session"` in a startSession payload, in pieces where it is long.

    Source: HoneyHive OpenAPI 1.0.21, SessionStartRequest: `error` is absent rather than null,
    `end_time` is an integer, the objects are never null.
    """
    return _spliced(session_head(record), record)


def event_pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return a nested record as a CreateEventRequest, which requires a config and inputs."""
    return _spliced(event_head(record), record)


def _spliced(head: dict[str, Any], record: Record) -> bytes | tuple[bytes, ...]:
    """Return `head` with the fields that both layouts share; long encoded parts are not copied."""
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
