"""Find sessions by id, by condition or by text. Lookup reads and never writes.

Every function first delivers the pending records of this process, so a program reads its own
writes. Records that cannot be delivered in time are found where they wait: in memory, or on disk,
where only an id finds them.

family      the relatives of a session, read from a store
conditions  the conditions of a list; times reads moments and durations
recorded    `RecordedSession`; view is its read-only protocol, tree puts sessions in their places
running     calls under way, from the journals of all processes on the machine
processes   `running()`: living processes and the stacks of their open calls
postmortem  the last moments of a dead process; page writes HTML files
remote      sessions read from the HoneyHive API
usage       tokens and cost; prices knows what a token costs, kept_prices keeps it
compare     compares two runs; blame finds what changed since a good one, with the commits
replays     sets of replays; notebook_replays shows them as HTML
marks       marks of what is unusual in a run; stamps tell commit and versions of a session
naming      the session that a name stands for
evidence/   six verbs for coding agents, within a budget of tokens
notebook    sessions as HTML, notebook_tables comparisons and usage; table makes data frames
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import SessionNotFound
from ..store import Query, Reader
from .conditions import Conditions, query_of, with_conditions
from .family import StoreFamily
from .recorded import RecordedSession

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .table import DataFrame

__all__ = ["SessionList", "StoreFamily", "get_session", "list_sessions", "search_sessions"]


class SessionList(list[RecordedSession]):
    """One page of sessions, newest first. `next_page()` gives the older ones; empty at the end."""

    def __init__(self, found: Iterable[RecordedSession], query: Query) -> None:
        super().__init__(found)
        self._query = query

    def next_page(self) -> SessionList:
        if len(self) < self._query.limit:
            return SessionList([], self._query)
        return _page(self._query._replace(before=(self[-1].start_time, self[-1].session_id)))

    def pages(self) -> Iterator[SessionList]:
        """This page and all that follow."""
        page = self
        while page:
            yield page
            page = page.next_page()

    def to_pandas(self) -> DataFrame:
        """This page as a `pandas.DataFrame`, one row a session.

        Columns are the session's fields; each key in `inputs`, `outputs`, `metrics` and the like
        has a column of its own, such as `outputs.result`. `start_time` and `end_time` are UTC
        timestamps, `duration` milliseconds. Raises ImportError without pandas.
        """
        from .table import frame

        return frame(self)

    def _repr_html_(self) -> str:
        from .notebook import list_html

        return list_html(self)


def get_session(session_id: str, *, timeout: float = 5.0) -> RecordedSession:
    """The session of this id: running around the caller, pending in this process, in the embedded
    store, or at the API.

    timeout: seconds that delivering this process's own pending sessions may take first.
    Raises SessionNotFound, which names where it was looked for, StoreError, and
    `honeytrace.api.APIError` when the API was asked (an API key is configured) and failed.
    """
    from .._capture.coerce import as_id
    from .._capture.hooks import hooks
    from .._runtime.runtime import runtime

    reader = _reader(timeout, session_id)
    record = reader.get(session_id) or reader.get(as_id(session_id, hooks.redact))
    if record is not None:
        return StoreFamily(reader).load(record)
    found = _at_the_api(session_id)
    if found is None:
        raise SessionNotFound(
            f"no session {session_id!r} is pending in this process or stored in "
            f"{runtime().destination.where()}; configure(store=…) says which store is read"
        )
    return found


def _at_the_api(session_id: str) -> RecordedSession | None:
    """The session as the API has it, with the updates that still wait here."""
    from .._runtime.runtime import runtime

    rt = runtime()
    if not rt.destination.is_api:
        return None
    from .._record.merge import apply
    from .._record.record import Update
    from .._runtime.public import pending as pending_items
    from .remote import Remote  # brings httpx, 40 ms

    remote = Remote(rt.config)
    record = remote.record(session_id)
    if record is None:
        return None
    for item in pending_items(session_id):
        if isinstance(item, Update) and item.event_id == session_id:
            record = apply(record, item)
    return remote.load(record)


def _reader(timeout: float, session_id: str | None = None) -> Reader:
    """Return the store with the calls under way, what dead processes left and the undelivered
    records laid over it.

    Of the records that wait on disk, only those in the tree of this session are included."""
    from .._config import NO_JOURNAL
    from .._runtime.public import pending as pending_items
    from .._runtime.runtime import runtime
    from ..store.overlay import Overlay
    from .running import left_behind, under_way

    rt = runtime()
    rt.flusher.flush(timeout, patient=False)
    store, pending = rt.destination.reader(), pending_items(session_id)
    if rt.destination.memory is None and rt.config.journal != NO_JOURNAL:
        # first, since this process knows its own calls best
        journal = rt.config.journal
        pending = [*left_behind(journal), *under_way(journal), *pending]
    return store if store is not None and not pending else Overlay(store, pending)


@with_conditions
def list_sessions(**conditions: Unpack[Conditions]) -> SessionList:
    """Return sessions of the store that meet every condition, newest first, `limit` a page.

    Sessions that went to the API are listed there; `get_session` finds one by its id.

    project, session_name (or name), source, status: exactly this text.
    error: True for sessions with an error, False for those without.
    since, until: started at or after, and before: a datetime, epoch seconds or ISO 8601 text. A
    timedelta, or text such as `"2h"`, is so long ago.
    min_duration, max_duration: seconds, a timedelta, or text such as `"200ms"`; both inclusive.
    roots_only: only sessions that ran inside no other.
    user: exactly a value of `user_properties`, whatever its key: an id, an email, a name.
    metric: a condition on a metric as people write it, `"score<0.5"`.
    Raises TypeError for an unknown condition, ConfigurationError for an invalid value,
    and StoreError.
    """
    return _page(query_of(conditions))


@with_conditions
def search_sessions(text: str, **conditions: Unpack[Conditions]) -> SessionList:
    """Return sessions of the store with every word of `text` in name, inputs, outputs or error.

    Newest first. The last word may be the beginning of one. The conditions are those of
    `list_sessions`.
    """
    return _page(query_of(conditions, text))


def _page(query: Query) -> SessionList:
    reader = _reader(timeout=5.0)
    family = StoreFamily(reader)
    return SessionList([family.load(record) for record in reader.list(query)], query)


for _public in (SessionList, get_session, list_sessions, search_sessions):
    _public.__module__ = "honeytrace"
