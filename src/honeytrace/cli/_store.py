"""`store migrate`, `store check` and `store copy`: the upkeep of stores, by URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import click
import orjson

from .. import _config
from .._record.record import MERGED, Record, Update
from ..errors import HoneytraceError
from ..store import Query, Store
from ..store.urls import address, exists, open_for_reading, open_store
from . import _options
from ._mark import Mark, mark_file
from ._terminal import clock, counted, emit, progress, say

_BATCH = 1_000
"""Sessions that are copied at a time."""

_BYTES = 8_000_000
"""And so many bytes of them at most in one insert."""


@click.group()
def store() -> None:
    """Set up, check and copy stores: files, PostgreSQL, ClickHouse."""


@store.command()
@click.argument("url", required=False)
@_options.as_json
def migrate(url: str | None, as_json: bool) -> None:
    """Create the tables of a store, or bring them up to date.

    `serve` and recording programs do so by themselves where their database user may; this is for
    a user with more rights.
    """
    with _opened(open_store(_url(url))) as opened:
        opened.ready()
        if as_json:
            emit({"store": opened.where, "ready": True})
        else:
            say(f"{opened.where} is up to date")


@store.command()
@click.argument("url", required=False)
@_options.as_json
def check(url: str | None, as_json: bool) -> None:
    """Ask a store whether it answers, has the right tables, and how much it holds.

    The exit status is 1 when it cannot be used; the message says why.
    """
    with _opened(_existing(_url(url))) as opened:
        opened.ready()
        size, newest = opened.size(), opened.list(Query(limit=1))
        if as_json:
            start = newest[0].start_time if newest else None
            told = {"store": opened.where, "sessions": size.sessions, "bytes": size.bytes}
            emit(told | {"newest": start})
            return
        last = f", the newest from {clock(newest[0].start_time)}" if newest else ""
        say(f"{opened.where}: {counted(size.sessions)}, {size.bytes / 1e6:,.1f} MB{last}")


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--again", is_flag=True, help="Start over from the first session.")
@_options.as_json
def copy(source: str, target: str, again: bool, as_json: bool) -> None:
    """Copy all sessions from one store to another, in their order of arrival.

    An interrupted copy resumes, and a session that is there already is not stored twice. Changes
    made while it runs are copied at its end. Updates that still wait for their session are
    not copied. Name a tenant with `?tenant=` in the URL of an engine.
    """
    source, target = _url(source), _url(target)
    if source == target:
        raise HoneytraceError("both are the same store")
    with _opened(_existing(source)) as old, _opened(open_store(target)) as new:
        mark = Mark(old, mark_file(source, "copied"), f"{_named(source)} to {_named(target)}")
        start = 0 if again or not _holds(new, mark) else mark.place()
        since = mark.entry().get("changed") if start else None
        since = old.changed(None).last if since is None else int(since)
        copied = 0
        with progress("copy", old.size().sessions if start == 0 else None) as done:
            place = start
            while (page := old.arrived(place, _BATCH)).records:
                for part in _parts(page.records):
                    new.insert(part)
                place = page.last
                mark.set(place, page.records[-1].event_id, changed=since)
                copied += len(page.records)
                done(len(page.records))
            changed = _copy_changes(old, new, since)
    if as_json:
        emit({"copied": copied, "changed": changed, "from": old.where, "to": new.where})
    else:
        say(f"{counted(copied)} copied to {new.where}, {changed:,} of them changed meanwhile")


def _copy_changes(old: Store, new: Store, since: int) -> int:
    """Copy the changes made since the copy began."""
    changed = 0
    while (page := old.changed(since, _BATCH)).records:
        new.update([_as_update(record) for record in page.records])
        since = page.last
        changed += len(page.records)
    return changed


def _as_update(record: Record) -> Update:
    """Return the update that brings a copied record up to date."""
    fields: dict[str, bytes] = {}
    for name, value in zip(record._fields, record, strict=True):
        if name in MERGED or name == "outputs" or name == "children_ids":
            if isinstance(value, bytes):
                fields[name] = value
        elif name not in ("event_id", "session_id"):
            fields[name] = orjson.dumps(value)
    return Update(record.event_id, fields)


def _parts(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield the records in inserts of a bounded size."""
    part: list[Record] = []
    size = 0
    for record in records:
        part.append(record)
        size += sum(len(value) for value in record if isinstance(value, (str, bytes)))
        if size > _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _url(given: str | None) -> str:
    """Return the store that is named, or the one of the settings. Raises ConfigurationError."""
    found = _config.load({"store": given}).store
    if found == ":memory:":
        raise HoneytraceError("a store in memory ends with this command: name a file or an engine")
    return found


def _named(url: str) -> str:
    """Return a URL without its password, and with a digest of its parameters: they name a schema,
    a tenant, even another database."""
    query = urlsplit(url).query if "://" in url else ""
    given = sorted(each for each in parse_qsl(query) if "password" not in each[0].lower())
    return f"{address(url)}{f'?{sha256(repr(given).encode()).hexdigest()[:12]}' if given else ''}"


def _holds(target: Store, mark: Mark) -> bool:
    """Return whether the target still has the last session that was copied; one that was made anew
    has none, and the copy starts over."""
    last = mark.entry().get("session_id")
    return isinstance(last, str) and target.get(last) is not None


def _existing(url: str) -> Store:
    if not exists(url):
        raise HoneytraceError(f"there is no store at {address(url)}")
    return open_for_reading(url)


@contextmanager
def _opened(opened: Store) -> Iterator[Store]:
    try:
        yield opened
    finally:
        opened.close()
