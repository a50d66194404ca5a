"""A set of replays on the command line: its choice, its progress and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import HoneytraceError, ReplayError
from ..lookup import StoreFamily
from ..lookup.notebook_replays import pairs, standing_text
from ..lookup.recorded import RecordedSession
from ..lookup.replays import ReplayRow, Replays, Standing
from ..store import Query, Reader
from ._line import Line
from ._target import SHORT, missed, pages
from ._terminal import MARKS, columns, counted, emit, one_line, out, progress, say, table, write

if TYPE_CHECKING:
    from .._replay.sets import ReplaySet

__all__ = ["choose", "plan_set", "run_set", "show_rows"]

_STYLES = {
    "match": ("=", "green"),
    "changed": ("~", "yellow"),
    "failed": MARKS["error"],
    "refused": ("-", "magenta"),
}
_ASKED, _NOTES = 40, 3
"""Characters of the inputs in a row, and notes below the table; all of them are in the JSON."""
_LEFT_OUT = "cost", "tokens", "asked", "duration"
"""Columns that a narrow terminal is not shown, the first of them first."""


def choose(reader: Reader, query: Query) -> list[RecordedSession]:
    """Return the newest sessions that meet the conditions and were not recorded by a replay.

    Raises ReplayError if there are none.
    """
    family, replays = StoreFamily(reader), Replays()
    loaded = (family.load(record) for record in pages(reader, query))
    sessions = list(islice((s for s in loaded if not replays.have(s)), query.limit))
    if not sessions:
        raise ReplayError(missed(reader, "the store", "no session meets these conditions"))
    return sessions


def plan_set(
    sessions: Sequence[RecordedSession], options: Mapping[str, Any], dry_run: bool, as_json: bool
) -> None:
    """Print what will run. dry_run: with the plan of each session."""
    if dry_run:
        for session in sessions:
            _plan(session, options, as_json)
    elif not as_json:
        names = ", ".join(dict.fromkeys(one_line(s.session_name, 40) for s in sessions))
        say(f"{counted(len(sessions), 'call')} of {names} will run in the code that is here now")


def _plan(session: RecordedSession, options: Mapping[str, Any], as_json: bool) -> None:
    from .._replay.call_plan import plan

    try:
        made = plan(session, **options)
        made.check()
    except HoneytraceError as error:
        if as_json:
            emit({"session_id": session.session_id, "problems": [str(error)]})
            return
        say(f"- {session.session_id[:SHORT]}  {session.session_name}: {error}")
    else:
        if as_json:
            emit(made.to_dict())
            return
        answered = ", ".join(f"{name} ({count})" for name, count in made.answered.items())
        say(f"= {session.session_id[:SHORT]}  {session.session_name}: answers {answered or 'none'}")


def run_set(
    sessions: Sequence[RecordedSession],
    options: Mapping[str, Any],
    scores: Sequence[str],
    workers: int,
    as_json: bool,
) -> ReplaySet:
    """Replay the sessions, and print the table of both sides. An interrupt prints what is done."""
    from .._replay.code import named
    from .._replay.sets import replay_all

    scorers = [named(each) for each in scores]
    done: list[ReplayRow] = []
    try:
        with progress("replaying", len(sessions)) as advance:

            def each(row: ReplayRow) -> None:
                done.append(row)
                advance(1)

            found = replay_all(sessions, score=scorers, workers=workers, each=each, **options)
    except KeyboardInterrupt:
        if done and not as_json:
            show_rows(done, {})
            say(f"interrupted after {len(done)} of {len(sessions)}")
        raise
    if as_json:
        emit(found.to_dict())
        return found
    show_rows(found.rows, found.scores)
    _tell(found)
    return found


def show_rows(rows: Sequence[ReplayRow], scores: Mapping[str, Standing]) -> None:
    """Print a table of runs, before and after; why some were refused or failed stands below."""
    heads = ["", "call", "id", "asked", *scores, "duration", "tokens", "cost"]
    cells = [_cells(row, list(scores)) for row in rows]
    for head in ("asked", "tokens", "cost"):
        if not any(each[head].plain for each in cells):
            heads.remove(head)
    if len({row.session_name for row in rows}) == 1:
        heads.remove("call")
    for head in _LEFT_OUT:
        widths = (max(len(h), *(each[h].width for each in cells)) + 2 for h in heads)
        if sum(widths) > out().width and head in heads:
            heads.remove(head)
    found = columns(*heads, right=("duration", "tokens", "cost", *scores))
    for each in cells:
        found.add_row(*(each[head].for_rich() for head in heads))
    table(found)
    for row in rows:
        if row.reason:
            _explain(row, row.reason)
    noted = [(row, note) for row in rows for note in row.notes]
    for row, note in noted[:_NOTES]:
        _explain(row, note)
    if len(noted) > _NOTES:
        write(Line(f"… {len(noted) - _NOTES} more notes (--json shows them)", "dim"))


def _explain(row: ReplayRow, text: str) -> None:
    sign, style = _STYLES.get(row.verdict, ("?", ""))
    first, *more = (one_line(line, 500) for line in text.splitlines())
    write(Line.assemble((f"{sign} ", style), (row.before_id[:SHORT], "cyan"), f"  {first}"))
    for line in more:
        write(f"  {line}")


def _cells(row: ReplayRow, scores: Sequence[str]) -> dict[str, Line]:
    sign, style = _STYLES.get(row.verdict, ("?", ""))
    duration, tokens, cost = pairs(row)
    figures = {"duration": duration, "tokens": tokens, "cost": cost}
    figures |= {name: str(row.scores[name]) if name in row.scores else "" for name in scores}
    return {
        "": Line(f"{sign} {row.verdict}", style),
        "call": Line(one_line(row.session_name, 40), "bold"),
        "id": Line(row.before_id[:SHORT], "cyan"),
        "asked": Line(one_line(row.asked, _ASKED)),
        **{name: Line(text) for name, text in figures.items()},
    }


def _tell(found: ReplaySet) -> None:
    """Print the sums of a set below its table."""
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in found.counts.items())
    lines = [counts, *(standing_text(name, each) for name, each in found.scores.items())]
    for line in lines:
        write(Line(line, "dim"))
    say(f"the set is {found.session_id}; `honeytrace ui` shows it at /replays/{found.session_id}")
