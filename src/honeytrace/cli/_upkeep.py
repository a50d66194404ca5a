"""`prune`: old sessions go. `recover`: what dead processes left behind comes in."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Annotated

import typer

from .._record import Item
from ..errors import HoneytraceError
from ..sinks.store import StoreSink
from ..store import Query
from ._courier import Courier
from ._find import config, open_store, opened
from ._options import AsJson, StorePath, duration
from ._terminal import clock, counted, emit, progress, say

if TYPE_CHECKING:
    from ..sinks import Sink


def recover(store: StorePath = None, as_json: AsJson = False) -> None:
    """Deliver what processes that died had recorded and not delivered.

    Every traced process does so when it starts. It goes where sessions go: to the API with a key
    and without --store, else into the store. The exit status is 1 when a journal was damaged, which
    is then kept in `damaged/` beside it, or a record was refused.
    """
    from .._journal import candidates
    from .._recovery import Recovered, recover

    total = Recovered()
    with Courier(_destination(store)) as courier, progress("recover", None) as done:

        def deliver(batch: list[Item]) -> None:
            courier.deliver(batch)
            done(len(batch))

        for directory in candidates(config(store).journal):
            found = recover(directory, deliver)
            total = Recovered(*map(sum, zip(astuple(total), astuple(found), strict=True)))
    if as_json:
        emit(asdict(total) | {"refused": len(courier.refused)})
    else:
        say(
            f"{counted(total.records, 'record')} recovered from"
            f" {counted(total.journals, 'journal')}; {total.interrupted:,} of them were running"
        )
    courier.tell()
    if total.damaged or courier.refused:
        raise typer.Exit(1)


def _destination(store: StorePath) -> Sink:
    """Where sessions go."""
    settings = config(store)
    if settings.api_key and store is None:
        from ..sinks.api import ApiSink

        return ApiSink(settings)
    return StoreSink(open_store(store, create=True))


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
