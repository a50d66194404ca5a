"""`find`, `outline` and `around`: sessions in a list, in a tree, and beside a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...store import Query, Reader
from ..family import StoreFamily
from ..marks import Marker, Marks, kinds_of, run_marks
from ..recorded import RecordedSession
from ..tree import Place
from .budget import Answer, Reply, cut, quoted
from .rows import call_row, marked

__all__ = ["around", "find", "outline"]

_FEW = 3
"""Alike calls that share a row as a range."""
_PAGE = 200
"""Sessions that one `find` looks at when it looks for marks."""

Walked = Sequence[tuple[RecordedSession, Place]]


def find(
    store: Reader, query: Query, asked: str, mark: str | None, offset: int, budget: int
) -> Reply:
    """Answer with sessions that meet the conditions, newest first, from number `offset` on."""
    answer = Answer("find", "the store", budget)
    family = StoreFamily(store)
    wanted = offset + (_PAGE if mark else min(budget // 25 + 1, _PAGE))
    found = store.list(query._replace(limit=wanted))[offset:]
    marks = Marker(store).of(found)
    looked_at = 0
    for record in found:
        kinds = kinds_of(record, marks[record.event_id])
        told = mark is None or mark in kinds
        row = _found(store, family.load(record), kinds) if told else None
        if row is not None and not answer.row(row, must=not answer.rows):
            break
        looked_at += 1
    if mark is not None:
        answer.fact("looked at", f"{looked_at} sessions, of which those marked {mark!r} have rows")
    more = len(found) - looked_at
    if more or offset + len(found) == wanted:
        how = f"find({asked}{', ' if asked else ''}offset={offset + looked_at})"
        answer.left_out("older sessions that match", how)
    if not found:
        answer.fact("nothing", "no session matches: try fewer conditions")
    return answer.done()


def _found(store: Reader, session: RecordedSession, kinds: Sequence[str]) -> dict[str, object]:
    """Return the row of a session; runs come with the marks of their calls."""
    ref = _short(store, session.session_id)
    if session.parent_id is not None:
        row = call_row(session, ref, root=_short(store, session.root_id))
    else:
        row = call_row(session, ref, started=round(session.start_time))
        if commit := session.details.get("commit"):
            row["commit"] = cut(str(commit), 40)
    if kinds:
        row["marks"] = list(kinds)
    return row


def _short(store: Reader, session_id: str, length: int = 18) -> str:
    """Return the beginning of an id that no other has, or the id."""
    head = session_id[:length]
    return head if len(store.find_ids(head, 2)) == 1 else session_id


def outline(store: Reader, session: RecordedSession, offset: int, budget: int) -> Reply:
    """Answer with a run's tree, a row for each call; equal neighbours that went well share a row.

    From the start, the calls that failed or are marked come first, with everything above them,
    then the others from the top down; rows keep the order of the tree. With an offset, the calls
    from that number on are told one after the other.
    """
    ref = session.session_id
    answer = Answer("outline", f"session {ref}", budget)
    walked = list(session.walk())
    marks = run_marks(store, session)
    answer.fact("calls", len(walked))
    answer.fact("refs", f":N is {ref}:N")
    groups = list(_groups(walked, marks))
    order = list(range(len(groups)))
    if offset:
        order = [n for n in order if groups[n][-1] + 1 >= offset]
    else:
        order.sort(key=_weight(walked, marks, groups))
    shown: dict[int, dict[str, object]] = {}
    for number in order:
        row = _group_row(walked, groups[number], marks)
        if not answer.row(row, must=not shown):
            break
        shown[number] = row
    gone = [number for number in sorted(order) if number not in shown]
    if gone:
        left = sum(len(groups[number]) for number in gone)
        how = f"outline({quoted(ref)}, offset={groups[gone[0]][0] + 1})"
        answer.left_out(f"{left:,} calls; refs skip the numbers left out", how)
    return answer.done([shown[number] for number in sorted(shown)])


def _groups(walked: Walked, marks: Marks) -> Iterator[list[int]]:
    """Yield the numbers of the calls that share a row: neighbours of one name and depth that went
    well, hold nothing, and have no mark."""
    group: list[int] = []
    for number, (session, place) in enumerate(walked):
        inner = number + 1 < len(walked) and walked[number + 1][1].depth > place.depth
        plain = session.status == "ok" and not inner and session.session_id not in marks
        if group:
            first, there = walked[group[0]]
            same = (first.session_name, there.depth) == (session.session_name, place.depth)
            if not (plain and same):
                yield group
                group = []
        group.append(number)
        if not plain:
            yield group
            group = []
    if group:
        yield group


def _group_row(walked: Walked, group: Sequence[int], marks: Marks) -> dict[str, object]:
    session, place = walked[group[0]]
    if len(group) < _FEW:
        row = call_row(session, f":{group[0] + 1}", depth=place.depth)
        if len(group) > 1:
            row["and"] = [f":{number + 1}" for number in group[1:]]
        return marked(row, marks.get(session.session_id, ()))
    row = call_row(session, f":{group[0] + 1}", depth=place.depth)
    row["alike"] = f":{group[0] + 1} to :{group[-1] + 1}, {len(group)} calls"
    return row


def _weight(walked: Walked, marks: Marks, groups: Sequence[Sequence[int]]) -> Callable[[int], Any]:
    """Return the sort key of groups: failed and marked calls and those above them first."""
    telling: set[int] = set()
    above: list[int] = []
    for number, (session, place) in enumerate(walked):
        del above[place.depth :]
        if session.status not in ("ok", "running") or session.session_id in marks:
            telling.update((*above, number))
        above.append(number)

    def key(number: int) -> tuple[bool, int, int]:
        first = groups[number][0]
        return first not in telling, walked[first][1].depth, number

    return key


def around(session: RecordedSession, run: RecordedSession, ref: str, budget: int) -> Reply:
    """Answer with the calls above one, and those nearest to it in its run, before and after."""
    answer = Answer("around", f"session {ref}", budget)
    walked = list(run.walk())
    ids = [each.session_id for each, _ in walked]
    here = ids.index(session.session_id) if session.session_id in ids else 0
    above: list[int] = []
    for number, (_, place) in enumerate(walked[: here + 1]):
        del above[place.depth :]
        above.append(number)
    near = [n for step in range(1, len(walked)) for n in (here - step, here + step)]
    order = dict.fromkeys([here, *above[::-1], *(n for n in near if 0 <= n < len(walked))])
    shown: dict[int, dict[str, object]] = {}
    for number in order:
        each, place = walked[number]
        where = "here" if number == here else "above" if number in above else None
        named = {"where": where} if where else {}
        call = f"{run.session_id}:{number + 1}"
        row = call_row(
            each, call if number == here else f":{number + 1}", depth=place.depth, **named
        )
        if not answer.row(row, must=not shown):
            break
        shown[number] = row
    if len(shown) < len(walked):
        left = f"{len(walked) - len(shown):,} calls further away"
        answer.left_out(left, f"outline({quoted(run.session_id)}, offset={here + 1})")
    answer.fact("refs", f":N is {run.session_id}:N")
    return answer.done([shown[number] for number in sorted(shown)])
