"""`prune` deletes old sessions."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from ..errors import HoneytraceError
from ..store import Query
from ._options import AsJson, StorePath, duration
from ._target import opened
from ._terminal import clock, counted, emit, say


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            parser=duration,
            metavar="DURATION",
            help="Delete what started longer ago: 30d.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Delete old sessions; the file shrinks."""
    before = time.time() * 1000 - float(older_than)
    with opened(store) as reader:
        found = sum(each.calls for each in reader.summary(Query(until=before), sys.maxsize))
        said = f"{counted(found)} from before {clock(before)}"
        if found and not dry_run:
            _agree(f"Delete {said}?", yes)
            found = reader.delete(before=before)
        done = 0 if dry_run else found
    if as_json:
        emit({"found": found, "deleted": done, "before": before})
    else:
        say(f"{said} would be deleted" if dry_run else f"deleted {said}")


def _agree(question: str, yes: bool) -> None:
    """Ends the command unless the person at the terminal agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise HoneytraceError("nobody can be asked here: say --yes to delete, or --dry-run")
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort as end:  # typer's name for both Ctrl-C and Ctrl-D
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        agreed = False
    if not agreed:
        raise typer.Exit(1)
