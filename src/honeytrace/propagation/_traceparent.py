"""W3C Trace Context: `traceparent`, and honeytrace's entry in `tracestate`.

Source: https://www.w3.org/TR/trace-context-2/. A span id has 64 bits, which do not name a session,
so the entry `ht` carries the caller's whole id, and its root's where the trace id does not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from .._record.span_ids import event_id

VENDOR = "ht"
"""The key of honeytrace's entry."""

_MEMBERS, _CHARACTERS = 32, 512
"""The most entries of `tracestate` that are handed on, and their length together."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.A)
_HEX = re.compile(r"[0-9a-f]{32}", re.A)
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256}", re.A)
_VALUE = 256


class Trace(NamedTuple):
    """A valid `traceparent`. Ids are lower-case hex."""

    trace_id: str
    span_id: str
    sampled: bool


def parse(traceparent: str) -> Trace | None:
    """The parts of a `traceparent`; None for one that is not valid, as the standard asks."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, bool(int(flags, 16) & 1))


def trace_ids(session_id: str, root_id: str) -> tuple[str, str]:
    """The trace id and the span id of a session: its root's 128 bits and its own lower 64."""
    return _hex(root_id), _hex(session_id)[16:]


def entry(session_id: str, root_id: str, trace_id: str) -> str | None:
    """The value of `ht` for a caller; None for ids too long for it."""
    value = _short(session_id)
    if _short(root_id) != trace_id:
        value = f"{value}:{_short(root_id)}"
    return value if len(value) <= _VALUE else None


def caller(value: str | None, trace_id: str) -> tuple[str, str] | None:
    """The ids of the calling session and its root, from the value of `ht`."""
    if not value or len(value) > _VALUE:
        return None
    own, _, root = value.partition(":")
    session_id = _long(own)
    root_id = _long(root) if root else _dashed(trace_id)
    return (session_id, root_id) if session_id and root_id else None


def vendors(tracestate: str) -> tuple[str | None, str]:
    """The value of `ht` in a `tracestate`, and the other entries, as far as they are valid."""
    ours, others = None, []
    for member in tracestate.split(","):
        member = member.strip()
        if not _MEMBER.fullmatch(member):
            continue
        key, _, value = member.partition("=")
        if key == VENDOR:
            ours = value
        else:
            others.append(member)
    return ours, ",".join(others)


def tracestate(ours: str | None, others: str) -> str:
    """A `tracestate` with honeytrace's entry first; entries beyond the limits are left out."""
    members = [f"{VENDOR}={ours}"] if ours else []
    size = len(members[0]) if members else 0
    for member in others.split(",") if others else ():
        size += len(member) + 1
        if len(members) >= _MEMBERS or size > _CHARACTERS:
            break
        members.append(member)
    return ",".join(members)


def _hex(session_id: str) -> str:
    """A session id as 128 bits in hex; one that is no UUID by its hash. Never all zeros."""
    short = _short(session_id)
    if short.startswith("!") or not short[16:].strip("0"):
        return event_id(session_id, "").replace("-", "")
    return short


@lru_cache(maxsize=256)  # each header needs the root's, and its own session's twice
def _short(session_id: str) -> str:
    """A UUID as 32 hex digits; any other id quoted, behind a mark."""
    plain = session_id.replace("-", "")
    if len(session_id) == 36 and _HEX.fullmatch(plain):
        return plain
    return "!" + quote(session_id, safe="")


def _long(short: str) -> str | None:
    if short.startswith("!"):
        return unquote(short[1:]) or None
    return _dashed(short) if _HEX.fullmatch(short) else None


def _dashed(short: str) -> str:
    return f"{short[:8]}-{short[8:12]}-{short[12:16]}-{short[16:20]}-{short[20:]}"
