"""`blame`: the nearest good run, what changed since, and the commits in between."""

from __future__ import annotations

import click

from ..lookup.blame import Blame, blame, place_of
from ..lookup.commits import Commit
from ..lookup.compare import Change, Pair
from ..lookup.recorded import RecordedSession
from . import _options
from ._line import Line
from ._target import SHORT, config, find, known, offered
from ._terminal import MARKS, clock, counted, emit, one_line, write
from ._values import json_text, title

_VALUE = 100
"""Characters of a value."""
_CALLS, _CHANGES = 8, 4
"""Calls that are shown, and changes of each."""


@click.command("blame")
@click.argument("wanted", metavar="[ID]", default="@last-error", shell_complete=offered)
@click.option("--good", metavar="ID", help="Compare with this run instead of the nearest good one.")
@_options.store
@_options.as_json
def blame_(wanted: str, good: str | None, store: str | None, as_json: bool) -> None:
    """Find what changed since the last good run: calls, functions, commits, versions.

    By default for the last failure. The nearest run of the same name that ended well is compared
    call by call, and git is asked for the commits between the two; those that touch the code of a
    call that changed are marked.
    """
    with known(store, *(each for each in (wanted, good) if each)) as reader:
        settings = config(store)
        session = find(reader, wanted, settings)
        chosen = None if good is None else find(reader, good, settings)
        told = blame(reader, session, chosen)
        if as_json:
            emit(told.to_dict())
        else:
            _show(told)


def _show(told: Blame) -> None:
    _run("bad", told.bad)
    _run("good", told.good)
    title(_between(told))
    suspects = told.suspects
    for commit in told.commits or ():
        _commit(commit, commit in suspects)
    for change in told.versions:
        line = f"  {change.path} {change.before} → {change.after}"
        write(Line(one_line(line), "yellow"))
    title("the calls that changed by themselves, the first one first")
    for pair in told.changed[:_CALLS]:
        _pair(pair)
    if len(told.changed) > _CALLS:
        write(Line(f"  … {len(told.changed) - _CALLS:,} more (`honeytrace diff`)", "dim"))
    if not told.changed:
        write("  none: the two runs are the same but for their times")


def _run(word: str, run: RecordedSession) -> None:
    mark, style = MARKS.get(run.status, MARKS[""])
    commit = one_line(str(run.details.get("commit") or "commit unknown"), 40)
    line = Line.assemble(
        (f"{word:>4}  ", "dim"),
        (f"{mark} ", style),
        (one_line(run.session_name, 60), "bold"),
        f"  {one_line(run.session_id[:SHORT])}  {clock(run.start_time)}  ",
        (commit, "cyan"),
    )
    if run.error:
        line.append(f"  {one_line(run.error, _VALUE)}", "red")
    write(line)


def _between(told: Blame) -> str:
    if told.commits is None:
        return "the commits in between are not known: no hash was recorded, or git has none here"
    if not told.commits:
        return "the same commit: look at inputs, models, versions, or changes that are uncommitted"
    return f"{counted(len(told.commits), 'commit')} in between"


def _commit(commit: Commit, suspect: bool) -> None:
    mark = ("▸ ", "red") if suspect else ("  ", "")
    write(
        Line.assemble(
            mark,
            (one_line(commit.commit, 40), "cyan"),
            (f"  {one_line(commit.moment[:10])}  {one_line(commit.author, 30)}  ", "dim"),
            one_line(commit.subject, 80),
        )
    )
    for function in commit.functions[:_CALLS]:
        write(Line(f"      {one_line(function, 100)}", "dim"))


def _pair(pair: Pair) -> None:
    sign = {"added": "+", "removed": "-"}.get(pair.status, "~")
    place = one_line((place_of(pair) or "").rpartition("@")[2], 80)
    name = one_line(pair.session_name, 60)
    write(Line.assemble(f"  {sign} ", (name, "bold"), (f"  {place}", "dim")))
    for change in pair.changes[:_CHANGES]:
        write(Line(f"      {one_line(change.path, 80)}", "cyan"))
        for word, value in (("-", change.before), ("+", change.after)):
            if value is not None:
                write(
                    Line(
                        f"        {word} {_value(value, change)}", "red" if word == "-" else "green"
                    )
                )


def _value(value: object, change: Change) -> str:
    """Return a value from shortly before the first difference on."""
    text = value if isinstance(value, str) else json_text(value)
    if isinstance(change.before, str) and isinstance(change.after, str):
        both = zip(change.before, change.after, strict=False)
        same = next((n for n, (old, new) in enumerate(both) if old != new), 0)
        start = max(same - 20, 0)
        text = ("…" if start else "") + text[start:]
    return one_line(text, _VALUE)
