"""`compare`: what differs between two runs, within a budget."""

from __future__ import annotations

from typing import Any

from ..compare import Change, Pair, compare
from ..recorded import RecordedSession
from .budget import Answer, Reply, cut, quoted

__all__ = ["compare_runs"]

_VALUE = 160
"""Characters of a value that differs."""


def compare_runs(
    before: RecordedSession, after: RecordedSession, refs: tuple[str, str], offset: int, budget: int
) -> Reply:
    """Answer with the calls that were added, removed or changed, and each value that differs.

    The offset counts rows, in the order of the tree.
    """
    answer = Answer("compare", f"sessions {refs[0]} and {refs[1]}", budget)
    told = compare(before, after)
    answer.fact("calls", told.counts)
    for name in ("commit", "versions"):
        ours = [each.details.get(name) for each in (before, after)]
        if ours[0] != ours[1]:
            answer.fact(name, [_short(each) for each in ours])
    rows = [row for pair in told.pairs for row in _rows(pair)]
    for number, row in enumerate(rows[offset:], start=offset):
        if not answer.row(row, must=number == offset):
            how = f"compare({quoted(refs[0])}, {quoted(refs[1])}, offset={max(number, offset + 1)})"
            answer.left_out(f"{len(rows) - number:,} more differences", how)
            break
    if not rows:
        answer.fact("nothing", "the two runs are the same but for their times")
    return answer.done()


def _rows(pair: Pair) -> list[dict[str, Any]]:
    if pair.status == "same":
        return []
    there = {"call": cut(pair.session_name, 60), "depth": pair.place.depth}
    ids = {
        side: session.session_id
        for side, session in (("before", pair.before), ("after", pair.after))
        if session is not None
    }
    if pair.status != "changed":
        return [{**there, "is": pair.status, **ids}]
    return [{**there, **(ids if not n else {}), **_change(c)} for n, c in enumerate(pair.changes)]


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": cut(change.path, 120),
        "is": change.kind,
        "old": _short(change.before),
        "new": _short(change.after),
    }


def _short(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return cut(value if isinstance(value, str) else quoted(value), _VALUE)
