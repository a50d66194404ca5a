# cython: cdivision=True
"""The bodies of a record on the wire, spliced from its encoded parts.

Every call is delivered as one of these. The names that calls have in common are encoded once, and
dates of the usual kind are written digit by digit: each body by orjson takes twice as long.

Source: HoneyHive OpenAPI 1.0.21, SessionStartRequest and CreateEventRequest: `error` is absent
rather than null, `end_time` is an integer, the objects are never null, an event has a config and
inputs.
"""

from __future__ import annotations

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.lazy import orjson
from .record import Record

if not cython.compiled:  # otherwise body.pxd has them in C
    from .._base.primitives import is_plain, joined, plain_tuple, times

_SPLICED = 1_000
"""Bytes of inputs and outputs that are handed on as they are rather than copied."""

_FIRST, _LAST = float(1 << 40), float(1 << 43)
"""Milliseconds since the epoch, 2004 to 2248. There, a fourth digit tells doubles apart."""
_LONGEST = 1e9
"""Milliseconds, 11 days. Durations are whole nanoseconds, so up to here six digits say them."""
_FOUR, _NANO = 10_000, 1e6
"""Powers of ten with a name: Cython divides by a typed one in C, and by whole ones in integers."""

_MOST = 1_000
"""Names that are remembered: one entry for every function, or for its calls in one parent."""
_session_names: dict[Any, bytes] = {}
_event_names: dict[Any, bytes] = {}
_last_session: tuple[Any, ...] = (None,) * 4
_last_event: tuple[Any, ...] = (None,) * 7
"""The names in the last body, and how it began. The calls of one batch mostly share the very texts,
which are then not even hashed."""


def pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return the object under `"session"` in a startSession payload, in pieces where it is long."""
    global _last_session
    fields, last = plain_tuple(record), _last_session
    if fields[5] is last[0] and fields[6] is last[1] and fields[7] is last[2]:
        names = last[3]
    else:
        key = fields[5], fields[6], fields[7]
        names = _session_names.get(key)
        if names is None:
            known = {"project": fields[6], "session_name": fields[5], "source": fields[7]}
            names = _kept(_session_names, key, known, b'"session_id":"')
        _last_session = fields[5], fields[6], fields[7], names
    return _spliced(names, _own(fields, fields[11]), b',"children_ids":', fields)


def event_pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return a nested record as a CreateEventRequest, in pieces where it is long."""
    global _last_event
    fields, last = plain_tuple(record), _last_event
    if (
        fields[2] is last[0]
        and fields[3] is last[1]
        and fields[4] is last[2]
        and fields[5] is last[3]
        and fields[6] is last[4]
        and fields[7] is last[5]
    ):
        names = last[6]
    else:
        key = fields[2], fields[3], fields[4], fields[5], fields[6], fields[7]
        names = _event_names.get(key)
        if names is None:
            known = {"project": fields[6], "source": fields[7], "event_name": fields[5]}
            known |= {"event_type": fields[4], "session_id": fields[3], "parent_id": fields[2]}
            names = _kept(_event_names, key, known, b'"event_id":"')
        _last_event = fields[2], fields[3], fields[4], fields[5], fields[6], fields[7], names
    lead = b',"config":{},"children_ids":' if fields[14] is None else b',"children_ids":'
    if fields[15] is None:
        lead = b',"inputs":{}' + lead
    return _spliced(names, _own(fields, 0.0 if fields[11] is None else fields[11]), lead, fields)


def _kept(known: dict[Any, bytes], key: object, names: dict[str, Any], last: bytes) -> bytes:
    """Return names as the beginning of an object, up to the id in it, and remember them."""
    if len(known) >= _MOST:
        known.clear()
    text = known[key] = orjson.dumps(names).removesuffix(b"}") + b"," + last
    return text


def _own(fields: tuple[Any, ...], duration: Any) -> bytes:
    """Return an id without its first quote, and the times, in digits that are read as the same."""
    id_, start, end = fields[0], fields[9], fields[10]
    if type(duration) is float and type(start) is float and type(end) is int and is_plain(id_):
        began: float = start
        lasted: float = duration
        if _FIRST <= began < _LAST and 0.0 <= lasted < _LONGEST and 0 <= end < 1 << 62:
            whole = int(began)
            part = int((began - whole) * _FOUR + 0.5)
            nanos = int(lasted * _NANO + 0.5)
            if nanos / _NANO == lasted and part < _FOUR:
                return times(id_, whole, part, nanos, end)
    known = {"start_time": start, "duration": duration, "end_time": end}
    numbers = orjson.dumps({name: value for name, value in known.items() if value is not None})
    comma = b"," if len(numbers) > len(b"{}") else b""
    return orjson.dumps(id_)[1:] + comma + numbers[1 : len(numbers) - 1]


def _spliced(
    names: bytes, own: bytes, lead: bytes, fields: tuple[Any, ...]
) -> bytes | tuple[bytes, ...]:
    """Return a body that begins with these; long encoded parts are not copied."""
    inputs, outputs, metadata = fields[15], fields[16], fields[19]
    rare = (
        fields[12] is not None
        or fields[14] is not None
        or fields[17] is not None
        or fields[18] is not None
        or fields[20] is not None
    )
    if rare or inputs is None or outputs is None or metadata is None:
        return _spliced_with(names, own, lead, fields)
    if len(inputs) > _SPLICED or len(outputs) > _SPLICED:
        return _spliced_with(names, own, lead, fields)
    return joined(
        [
            names,
            own,
            lead,
            fields[13],
            b',"metadata":',
            metadata,
            b',"inputs":',
            inputs,
            b',"outputs":',
            outputs,
            b"}",
        ]
    )


def _spliced_with(
    names: bytes, own: bytes, lead: bytes, fields: tuple[Any, ...]
) -> bytes | tuple[bytes, ...]:
    """Return the body of any record."""
    parts = [names, own, lead, fields[13]]
    if fields[12] is not None:
        _add(parts, b',"error":', orjson.dumps(fields[12]))
    _add(parts, b',"config":', fields[14])
    _add(parts, b',"metadata":', fields[19])
    _add(parts, b',"metrics":', fields[17])
    _add(parts, b',"feedback":', fields[18])
    _add(parts, b',"user_properties":', fields[20])
    inputs, outputs = fields[15], fields[16]
    large: list[bytes] = []
    if inputs is not None:
        _add(parts if len(inputs) <= _SPLICED else large, b',"inputs":', inputs)
    if outputs is not None:
        _add(parts if len(outputs) <= _SPLICED else large, b',"outputs":', outputs)
    if large:
        return (joined(parts), *large, b"}")
    parts.append(b"}")
    return joined(parts)


def _add(parts: list[bytes], name: bytes, data: bytes | None) -> None:
    if data is not None:
        parts.append(name)
        parts.append(data)
