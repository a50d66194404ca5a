"""`replay` runs a recorded call again, answered from the recording, and shows the difference."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotRecorded, ReplayError
from ..lookup.replays import original
from ..store import Query
from . import _options
from ._diff import show_difference
from ._line import Line
from ._target import config, find, known, offered
from ._terminal import emit, say, write

if TYPE_CHECKING:
    from .._replay.call_plan import Plan
    from .._replay.rerun import Replayed
    from .._replay.sets import ReplaySet


_NOTES = 8
"""Notes that are printed, the first line of each."""


@click.command()
@click.argument("wanted", metavar="[ID]", default="", shell_complete=offered)
@click.option("--recorded", multiple=True, metavar="NAME", help="Answer NAME, or model or tool.")
@click.option("--live", multiple=True, metavar="NAME", help="Run NAME although it is recorded.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Give an argument.")
@click.option("--fn", "function", metavar="MODULE:NAME", help="Call this function instead.")
@click.option("--strict", is_flag=True, help="Fail at a call that was not recorded.")
@click.option("--dry-run", is_flag=True, help="Print the plan only.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--full", is_flag=True, help="Show what stayed the same, and whole values.")
@_options.filtered
@click.option(
    *("--limit", "-n"), metavar="N", type=_options.limit, default="50", help="Replay at most N."
)
@click.option(
    "--score", "scores", multiple=True, metavar="MODULE:NAME", help="Score every run before, after."
)
@click.option(
    "--workers", metavar="N", type=_options.limit, default="1", help="Replay N at the same time."
)
@click.option(
    "--fail-under", metavar="X", type=float, help="Exit with 1 if a mean score is below X."
)
@click.option("--web", is_flag=True, help="Show the set in the viewer afterwards.")
@_options.store
@_options.as_json
def replay(
    query: Query,
    wanted: str,
    recorded: tuple[str, ...],
    live: tuple[str, ...],
    given: tuple[str, ...],
    function: str | None,
    strict: bool,
    dry_run: bool,
    yes: bool,
    full: bool,
    limit: int,
    scores: tuple[str, ...],
    workers: int,
    fail_under: float | None,
    web: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Run a recorded call again, and show what changed; or run many, and compare them.

    The function is imported by the name that was recorded, from the working directory. --recorded
    model answers its model calls from the recording. VALUE is JSON, @FILE.json, or
    MODULE:EXPRESSION. Without a terminal, --yes is required. The ID of a replay stands for the call
    that it made again.

    Without ID, conditions such as --name answer --since 1d choose the calls of a set, which is
    recorded as a session called replays and shown as a table. --score names a function that gets a
    session and returns a number, or several by name.
    """
    from .._replay.arguments import given_value
    from .._replay.call_plan import plan
    from .._replay.code import code_of, importable, named
    from ._replay_set import choose, plan_set, run_set

    is_set = query != Query()
    if is_set and wanted:
        raise ReplayError(f"give an id, {wanted!r}, or conditions such as --name, but not both")
    if not is_set and (scores or web or fail_under is not None):
        raise ReplayError("--score, --fail-under and --web are for sets: choose with --name NAME")
    with _recording(store), known(store, wanted or "@last") as reader:
        if is_set:
            sessions = choose(reader, query._replace(limit=limit))
        else:
            sessions = [original(find(reader, wanted or "@last", config(store)))]
        if function is None:
            importable(code_of(sessions[0].details.get("code")))
        values = dict(_pair(each) for each in given)
        options: dict[str, Any] = {
            "recorded": recorded,
            "live": live,
            "fn": None if function is None else named(function),
            "set": {name: given_value(text) for name, text in values.items()},
        }
        if not is_set:
            _replay(plan(sessions[0], **options), strict, dry_run, yes, full, as_json)
            return
        plan_set(sessions, options, dry_run, as_json)
        if dry_run:
            return
        _confirm(yes)
        found = run_set(sessions, options | {"strict": strict}, scores, workers, as_json)
    if web:
        from ._serve import open_viewer

        open_viewer(store, f"/replays/{found.session_id}")
    if fail_under is not None and _below(found, fail_under):
        raise click.exceptions.Exit(1)


def _below(found: ReplaySet, bound: float) -> bool:
    """Tell whether the mean of a score is below `bound`, or missing on the side of the replay."""
    return any(each.after is None or each.after < bound for each in found.scores.values())


def _replay(made: Plan, strict: bool, dry_run: bool, yes: bool, full: bool, as_json: bool) -> None:
    if dry_run and as_json:
        emit(made.to_dict())
        return
    if not as_json:
        for line in made.lines():
            say(line)
    if dry_run:
        return
    made.check()
    _confirm(yes)
    result = _run(made, strict)
    if as_json:
        emit(_as_object(result))
        return
    for note in [*dict.fromkeys(note.partition("\n")[0] for note in result.notes)][:_NOTES]:
        say(f"note: {note}")
    write(Line(""))
    show_difference(result.before, result.after, result.comparison, full)


def _run(made: Any, strict: bool) -> Replayed:
    from .._replay.rerun import run

    try:
        return run(made, strict=strict)
    except NotRecorded as missing:
        raise ReplayError(str(missing)) from None


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ReplayError("a replay runs your code: give --yes where nobody can be asked")
    click.confirm("Run it?", abort=True, err=True)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ReplayError(f"--set is NAME=VALUE, not {text!r}")
    return name, value


@contextmanager
def _recording(store: str | None) -> Iterator[None]:
    """Record what runs here as a replay, into the store that is read."""
    import honeytrace

    sys.path.insert(0, os.getcwd())
    honeytrace.configure(source="replay", store=store)
    try:
        yield
    finally:
        honeytrace.flush(10)


def _as_object(result: Replayed) -> dict[str, Any]:
    error = result.error
    return {
        "before": result.before.session_id,
        "after": result.after.session_id,
        "error": None if error is None else f"{type(error).__name__}: {error}",
        "notes": result.notes,
        "comparison": result.comparison.to_dict(),
    }
