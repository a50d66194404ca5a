"""A tree of calls, a line each: number, name, duration, and when it ran as a bar."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._display.text import duration_text
from ..lookup import StoreFamily
from ..lookup.recorded import RecordedSession
from ..lookup.tree import Place, walk
from ._line import Line, cells, padded
from ._terminal import MARKS, one_line, out

if TYPE_CHECKING:
    from ..lookup.view import SessionView
    from ..store import Outline

    Call = SessionView | Outline

__all__ = ["fitted", "labels", "nodes", "timeline"]

_ROWS = 200
"""Rows that are drawn unless all are asked for."""

_DEEP = 16
"""Levels that are indented; deeper calls show their level as a number."""

_PIPED_BAR = 40
_DURATION = 10


def nodes(session: RecordedSession) -> list[tuple[Call, Place]]:
    """Return the session and its descendants with their places, without payloads if possible."""
    family = session._family
    if isinstance(family, StoreFamily):
        return list(walk(session, family.outline(session)))
    return list(session.walk())


def timeline(
    session: RecordedSession,
    found: Sequence[tuple[Call, Place]],
    full: bool,
    recorded: Container[str] = (),
) -> Iterator[Line]:
    """The lines of the picture; its time runs from the session's start to the last end in it.

    recorded: the ids of calls that a replay answered from its recording.
    """
    shown = found if full else found[:_ROWS]
    ends = [call.start_time + (call.duration or 0) for call, _ in found]
    start, span = session.start_time, max(ends) - session.start_time
    number = len(str(len(shown)))
    name, bar = _widths(shown, number, recorded)
    names = labels(shown, recorded)
    for row, (label, (call, _)) in enumerate(zip(names, shown, strict=True), start=1):
        mark, style = MARKS.get(call.status, MARKS[""])
        if call.status == "ok":
            style = "cyan"
        yield Line.assemble(
            (f"{row:>{number}} ", "dim"),
            *fitted(label, name, "" if call.status == "ok" else style),
            (f" {mark if call.status != 'ok' else ' '}", style),
            f"{duration_text(call.duration):>{_DURATION}}  ",
            *_bar(call, start, span, bar, style),
        )
    if len(found) > len(shown):
        yield Line(f"… {len(found) - len(shown):,} more calls (--full shows them)", "dim")


Label = tuple[str, str]
"""The branches that lead to a call, and its name."""


def fitted(label: Label, width: int, style: str) -> Iterator[tuple[str, str]]:
    """A label in so many columns, as styled text."""
    branch, name = label
    if cells(branch + name) > width:
        branch = branch[: max(width - 4, 0)]
        name = padded(name, max(width - cells(branch) - 1, 0)) + "…"
    yield branch, "dim"
    yield padded(name, width - cells(branch)), style


def labels(found: Iterable[tuple[Call, Place]], recorded: Container[str] = ()) -> Iterator[Label]:
    """Every call's name and the branches that lead to it."""
    indents = [""]
    for call, place in found:
        del indents[max(place.depth, 1) :]
        indent = indents[-1]
        name = one_line(call.session_name, 60)
        if call.session_id in recorded:
            name += " (recorded)"
        if place.depth == 0:
            yield "", name
        elif place.depth > _DEEP:
            yield f"{indent}… ", f"{name} (level {place.depth})"
        else:
            yield indent + ("└─ " if place.last else "├─ "), name
        if place.depth:
            indents.append((indent + ("   " if place.last else "│  "))[: _DEEP * 3])


def _widths(
    shown: Sequence[tuple[Call, Place]], number: int, recorded: Container[str]
) -> tuple[int, int]:
    """Columns for the names and for the bars."""
    names = labels(shown, recorded)
    console, widest = out(), max(cells(branch + name) for branch, name in names)
    if not console.is_terminal:
        return widest, _PIPED_BAR
    free = max(console.width - number - _DURATION - 6, 20)
    name = min(widest, max(free * 3 // 5, 12))
    return name, min(free - name, 100)


def _bar(
    call: Call, start: float, span: float, width: int, style: str
) -> Iterator[tuple[str, str]]:
    """The time of a call, in halves of a column, as `    ╺━━━╸`."""
    halves = 2 * width
    share = halves / span if span > 0 else 0
    first = min(max(int((call.start_time - start) * share), 0), halves - 1)
    length = halves if call.duration is None or not share else round(call.duration * share)
    last = min(max(first + length, first + 1), halves)
    yield " " * (first // 2), ""
    drawn = ("╺" if first % 2 else "") + "━" * (last // 2 - (first + 1) // 2)
    yield drawn + ("╸" if last % 2 else ""), style
