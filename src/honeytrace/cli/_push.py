"""`push`: what is stored here goes to the API; one that was cut short goes on where it was."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
import typer

from .._config import Config
from .._record import Item, Record
from ..errors import HoneytraceError, SessionNotFound
from ..store import Query
from ._find import config, find, opened, pages
from ._options import AsJson, StorePath
from ._terminal import counted, emit, one_line, progress, say

if TYPE_CHECKING:
    from ..store.sqlite import SQLiteStore

_BATCH = 256
_TIMEOUT = 120.0
"""Seconds that the requests of one batch may take."""

_TRIES, _FIRST_WAIT = 5, 0.5
"""So many tries in a row that deliver nothing, with longer and longer waits, and it gives up."""

_SAID = 10
"""So many refusals are told of one by one."""


class Batch(NamedTuple):
    """Sessions to send and, where it goes on from there, the place of the last of them."""

    records: Sequence[Record]
    place: int | None


def push(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Only these, each with its whole tree.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Start over from the first session.")
    ] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Send stored sessions to the API that HH_API_KEY and HH_API_URL name.

    What was sent is noted beside the store, and the next push goes on from there. Sending twice
    does no harm, since sessions carry their ids. The exit status is 1 when any was refused.
    """
    settings = config(store)
    if not settings.api_key and settings.server_url == Config.server_url:
        raise HoneytraceError("there is no API key: set HH_API_KEY, and HH_API_URL for your server")
    refused: list[tuple[Item, str]] = []
    sent = 0
    with opened(store) as reader, Courier(settings) as courier:
        mark = Mark(reader, settings.server_url)
        start = 0 if again else mark.place()
        batches = _trees(reader, wanted, settings) if wanted else _arrivals(reader, start)
        with progress("push", None if wanted else _left(reader, start)) as done:
            for records, place in batches:
                refused += courier.deliver(records)
                sent += len(records)
                done(len(records))
                if place is not None:
                    mark.set(place, records[-1].event_id)
    accepted = sent - len(refused)
    if as_json:
        emit({"pushed": accepted, "refused": len(refused), "server_url": settings.server_url})
    else:
        say(f"{counted(accepted)} sent to {settings.server_url}")
    if refused:
        _tell(refused)
        raise typer.Exit(1)


def _arrivals(reader: SQLiteStore, start: int) -> Iterator[Batch]:
    """Everything that arrived after this place, in that order."""
    place = start
    while (found := reader.arrived(place, _BATCH)).records:
        place = found.last
        yield Batch(found.records, place)


def _trees(reader: SQLiteStore, wanted: Sequence[str], settings: Config) -> Iterator[Batch]:
    """The runs that these sessions are in."""
    for each in wanted:
        root = find(reader, each, settings).root_id
        records = list(pages(reader, Query(root_id=root)))
        if not records:
            raise SessionNotFound(f"{one_line(each, 60)!r} is not in {reader.path}")
        for at in range(0, len(records), _BATCH):
            yield Batch(records[at : at + _BATCH], None)


def _left(reader: SQLiteStore, start: int) -> int:
    """How many there are to send, at most: places of deleted sessions are not used again."""
    return min(reader.size().sessions, max(0, reader.arrived(None).last - start))


class Courier:
    """The API's sink, with patience; what the sink logs, such as a wrong key, is an error here."""

    def __init__(self, settings: Config) -> None:
        from ..sinks.api import ApiSink

        self._sink = ApiSink(settings)
        self._said = _Said()
        self._logger = logging.getLogger("honeytrace")
        self._logger.addHandler(self._said)

    def __enter__(self) -> Courier:
        return self

    def __exit__(self, *exc: object) -> None:
        self._logger.removeHandler(self._said)
        self._sink.close()

    def deliver(self, records: Sequence[Item]) -> list[tuple[Item, str]]:
        """See a batch delivered; returns what was refused, with the reasons.

        Raises HoneytraceError when nothing more of it can be delivered for now.
        """
        refused: list[tuple[Item, str]] = []
        waiting, failures = records, 0
        while True:
            trouble, wait = "the server is busy", _FIRST_WAIT * 2**failures
            before = len(waiting)
            try:
                fate = self._sink.deliver(waiting, timeout=_TIMEOUT)
                waiting, wait = fate.retry, fate.retry_after or wait
                refused += fate.refused
            except HoneytraceError as error:
                trouble = str(error)
            if self._said.texts:
                raise HoneytraceError(self._said.texts[0])
            if not waiting:
                return refused
            failures = failures + 1 if len(waiting) == before else 0
            if failures == _TRIES:
                raise HoneytraceError(f"{trouble}; push again later, it goes on from here")
            time.sleep(wait)


class _Said(logging.Handler):
    """Keeps what honeytrace logs."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().removeprefix("honeytrace: "))


def _tell(refused: Sequence[tuple[Item, str]]) -> None:
    for item, reason in refused[:_SAID]:
        say(f"refused: {item.event_id}: {reason}")
    if len(refused) > _SAID:
        say(f"… and {len(refused) - _SAID:,} more")


class Mark:
    """How far a store was pushed to a server: a small file beside the store, one entry a server."""

    def __init__(self, reader: SQLiteStore, server_url: str) -> None:
        self._reader = reader
        self._file = Path(f"{reader.path}.pushed.json")
        self._server = server_url

    def place(self) -> int:
        """The place to go on from; 0 when the session that stood there is gone, as in a new store
        of the same name."""
        mark = self._marks().get(self._server, {})
        place = mark.get("place", 0)
        found = self._reader.arrived(place - 1, 1).records if place else ()
        return place if found and found[0].event_id == mark.get("session_id") else 0

    def set(self, place: int, event_id: str) -> None:
        """Note the last session that was sent; a push that is killed in between repeats a batch."""
        marks = self._marks() | {self._server: {"place": place, "session_id": event_id}}
        unfinished = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        unfinished.write_bytes(orjson.dumps(marks, option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(unfinished, self._file)

    def _marks(self) -> dict[str, Any]:
        try:
            marks = orjson.loads(self._file.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return marks if isinstance(marks, dict) else {}
