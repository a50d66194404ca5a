"""`prune` deletes old sessions."""

from __future__ import annotations

import sys
import time

import click

from ..errors import HoneytraceError
from ..store import Query
from . import _options
from ._target import opened
from ._terminal import clock, counted, emit, say


@click.command()
@click.option(
    "--older-than",
    required=True,
    type=_options.duration,
    metavar="DURATION",
    help="Delete sessions that started longer ago: 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_options.store
@_options.as_json
def prune(older_than: float, dry_run: bool, yes: bool, store: str | None, as_json: bool) -> None:
    """Delete old sessions; the file shrinks."""
    before = time.time() * 1000 - older_than
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
        agreed = click.confirm(question, err=True)
    except click.Abort as end:  # click's name for both Ctrl-C and Ctrl-D
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        agreed = False
    if not agreed:
        raise click.exceptions.Exit(1)
