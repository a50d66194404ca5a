"""`read`: one session, or one value of it, within a budget."""

from __future__ import annotations

from typing import Any

from ..family import StoreFamily
from ..recorded import RecordedSession
from .budget import Answer, Reply, cut, quoted, tokens
from .paths import FIELDS, at, joined, shape

__all__ = ["read_field", "read_session"]

_TOLD = frozenset(
    ("code", "commit", "event_type", "masked", "parent_id", "root_id", "status", "traceback")
)
_WHOLE = 0.7
"""Share of the free room that one whole field of a session may take."""


def read_session(session: RecordedSession, ref: str, budget: int) -> Reply:
    """Answer with a session's facts and fields: short ones whole, long ones by their shape."""
    answer = Answer("read", f"session {ref}", budget)
    for name, value in _facts(session).items():
        if value not in (None, "", [], {}):
            answer.fact(name, value)
    for field in FIELDS:
        value = getattr(session, field)
        if field == "details":  # facts above tell the others
            value = {name: each for name, each in value.items() if name not in _TOLD}
        if not value:
            continue
        whole = {"path": joined(ref, field), "value": value}
        if tokens(quoted(whole)[: 8 * budget]) <= _WHOLE * answer.room and answer.row(whole):
            continue
        parts = [value] if isinstance(value, str) else list(shape(ref, [field], value))
        if isinstance(value, str):
            parts = [{"path": joined(ref, field), "kind": "text", "begins": cut(value, 100)}]
        left = [part for part in parts if not answer.row(part)]
        how = f"read({quoted(joined(ref, field))})"
        answer.left_out(
            f"{len(left)} parts of {field}" if left else f"most of {field}",
            how if left else "read the paths above",
        )
    return answer.done()


def _facts(session: RecordedSession) -> dict[str, Any]:
    details = session.details
    return {
        "id": session.session_id,
        "name": cut(session.session_name, 80),
        "type": session.event_type,
        "status": session.status,
        "started": session.start_time,
        "ms": session.duration,
        "parent": session.parent_id,
        "root": session.root_id if session.root_id != session.session_id else None,
        "calls_inside": _calls_inside(session),
        "commit": details.get("commit"),
        "code": details.get("code"),
        "masked": [cut(str(path), 60) for path in details.get("masked", ())[:20]],
    }


def _calls_inside(session: RecordedSession) -> int:
    """Return the number of calls directly inside, also of those that the session does not name:
    a process that died has named only the calls that were open."""
    named = set(session.children_ids)
    if isinstance(session._family, StoreFamily):
        tree = session._family.outline(session)
        named.update(each.session_id for each in tree if each.parent_id == session.session_id)
    return len(named)


def read_field(
    session: RecordedSession, ref: str, keys: list[str], offset: int, budget: int
) -> Reply:
    """Answer with the value at a path: whole, or from `offset` on as far as the budget goes.

    The offset counts characters of a text, and parts of an object or list.
    """
    value = at(session, keys)
    path = joined(ref, *keys)
    answer = Answer("read", f"session {path}", budget)
    if isinstance(value, str):
        _text(answer, value, path, offset)
    elif not offset and answer.row(value):
        pass
    elif isinstance(value, (dict, list)):
        _parts(answer, value, ref, keys, offset)
    else:
        answer.left_out("the value", "a larger budget")
    return answer.done()


def _text(answer: Answer, text: str, path: str, offset: int) -> None:
    rest = text[offset:]
    answer.fact("characters", len(text))
    answer.fact("offset", offset)
    fits, beyond = 0, min(len(rest), 10 * answer.room) + 1
    while fits + 1 < beyond:  # the longest beginning that fits
        middle = (fits + beyond) // 2
        if tokens(quoted(rest[:middle])) + 1 <= answer.room:
            fits = middle
        else:
            beyond = middle
    answer.row(rest[:fits])
    if fits < len(rest):
        left = len(rest) - fits
        answer.left_out(
            f"{left:,} more characters", f"read({quoted(path)}, offset={offset + fits})"
        )


def _parts(answer: Answer, value: Any, ref: str, keys: list[str], offset: int) -> None:
    rows = list(shape(ref, keys, value))
    answer.fact("parts", len(rows))
    for number, row in enumerate(rows[offset:], start=offset):
        if not answer.row(row, must=number == offset):
            # a path that is longer than the budget is passed over, so that reading goes on
            after = max(number, offset + 1)
            how = f"read({quoted(joined(ref, *keys))}, offset={after})"
            answer.left_out(f"{len(rows) - number:,} more parts", how)
            return
