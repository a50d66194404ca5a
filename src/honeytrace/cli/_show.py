"""`show` prints a session: its tree on a timeline, its inputs and its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from .._display.text import duration_text
from .._record.tokens import ANSWERED_FROM
from ..lookup.recorded import RecordedSession
from ..lookup.replays import is_set, standings, stored_rows
from ..lookup.usage import UNKNOWN_MODEL
from ..store import Reader
from . import _options
from ._line import Line
from ._target import config, find, known, offered
from ._terminal import MARKS, clock, emit, one_line, out, write
from ._timeline import nodes, timeline
from ._usage import usage_text
from ._values import FULL, USUAL, Bounds, block, title, values

_ID = 36
"""Characters of an id that honeytrace made."""

_LOOKED_AT = 1_000
"""Calls of a tree beyond which nothing unusual or answered by a replay is looked for."""

_FIELDS = ("inputs", "outputs", "metrics", "feedback", "user_properties", "config", "metadata")


@click.command()
@click.argument("wanted", metavar="[ID]", default="@last", shell_complete=offered)
@click.option("--full", is_flag=True, help="Show whole values and the whole tree.")
@click.option("--web", is_flag=True, help="Open it in the viewer instead.")
@click.option("--html", metavar="FILE", help="Write it as one HTML file that can be shared.")
@_options.budget
@_options.store
@_options.as_json
def show(
    wanted: str,
    full: bool,
    web: bool,
    html: str | None,
    budget: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Show a session: its tree on a timeline, its error, its inputs and outputs.

    ID:N is the call with the number N in the tree of ID.
    """
    with known(store, wanted) as reader:
        session = find(reader, wanted, config(store))
        if as_json and budget:
            from ._evidence import told

            # a run by its tree, a call inside it by its values
            verb, name = ("read", "path") if session.parent_id else ("outline", "ref")
            told(store, budget, verb, {name: session.session_id})
            return
        if web:
            from ._serve import open_viewer, session_page

            open_viewer(store, session_page(session.session_id))
            return
        if html is not None:
            from ..lookup.page import session_page as page
            from ._page import save

            save(html, page(session))
            return
        if as_json:
            emit(_document(session))
            return
        _head(session)
        found = nodes(session)
        if len(found) > 1:
            write()
            for line in timeline(session, found, full, _recorded(session, found)):
                write(line)
            _unusual(reader, session, found)
        if is_set(session):
            from ._replay_set import show_rows

            rows = stored_rows(reader, session.session_id, _LOOKED_AT)
            title("replays")
            show_rows(rows, standings(rows))
        _payload(session, FULL if full else USUAL)


def _recorded(session: RecordedSession, found: Sequence[Any]) -> frozenset[str]:
    """Return the ids of the calls in the tree that a replay answered."""
    if len(found) > _LOOKED_AT:
        return frozenset()
    return frozenset(each.session_id for each, _ in session.walk() if ANSWERED_FROM in each.details)


def _unusual(reader: Reader, session: RecordedSession, found: Sequence[Any]) -> None:
    """Print the marks of calls in the tree, each with the call's number."""
    if len(found) > _LOOKED_AT:
        return
    from ..lookup.marks import run_marks

    marks = run_marks(reader, session)
    if marks:
        title("unusual")
    for number, (call, _) in enumerate(found, start=1):
        for mark in marks.get(call.session_id, ()):
            name = one_line(call.session_name, 60)
            line = Line.assemble((f"  {number} ", "dim"), (name, "bold"), f"  {mark.kind}: ")
            write(line.append(one_line(mark.text, 120), "yellow"), fit=True)


def as_object(session: RecordedSession) -> dict[str, Any]:
    """The session as `_target.session_json` has it."""
    apart = ("status", "parent_id", "root_id", "event_type")
    return {**session.to_dict(), **{name: getattr(session, name) for name in apart}}


def _document(session: RecordedSession) -> dict[str, Any]:
    """The session and all that is inside it, each after its parent: flat, since trees are deep."""
    _, *below = (each for each, _ in session.walk())
    usage = session.usage
    known = {"usage": usage.to_dict()} if usage else {}
    return {**as_object(session), **known, "descendants": [as_object(each) for each in below]}


def _head(session: RecordedSession) -> None:
    mark, style = MARKS.get(session.status, MARKS[""])
    write(
        Line.assemble(
            (one_line(session.session_name), "bold"),
            (f"  {mark} {one_line(session.status, 40)}", style),
            f"  {duration_text(session.duration)}",
        )
    )
    usage = session.usage
    facts = {
        "id": session.session_id,
        "started": clock(session.start_time, full=True),
        "project": session.project,
        "source": session.source,
        "inside": session.parent_id,
        "code": _code(session),
        "commit": str(session.details.get("commit") or ""),
        "model": ", ".join(name for name in usage.models if name != UNKNOWN_MODEL),
        "usage": usage_text(usage),
        "first": _first_token(session),
    }
    # a line each, from the margin where it is narrow: an id that a terminal wraps cannot be copied
    wide = out().width >= len("started  ") + _ID
    for name, fact in facts.items():
        if fact:
            write(Line.assemble((f"{name:>7}  " if wide else f"{name} ", "dim"), one_line(fact)))


def _code(session: RecordedSession) -> str:
    """Return the place of the call in the source."""
    function, _, at = str(session.details.get("code", "")).partition("@")
    return f"{function} ({at})" if at else function


def _first_token(session: RecordedSession) -> str | None:
    """Return the time to the first token, or to the first item of a generator."""
    told = (
        ("token", session.metrics.get("time_to_first_token")),
        ("item", session.details.get("first_item")),
    )
    for thing, milliseconds in told:
        if isinstance(milliseconds, (int, float)):
            return f"{thing} after {duration_text(milliseconds)}"
    return None


def _payload(session: RecordedSession, bounds: Bounds) -> None:
    if session.error is not None:
        title("error")
        block(session.error, bounds, "red")
        if session.traceback:
            block(session.traceback, bounds, "dim")
    for field in _FIELDS:
        fields = getattr(session, field)
        if fields:
            title(field.replace("_", " "))
            values(fields, bounds)
