"""Calls that another process made, which a replay does not answer.

A record names no process, but its id ends in a counter that every process starts at a random
number of 62 bits.
"""

from __future__ import annotations

import re
from collections import Counter

from ..lookup.recorded import RecordedSession

_OURS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-([89ab][0-9a-f]{3})-([0-9a-f]{12})")
_COUNTER = (1 << 62) - 1
_NEAR = 1 << 44
"""More calls than a process makes; two processes start closer once in 100,000 times."""


def calls_elsewhere(root: RecordedSession) -> dict[str, int]:
    """Return the names of functions that another process called inside a session, with counts."""
    here = _counter(root.session_id)
    if here is None:
        return {}
    found: Counter[str] = Counter()
    for session, _ in root.walk():
        there = _counter(session.session_id)
        if there is None or "code" not in session.details:
            continue  # a chosen id, or another tracer's
        apart = (there - here) & _COUNTER
        if min(apart, _COUNTER + 1 - apart) > _NEAR:
            found[session.session_name] += 1
    return dict(found)


def _counter(session_id: str) -> int | None:
    found = _OURS.fullmatch(session_id)
    return None if found is None else int(found[1] + found[2], 16) & _COUNTER
