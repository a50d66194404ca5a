"""`postmortem`: the last moments of a process, or of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from .._display.html import preview
from .._display.text import duration_text
from ..errors import SessionNotFound, StoreError
from ..lookup.postmortem import Postmortem, facts, postmortem
from ..lookup.recorded import RecordedSession
from ..lookup.running import innermost, under_way, with_running
from ..store import Reader
from . import _options
from ._line import Line
from ._target import config, find, known, offered, open_store
from ._terminal import MARKS, clock, emit, one_line, say, write
from ._values import FULL, USUAL, Bounds, block, title, values

_PREVIEW = 300
_LARGEST_PID = 2**22
"""The kernel gives no larger ids; whatever is larger is the beginning of a session's id."""


@click.command("postmortem")
@click.argument("wanted", metavar="[ID|PID]", default="", shell_complete=offered)
@click.option("--html", metavar="FILE", help="Write one self-contained HTML page instead.")
@click.option("--full", is_flag=True, help="Show whole values.")
@_options.store
@_options.journal
@_options.as_json
def postmortem_(
    wanted: str,
    html: str | None,
    full: bool,
    store: str | None,
    journal: str | None,
    as_json: bool,
) -> None:
    """Show what a process was doing when it died, by default the last one that died.

    What was open with its inputs, the model call before it, the last twenty calls that ended, and
    the cause of death as far as it left a trace. A run is named as for `show`.
    """
    with _reader(store) as reader:
        told = _told(reader, wanted, store, journal)
        if html is not None:
            from ..lookup.page import postmortem_page
            from ._page import save

            save(html, postmortem_page(told))
        elif as_json:
            emit(told.to_dict())
        else:
            _show(told, FULL if full else USUAL)


@contextmanager
def _reader(store: str | None) -> Iterator[Reader]:
    """Open the store; without one there are still the journals."""
    try:
        opened = open_store(store)
    except StoreError:
        if store is not None:
            raise
        from ..store.memory import MemoryStore

        yield MemoryStore()
        return
    try:
        yield opened
    finally:
        opened.close()


def _told(reader: Reader, wanted: str, store: str | None, journal: str | None) -> Postmortem:
    settings = config(store)
    place = journal or settings.journal
    if not wanted:
        return postmortem(reader, place)
    if wanted.isdecimal() and int(wanted) <= _LARGEST_PID:
        _check_dead(int(wanted), place)
        return postmortem(reader, place, pid=int(wanted))
    try:
        run = find(reader, wanted, settings)
    except SessionNotFound:
        left = _left_behind(place, wanted)
        if left is None:
            try:
                run = find(with_running(reader, place), wanted, settings)
            except SessionNotFound:
                with known(store, wanted) as running:  # its error names where it looked
                    run = find(running, wanted, settings)
            if innermost(under_way(place), run.root_id) is not None:
                say(f"{one_line(run.session_name, 60)} still runs: `honeytrace ps` shows it")
        else:
            run = left
    return postmortem(reader, place, run=run)


def _left_behind(journal: str, wanted: str) -> RecordedSession | None:
    """Return the session of this id, or this beginning of one, that only a dead process's journal
    has."""
    from .._durability.dead_journals import dead
    from .._durability.directories import candidates
    from ..lookup import StoreFamily
    from ..store.memory import MemoryStore

    for directory in candidates(journal):
        for each in dead(directory):
            found = [call for call in each.calls if call.event_id.startswith(wanted)]
            if found:
                return StoreFamily(MemoryStore()).load(found[0])
    return None


def _check_dead(pid: int, journal: str) -> None:
    from ..lookup.processes import processes

    if any(each.pid == pid for each in processes(journal)):
        raise SessionNotFound(f"process {pid} is alive: `honeytrace ps` shows what it does")


def _show(told: Postmortem, bounds: Bounds) -> None:
    for term, fact in facts(told):
        write(Line.assemble((f"{term:>17}  ", "dim"), one_line(fact, 500)))
    title("open at the end")
    for each in told.open:
        age = "" if each.age is None else f"  for {duration_text(each.age)} or more"
        _line("  " * each.depth, each.session, age, MARKS["running"])
        values(each.session.inputs, bounds)
    if not told.open:
        write("  nothing")
    if told.model_call is not None:
        title("the last model call before")
        _line("", told.model_call, f"  {duration_text(told.model_call.duration)}", MARKS["ok"])
        values(told.model_call.inputs, bounds)
        if told.model_call.error:
            block(told.model_call.error, bounds, "red")
        values(told.model_call.outputs, bounds)
    title(told.latest)
    for session in told.finished:
        _finished(session)


def _line(indent: str, session: RecordedSession, told: str, mark: tuple[str, str]) -> None:
    sign, style = mark
    kind = f" ({session.event_type})" if session.event_type in ("tool", "model") else ""
    name = one_line(session.session_name, 80)
    place = one_line(session.session_id, 40)
    write(Line.assemble(f"{indent}", (f"{sign} ", style), (name, "bold"), kind, told))
    write(Line(f"{indent}  {place}", "dim"))


def _finished(session: RecordedSession) -> None:
    mark, style = MARKS.get(session.status, MARKS[""])
    kind = f" ({session.event_type})" if session.event_type in ("tool", "model") else ""
    result = session.error or preview(session.outputs)
    line = Line.assemble(
        (f"  {clock(session.start_time + (session.duration or 0))}  ", "dim"),
        (f"{mark} ", style),
        f"{one_line(session.session_name, 60)}{kind}",
        f"  {duration_text(session.duration)}  ",
    )
    said = f"{preview(session.inputs)} → {result}"
    write(line.append(one_line(said, _PREVIEW), "dim"), fit=True)
