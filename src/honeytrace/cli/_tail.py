"""`tail`: sessions as they start and end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from .._record.record import Record
from ..errors import StoreError
from ..lookup.running import RUNNING, under_way
from ..store import Query, Store
from ..store.memory import MemoryStore
from . import _options
from ._rows import Rows
from ._target import config, told
from ._terminal import say

_POLL = 0.3
"""Seconds between two looks at the store; a process delivers every half second at the earliest."""
_PAGE = 100
"""The newest sessions of another store that are shown when it replaces the one followed."""
_KNOWN = 10_000
"""The sessions that are remembered, so that none is shown twice if the store was restored."""


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

    Starts are those of programs on this machine; JSON is of ended sessions alone. If the store is
    replaced or cannot be read for a while, it is followed again as soon as that is possible.
    """
    query = query._replace(roots_only=not nested)
    journal = config(store).journal
    # the store may not exist yet: the followed program may create it
    with told(store, create=True) as reader:
        follower = _Follower(reader)
        shown = reader.list(query._replace(limit=lines))[::-1] if lines else []
        printed = Rows(as_json=as_json)
        printed.print(shown)
        if not shown:
            say(f"waiting for sessions in {reader.where}")
        known = dict.fromkeys(record.event_id for record in shown)  # one may arrive in between
        running: set[str] = set()
        while True:
            arrived = follower.next()
            new = [record for record in arrived if record.event_id not in known]
            known |= dict.fromkeys(record.event_id for record in arrived)
            if not as_json:
                # after the store was read, so that a session that has just ended is not shown as
                # one that starts
                under = [each for each in under_way(journal) if each.status == RUNNING]
                new += [each for each in under if each.event_id not in known.keys() | running]
                running = {each.event_id for each in under}
            printed.print(_meeting(query, new))
            for old in list(known)[:-_KNOWN]:
                del known[old]
            if not arrived:
                time.sleep(_POLL)


class _Follower:
    """Follows a store, also if it cannot be read for a while or another store replaces it."""

    def __init__(self, reader: Store) -> None:
        self._reader = reader
        self._place = reader.arrived(None).last
        self._trouble = ""

    def next(self) -> Sequence[Record]:
        """Return the sessions that have arrived; of another store, its newest ones."""
        before = self._place
        try:
            found, self._place = self._reader.arrived(before)
            if not found and self._place != before:
                found = self._reader.list(Query(limit=_PAGE))[::-1]
        except StoreError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                say(f"{error}; trying again until Ctrl-C")
            return []
        if self._trouble:
            self._trouble = ""
            say(f"following {self._reader.where} again")
        return found


def _meeting(query: Query, records: Sequence[Record]) -> list[Record]:
    """Those that meet the conditions, in their order."""
    held = MemoryStore()
    held.insert(records)
    met = {record.event_id for record in held.list(query._replace(limit=len(records)))}
    return [record for record in records if record.event_id in met]
