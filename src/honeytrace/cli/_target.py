"""The store a command reads, and the session that is meant by an id, its beginning, or `@last`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
import orjson

from .. import _config
from .._base.lazy import pattern
from .._config import without_password
from .._record.record import Record
from .._record.wire import start_session_body
from ..errors import HoneytraceError, SessionNotFound, StoreError
from ..lookup import StoreFamily
from ..lookup.naming import RECENT, beginning, numbered, recent
from ..store import Query, Reader
from ._terminal import one_line, say

if TYPE_CHECKING:
    from .._config import Config
    from ..lookup.recorded import RecordedSession
    from ..store import Store

__all__ = [
    "SHORT",
    "address",
    "config",
    "find",
    "known",
    "missed",
    "offered",
    "open_store",
    "opened",
    "pages",
    "say_elsewhere",
    "session_json",
    "told",
]

SHORT = 18
"""Characters of an id that are shown. In an id that honeytrace made, they hold the time to a
quarter of a microsecond."""

_OFFERED = 20
_HARMLESS = pattern(r"[\w.-]+", re.ASCII)
"""Ids that a shell may be offered: others it might run."""

_PAGE = 1000


def config(path: str | None) -> Config:
    """The settings of a command: of the environment, with `--store`. Raises ConfigurationError."""
    return _config.load({"store": path})


def address(settings: Config) -> str:
    """Return the API's address without a password."""
    return re.sub(r"//[^/@]*@", "//…@", settings.server_url)


def _store(settings: Config) -> str:
    return without_password(settings.store)


def elsewhere(path: str | None) -> str | None:
    """Return in words where sessions go if not into the store, otherwise None.

    Listing and searching stay with the store: the API's documented queries know neither runs nor
    metrics nor words.
    """
    settings = config(path)
    if path is not None or not settings.api_key:
        return None
    return f"{_config.origins({})['api_key']} is set, so sessions go to {address(settings)}"


def say_elsewhere(path: str | None) -> None:
    """A line for those who wonder where their sessions are."""
    if away := elsewhere(path):
        say(f"{away}; this is the store {without_password(config(path).store)} alone")


def open_store(path: str | None, *, create: bool = False) -> Store:
    """The store of `--store`, the environment or the default.

    Raises StoreError, which says so when there is none, unless it is to be created.
    """
    from ..store import urls

    name = config(path).store
    if name == ":memory:":
        raise StoreError("HONEYTRACE_STORE=:memory: is in no file: name one with --store PATH")
    if create:
        return urls.open_store(name)
    if not urls.exists(name):
        away = elsewhere(path)
        cure = "record something first, or name one with --store PATH"
        if away:
            cure = f"{away}, where `honeytrace show ID` finds them"
        raise StoreError(f"there is no store at {name}: {cure}")
    return urls.open_for_reading(name)


@contextmanager
def opened(path: str | None, *, create: bool = False) -> Iterator[Store]:
    """`open_store` while the block runs."""
    store = open_store(path, create=create)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def told(path: str | None, *, create: bool = False) -> Iterator[Store]:
    """Open the store, and report it if sessions go elsewhere."""
    with opened(path, create=create) as store:
        say_elsewhere(path)
        yield store


@contextmanager
def known(path: str | None, *wanted: str) -> Iterator[Reader]:
    """Open the reader in which `find` looks for these sessions.

    That is the store with the calls under way laid over it. If all are ids and there is no store,
    the API is asked alone.
    """
    from ..lookup.running import with_running

    settings = config(path)
    if any(map(RECENT.match, wanted)):
        with told(path) as store:
            yield with_running(store, settings.journal)
    elif settings.api_key and "://" not in settings.store and not os.path.exists(settings.store):
        from ..store.memory import MemoryStore

        yield MemoryStore()
    else:
        with opened(path) as store:
            yield with_running(store, settings.journal)


def find(store: Reader, wanted: str, settings: Config) -> RecordedSession:
    """The session that `wanted` names: an id, the beginning of one, `@last` (the newest run),
    `@last-error` (the newest failure), or `@last~1` (the one before). `:4` after any of these is
    the call that `show` numbers 4.

    With an API key, an id that the store does not have is asked of the API. Raises SessionNotFound.
    """
    whole, colon, number = wanted.rpartition(":")
    if colon and number.isdecimal() and store.get(wanted) is None:
        return numbered(find(store, whole, settings), int(number))
    wanted = _named(wanted)
    newest = RECENT.fullmatch(wanted)
    if newest:
        record = recent(store, failed=bool(newest[1]), back=int(newest[2] or 0))
    else:
        record = store.get(wanted) or beginning(store, wanted)
    if record is not None:
        return StoreFamily(store).load(record)
    if settings.api_key and not newest:
        from ..lookup.remote import Remote

        remote = Remote(settings)
        record = remote.record(wanted)
        if record is not None and record.event_id:  # another server's JSON has none
            return remote.load(record)
        raise SessionNotFound(
            f"no session {one_line(wanted, 60)!r} in {_store(settings)} or at {address(settings)},"
            " which knows whole ids alone"
        )
    listed = "list --all" if not newest else "list --all --errors" if newest[1] else "list"
    cure = f": `honeytrace {listed}` shows what there is"
    said = f"no session {one_line(wanted, 60)!r} in {_store(settings)}{cure}"
    raise SessionNotFound(missed(store, _store(settings), said))


def offered(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return completions of an id: names for the newest session, runs, and ids that begin so."""
    ids: list[str] = []
    with suppress(HoneytraceError), opened(ctx.params.get("store")) as store:
        if incomplete:
            ids = [*store.find_ids(incomplete, _OFFERED)]
        else:
            ids = [each.event_id for each in store.list(Query(limit=_OFFERED, roots_only=True))]
    names = [each for each in ("@last", "@last-error") if each.startswith(incomplete)]
    return names + [each for each in ids if _HARMLESS.fullmatch(each)]


def missed(store: Reader, path: str, otherwise: str) -> str:
    """Return the message for an empty result: the store is empty, or `otherwise`."""
    return otherwise if store.list(Query(limit=1)) else f"nothing is recorded in {path}"


def _named(wanted: str) -> str:
    """Return the id that `#3` stands for; any other text is returned as it is."""
    number = wanted[1:] if wanted.startswith("#") else ""
    if not number.isdecimal():
        return wanted
    from ._recent import recalled

    found = recalled(int(number))
    if found is None:
        raise SessionNotFound(f"the last list had no {wanted}: run `honeytrace list` first")
    return found


def pages(store: Reader, query: Query) -> Iterator[Record]:
    """Every session that meets the conditions, newest first, read a page at a time."""
    while found := store.list(query._replace(limit=_PAGE)):
        yield from found
        query = query._replace(before=(found[-1].start_time, found[-1].event_id))


_APART = ("status", "parent_id", "root_id", "event_type")


def session_json(record: Record) -> bytes:
    """A session for programs: the startSession payload and, beside it, the four fields that has
    no place for. `honeytrace import` reads it back as it was.
    """
    payload = start_session_body(record)[len(b'{"session":') : -2]
    apart: dict[str, Any] = {name: getattr(record, name) for name in _APART}
    if record.session_id != record.event_id:
        apart["event_of"] = record.session_id
    return payload + b"," + orjson.dumps(apart)[1:]
