"""`push` sends stored sessions to the API and resumes an interrupted run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from .._config import Config
from .._record.record import Record
from ..errors import HoneytraceError, SessionNotFound
from ..store import Query
from . import _options
from ._deliver import Courier
from ._mark import Mark, mark_file
from ._target import config, find, offered, opened, pages
from ._terminal import counted, emit, one_line, progress, say

if TYPE_CHECKING:
    from ..store import Store

_BATCH = 256


class Batch(NamedTuple):
    """Sessions to send and, where it goes on from there, the place of the last of them."""

    records: Sequence[Record]
    place: int | None


@click.command()
@click.argument("wanted", metavar="[ID]...", nargs=-1, shell_complete=offered)
@click.option("--again", is_flag=True, help="Start over from the first session.")
@_options.store
@_options.as_json
def push(wanted: tuple[str, ...], again: bool, store: str | None, as_json: bool) -> None:
    """Send stored sessions to the API that HH_API_KEY and HH_API_URL name.

    The last session sent is noted beside the store, and the next push continues from there.
    Sending twice does no harm, since sessions carry their ids. The exit status is 1 when any was
    refused.
    """
    settings = config(store)
    if not settings.api_key and settings.server_url == Config().server_url:
        raise HoneytraceError("there is no API key: set HH_API_KEY, and HH_API_URL for your server")
    from ..sinks.api import ApiSink

    sent = 0
    with opened(store) as reader, Courier(ApiSink(settings)) as courier:
        mark = Mark(reader, mark_file(settings.store, "pushed"), settings.server_url)
        start = 0 if again else mark.place()
        batches = _trees(reader, wanted, settings) if wanted else _arrivals(reader, start)
        with progress("push", None if wanted else _left(reader, start)) as done:
            for records, place in batches:
                if (fate := courier.deliver(records)).retry:
                    raise HoneytraceError(str(fate.why))
                sent += len(records)
                done(len(records))
                if place is not None:
                    mark.set(place, records[-1].event_id)
    refused = courier.refused
    if as_json:
        emit({"pushed": sent - refused, "refused": refused, "server_url": settings.server_url})
    else:
        say(f"{counted(sent - refused)} sent to {settings.server_url}")
    courier.tell()
    if refused:
        raise click.exceptions.Exit(1)


def _arrivals(reader: Store, start: int) -> Iterator[Batch]:
    """Everything that arrived after this place, in that order."""
    place = start
    while (found := reader.arrived(place, _BATCH)).records:
        place = found.last
        yield Batch(found.records, place)


def _trees(reader: Store, wanted: Sequence[str], settings: Config) -> Iterator[Batch]:
    """The runs that these sessions are in."""
    for each in wanted:
        root = find(reader, each, settings).root_id
        records = list(pages(reader, Query(root_id=root)))
        if not records:
            raise SessionNotFound(f"{one_line(each, 60)!r} is not in {reader.where}")
        for at in range(0, len(records), _BATCH):
            yield Batch(records[at : at + _BATCH], None)


def _left(reader: Store, start: int) -> int | None:
    """Return how many there are to send; None when some were sent, for places are no numbers."""
    return reader.size().sessions if start == 0 else None
