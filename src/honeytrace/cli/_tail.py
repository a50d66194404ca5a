"""`tail`: sessions as they start and end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from .._record.record import Record
from ..lookup.running import RUNNING, under_way
from ..store import Query
from ..store.memory import MemoryStore
from . import _options
from ._rows import Rows
from ._target import config, told
from ._terminal import say

_POLL = 0.3
"""Seconds between two looks at the store; a process delivers every half second at the earliest."""


@click.command()
@click.option(
    "--lines",
    "-n",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    help="Show the newest N first.",
)
@_options.nested
@_options.store
@_options.as_json
@_options.filtered
def tail(query: Query, lines: int, nested: bool, store: str | None, as_json: bool) -> None:
    """Follow sessions as they start and end, until Ctrl-C.

    Starts are those of programs on this machine; JSON is of ended sessions alone.
    """
    query = query._replace(roots_only=not nested)
    journal = config(store).journal
    # the store may not exist yet: the followed program may create it
    with told(store, create=True) as reader:
        place = reader.arrived(None).last
        shown = reader.list(query._replace(limit=lines))[::-1] if lines else []
        printed = Rows(as_json=as_json)
        printed.print(shown)
        if not shown:
            say(f"waiting for sessions in {reader.where}")
        known = {record.event_id for record in shown}  # one may have arrived in between
        running: set[str] = set()
        while True:
            arrived, place = reader.arrived(place)
            new = [record for record in arrived if record.event_id not in known]
            if not as_json:
                # after the store was read, so that a session that has just ended is not shown as
                # one that starts
                under = [each for each in under_way(journal) if each.status == RUNNING]
                told_of = known | running | {each.event_id for each in arrived}
                new += [each for each in under if each.event_id not in told_of]
                running = {each.event_id for each in under}
            printed.print(_meeting(query, new))
            if not arrived:
                time.sleep(_POLL)


def _meeting(query: Query, records: Sequence[Record]) -> list[Record]:
    """Those that meet the conditions, in their order."""
    held = MemoryStore()
    held.insert(records)
    met = {record.event_id for record in held.list(query._replace(limit=len(records)))}
    return [record for record in records if record.event_id in met]
