"""The session that a name stands for: an id, its beginning, `@last`, or `ID:4`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from .._base.lazy import pattern
from .._display.text import printable
from .._record.record import Record
from ..errors import SessionNotFound
from ..store import Query, Reader
from .family import StoreFamily
from .recorded import RecordedSession

__all__ = ["RECENT", "beginning", "named", "numbered", "recent"]

RECENT = pattern(r"@last(-error)?(?:~(\d{1,4}))?")
"""`@last`, `@last-error`, `@last~1`."""

_PREFIX = 200
"""Ids with a common beginning among which a run is looked for, and failures read at once."""


def named(store: Reader, wanted: str) -> RecordedSession:
    """Return the session of an id, the beginning of one, `@last` (the newest run), `@last-error`
    (the newest failure) or `@last~1` (the one before); `:4` after any of these is call 4 of its
    tree. Raises SessionNotFound.
    """
    whole, colon, number = wanted.rpartition(":")
    if colon and number.isdecimal() and store.get(wanted) is None:
        return numbered(named(store, whole), int(number))
    found = RECENT.fullmatch(wanted)
    if found:
        record = recent(store, failed=bool(found[1]), back=int(found[2] or 0))
    else:
        record = store.get(wanted) or beginning(store, wanted)
    if record is None:
        raise SessionNotFound(f"no session {printable(wanted[:60])!r}: `find` lists what there is")
    return StoreFamily(store).load(record)


def numbered(session: RecordedSession, number: int) -> RecordedSession:
    """Return call `number` of a tree, counted from 1 as it is drawn. Raises SessionNotFound."""
    found = [each for each, _ in session.walk()]
    if not 1 <= number <= len(found):
        raise SessionNotFound(f"the tree of {session.session_id} has calls 1 to {len(found)}")
    return found[number - 1]


def recent(store: Reader, *, failed: bool, back: int) -> Record | None:
    """Return the newest run, or failure, or the one so many before it.

    Failures in a replay are left out: a call that was failing when it was recorded fails again.
    """
    if failed:
        return next(islice(_failures(store), back, None), None)
    found = store.list(Query(limit=back + 1, roots_only=True))
    return found[back] if len(found) > back else None


def _failures(store: Reader) -> Iterator[Record]:
    from .replays import Replays  # most names need it not, and it brings dataclasses

    family, replays = StoreFamily(store), Replays()
    query = Query(limit=_PREFIX, error=True, status="error")
    while found := store.list(query):
        yield from (each for each in found if not replays.have(family.load(each)))
        query = query._replace(before=(found[-1].start_time, found[-1].event_id))


def beginning(store: Reader, prefix: str) -> Record | None:
    """Return the session whose id alone begins so, or the one run among several.

    Raises SessionNotFound when there are several runs, or several calls and no run.
    """
    ids = store.find_ids(prefix, _PREFIX) if prefix else ()
    if 1 < len(ids) < _PREFIX:
        runs = [each for each in store.get_many(list(ids)) if each.parent_id is None]
        if len(runs) == 1:
            return runs[0]
    if len(ids) > 1:
        several = ", ".join(printable(each[:40]) for each in ids[:3])
        more = ", …" if len(ids) > 3 else ""
        raise SessionNotFound(
            f"{printable(prefix[:60])!r} begins several ids: {several}{more}; give more of it"
        )
    return store.get(ids[0]) if ids else None
