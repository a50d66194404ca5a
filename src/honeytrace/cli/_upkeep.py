"""`prune`: old sessions go."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from ..errors import HoneytraceError
from ..store import Query
from ._find import opened
from ._options import AsJson, StorePath, duration
from ._terminal import clock, counted, emit, say


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", parser=duration, metavar="DURATION", help="Started so long ago: 30d."
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Delete the sessions that started longer ago; the file shrinks."""
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
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)
