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
    from .._base.primitives import is_plain, joined, plain_tuple

_SPLICED = 1_000
"""Bytes of inputs and outputs that are handed on as they are rather than copied."""

_FIRST, _LAST = float(1 << 40), float(1 << 43)
"""Milliseconds since the epoch, 2004 to 2248. There, a fourth digit tells doubles apart."""
_LONGEST = 1e9
"""Milliseconds, 11 days. Durations are whole nanoseconds, so up to here six digits say them."""
_FOUR, _SIX, _NANO = 10_000, 1_000_000, 1e6
"""Powers of ten with a name: Cython divides by a typed one in C, and by whole ones in integers."""

_MOST = 1_000
"""Names that are remembered: one entry for every function, or for its calls in one parent."""
_session_names: dict[Any, str] = {}
_event_names: dict[Any, str] = {}


def pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return the object under `"session"` in a startSession payload, in pieces where it is long."""
    fields = plain_tuple(record)
    key = fields[5], fields[6], fields[7]
    names = _session_names.get(key)
    if names is None:
        known = {"project": fields[6], "session_name": fields[5], "source": fields[7]}
        names = _kept(_session_names, key, known)
    return _spliced([_head(names, "session_id", fields, fields[11])], fields)


def event_pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """Return a nested record as a CreateEventRequest, in pieces where it is long."""
    fields = plain_tuple(record)
    key = fields[2], fields[3], fields[4], fields[5], fields[6], fields[7]
    names = _event_names.get(key)
    if names is None:
        known = {"project": fields[6], "source": fields[7], "event_name": fields[5]}
        known |= {"event_type": fields[4], "session_id": fields[3], "parent_id": fields[2]}
        names = _kept(_event_names, key, known)
    duration = 0.0 if fields[11] is None else fields[11]
    parts = [_head(names, "event_id", fields, duration)]
    if fields[14] is None:
        parts.append(b',"config":{}')
    if fields[15] is None:
        parts.append(b',"inputs":{}')
    return _spliced(parts, fields)


def _kept(known: dict[Any, str], key: object, names: dict[str, Any]) -> str:
    """Return names as members of an object, each with a comma behind, and remember them."""
    if len(known) >= _MOST:
        known.clear()
    text = orjson.dumps(names).decode()
    text = known[key] = text.removeprefix("{").removesuffix("}") + ","
    return text


def _head(names: str, id_name: str, fields: tuple[Any, ...], duration: Any) -> bytes:
    """Return the beginning of a body: names, ids and times, in digits that are read as the same."""
    id_, start, end = fields[0], fields[9], fields[10]
    if type(duration) is float and type(start) is float and type(end) is int and is_plain(id_):
        began: float = start
        lasted: float = duration
        if _FIRST <= began < _LAST and 0.0 <= lasted < _LONGEST and 0 <= end < 1 << 62:
            whole = int(began)
            part = int((began - whole) * _FOUR + 0.5)
            nanos = int(lasted * _NANO + 0.5)
            ended: int = end
            if nanos / _NANO == lasted and part < _FOUR:
                return (
                    f'{{{names}"{id_name}":"{id_}","start_time":{whole}.{part:04d}'
                    f',"duration":{nanos // _SIX}.{nanos % _SIX:06d},"end_time":{ended}'
                ).encode()
    values = {id_name: id_, "start_time": start, "duration": duration, "end_time": end}
    known = {name: value for name, value in values.items() if value is not None}
    rest = orjson.dumps(known).decode().removeprefix("{").removesuffix("}")
    return f"{{{names}{rest}".encode()


def _spliced(parts: list[bytes], fields: tuple[Any, ...]) -> bytes | tuple[bytes, ...]:
    """Return `parts` and what both layouts share; long encoded parts are not copied."""
    if fields[12] is not None:
        _add(parts, b',"error":', orjson.dumps(fields[12]))
    _add(parts, b',"children_ids":', fields[13])
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
