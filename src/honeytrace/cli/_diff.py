"""`diff` compares two runs: structure, inputs, outputs and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from .._display.text import duration_text
from ..errors import SessionNotFound
from ..lookup import StoreFamily
from ..lookup.compare import Change, Comparison, Pair, compare
from ..lookup.recorded import RecordedSession
from ..lookup.view import SessionView
from ..store import Query, Reader
from . import _options
from ._line import Line, cells
from ._target import config, find, known, offered
from ._terminal import MARKS, clock, emit, one_line, write
from ._timeline import fitted, labels
from ._values import json_text

_SIGNS = {"same": (" ", ""), "changed": ("~", "yellow"), "added": ("+", "green")}
_SIGNS["removed"] = ("-", "red")

_CHANGES = 8
"""Changes of one call that are shown without --full."""

_SHORT = 24
"""Characters of two values that stand on one line."""

_VALUE, _BEFORE = 200, 24
"""Characters of a changed value, and how many of them stand before the first difference."""


@click.command()
@click.argument("before", metavar="[BEFORE]", default="", shell_complete=offered)
@click.argument("after", metavar="[AFTER]", default="@last", shell_complete=offered)
@click.option("--full", is_flag=True, help="Show what stayed the same, and whole values.")
@_options.budget
@_options.store
@_options.as_json
def diff(
    before: str, after: str, full: bool, budget: int | None, store: str | None, as_json: bool
) -> None:
    """Compare two runs, by default the last one and the one of the same name before it.

    ~ changed, + only in AFTER, - only in BEFORE. Beside each call stand both durations.
    """
    with known(store, before, after) as reader:
        settings = config(store)
        later = find(reader, after, settings)
        earlier = find(reader, before, settings) if before else _before(reader, later)
        pair = earlier, later
        if as_json and budget:
            from ._evidence import told

            ids = {"before": earlier.session_id, "after": later.session_id}
            told(store, budget, "compare", ids)
            return
        found = compare(*pair)
    if as_json:
        emit(found.to_dict())
        return
    show_difference(*pair, found, full)


def show_difference(before: SessionView, after: SessionView, found: Comparison, full: bool) -> None:
    """Print a comparison: the runs, the counts, and every call in which something changed."""
    for sign, session in (("-", before), ("+", after)):
        write(_head(sign, session))
    counts = found.counts
    write(Line(", ".join(f"{counts[kind]:,} {kind}" for kind in counts), "dim"))
    write()
    names = list(labels([(_either(each), each.place) for each in found.pairs]))
    shown = [full or show for show in _telling(found.pairs)]
    width = max(cells("".join(name)) for name, show in zip(names, shown, strict=True) if show)
    for each, name, show in zip(found.pairs, names, shown, strict=True):
        if show:
            write(_line(each, name, width), fit=not full)
            for line in _changes(each, full):
                write(line, fit=not full)


def _before(reader: Reader, later: RecordedSession) -> RecordedSession:
    """Return the newest run of the same name before this one; raises SessionNotFound."""
    query = Query(
        session_name=later.session_name,
        before=(later.start_time, later.session_id),
        roots_only=later.parent_id is None,
        limit=1,
    )
    for record in reader.list(query):
        return StoreFamily(reader).load(record)
    raise SessionNotFound(
        f"no earlier run is called {one_line(later.session_name, 60)!r}: name one to compare with"
    )


def _head(sign: str, session: SessionView) -> Line:
    mark, style = MARKS.get(session.status, MARKS[""])
    return Line.assemble(
        (f"{sign} ", _SIGNS["removed" if sign == "-" else "added"][1]),
        (one_line(session.session_id, 60), "cyan"),
        (f"  {clock(session.start_time)}", "dim"),
        f"  {duration_text(session.duration)}",
        (f"  {mark}", style),
        (f"  {one_line(session.session_name, 60)}", "bold"),
    )


def _either(pair: Pair) -> SessionView:
    session = pair.after or pair.before
    assert session is not None
    return session


def _telling(pairs: Sequence[Pair]) -> list[bool]:
    """Of each pair: whether anything changed in it or below it, or it is the first."""
    telling = [True] + [pair.status != "same" for pair in pairs[1:]]
    deep = 0
    for at in reversed(range(len(pairs))):  # a parent stands before its children
        depth = pairs[at].place.depth
        telling[at] = telling[at] or deep > depth
        deep = depth if telling[at] else min(deep, depth)
    return telling


def _line(pair: Pair, name: tuple[str, str], width: int) -> Line:
    sign, style = _SIGNS[pair.status]
    took = [duration_text(each.duration) if each else "" for each in (pair.before, pair.after)]
    middle = "→" if all(took) else " "
    return Line.assemble(
        (f"{sign} ", style),
        *fitted(name, width, style),
        f"  {took[0]:>12} {middle} {took[1]}".rstrip(),
    )


def _changes(pair: Pair, full: bool) -> Iterator[Line]:
    indent = " " * (3 * min(pair.place.depth, 16) + 4)
    shown = pair.changes if full else pair.changes[:_CHANGES]
    gone, new = _SIGNS["removed"][1], _SIGNS["added"][1]
    for change in shown:
        path = Line.assemble(indent, (one_line(change.path), "cyan"))
        sides = dict(_sides(change, full))
        if len(sides) == 2 and max(map(len, sides.values())) <= _SHORT:
            yield path.append("  ").append(sides["-"], gone).append(" → ").append(sides["+"], new)
            continue
        yield path
        for sign, value in sides.items():
            yield Line(f"{indent}  {sign} {value}", gone if sign == "-" else new)
    if len(pair.changes) > len(shown):
        yield Line(f"{indent}… {len(pair.changes) - len(shown)} more changes (--full)", "dim")


def _sides(change: Change, full: bool) -> Iterator[tuple[str, str]]:
    """The two values on a line each, from a little before where they begin to differ."""
    before, after = _text(change.before), _text(change.after)
    start = 0
    if change.kind == "changed" and not full:
        start = max(_common(before, after) - _BEFORE, 0)
    limit = max(len(before), len(after)) if full else _VALUE
    for sign, text, absent in (("-", before, "added"), ("+", after, "removed")):
        if change.kind != absent:
            yield sign, ("…" if start else "") + one_line(text[start:], limit)


def _common(one: str, other: str) -> int:
    """Return the length of the common beginning, found by halving: values may have megabytes."""
    alike, most = 0, min(len(one), len(other))
    while alike < most:
        middle = (alike + most + 1) // 2
        if one[:middle] == other[:middle]:
            alike = middle
        else:
            most = middle - 1
    return alike


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)
