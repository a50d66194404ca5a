"""One thread that polls the store for all open streams of the viewer.

All streams share each poll of the store: fifty open lists cost as much as one, and lists with the
same conditions are rendered once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from ..._record.record import Record
from ...errors import StoreError
from ...store import Store
from ._running import Running

__all__ = ["Follower", "Poller", "Show", "here"]

log = logging.getLogger("honeytrace.server")

_INTERVAL = 0.4
"""Seconds between polls of the store."""

_SHARE = 4
"""A slow poll is followed by a pause of so many times its duration."""

_BATCH = 200
"""Largest number of sessions sent at a time; a poll that finds as many counts as a flood."""

_PATIENCE = 5.0
"""Seconds in which an ended call has to be stored; after that the call is reported as gone."""

GONE = "not stored"
"""The status of an ended call that is not in this store: it was sent to the API, or was lost."""

_UNREAD = 20
"""Largest number of events that wait for a slow reader; beyond it, the reader has to reload."""

Show = Callable[[Sequence[Record], Sequence[Record]], object]
"""A function that renders new and changed sessions for a page; a false result sends nothing."""


class Place(NamedTuple):
    """A place in the order of arrival and one in the order of changes; None is the present
    place."""

    arrived: int | None
    changed: int | None

    @classmethod
    def parse(cls, text: str) -> Place:
        found = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else cls(None, None)

    def __str__(self) -> str:
        return f"{self.arrived}-{self.changed}"


def here(store: Store) -> str:
    """Return the present place, for the page that is about to be made."""
    return str(_present(store))


def _present(store: Store) -> Place:
    return Place(store.arrived(None).last, store.changed(None).last)


class _Look(NamedTuple):
    """The result of a poll. `flooded`: too much to show."""

    arrived: Sequence[Record]
    changed: Sequence[Record]
    place: Place
    flooded: bool


class Follower:
    """The receiver of one stream: the poller adds events, the stream's event loop takes them.

    Streams of one `key` show the same content, so `show` is called for one of them. `after` is a
    place returned by `here`; any other text means the present.
    """

    def __init__(self, key: str, show: Show, after: str) -> None:
        self.key = key
        self.show = show
        self.after = Place.parse(after)
        self._place = self.after
        self._events: deque[bytes] = deque()
        self._ended = False
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """Bind the follower to the running event loop, which takes the events."""
        self._loop = asyncio.get_running_loop()

    def tell(self, message: bytes, place: Place) -> None:
        """Add an event; an empty message only sends the place when the stream begins."""
        new = self._place == self.after and self._place != place
        self._place = place
        if not message and not new:
            return
        if len(self._events) >= _UNREAD:
            self._events.clear()
            message = _FLOODED
        self._events.append(b"id: %b\n%b\n\n" % (str(place).encode(), message or _PLACE))
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def take(self) -> list[bytes] | None:
        """Return the events since the last call; None at the end."""
        self._told.clear()
        events = [self._events.popleft() for _ in range(len(self._events))]
        return events or (None if self._ended else [])

    def still_here(self) -> bytes:
        return b"id: %b\n%b\n\n" % (str(self._place).encode(), _PLACE)

    async def wait(self) -> None:
        await self._told.wait()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)


_PLACE = b"event: place\ndata:"
_FLOODED = b"event: gap\ndata:"


class Poller:
    """Polls in a thread while there are followers; the thread ends with the last of them."""

    def __init__(self, store: Store, running: Running) -> None:
        self._store = store
        self._running = running
        self._seen: dict[str, Record] = {}
        """The calls under way at the last poll."""
        self._awaited: dict[str, tuple[Record, float]] = {}
        """Calls that left the journals and are not stored yet, with the time they left."""
        self._lock = threading.Lock()
        self._followers: dict[Follower, bool] = {}
        """The followers, each with a flag that it has reached the poller's place."""
        self._wanted = threading.Event()
        self._polling = False

    @contextmanager
    def following(self, follower: Follower) -> Iterator[None]:
        """Serve `follower` while the block runs, in an event loop."""
        follower.attach()
        with self._lock:
            self._followers[follower] = False
            if not self._polling:
                self._polling = True
                # The thread is a daemon, because it may be in the middle of a poll when the process
                # ends.
                threading.Thread(target=self._run, name="honeytrace-live", daemon=True).start()
        self._wanted.set()
        try:
            yield
        finally:
            with self._lock:
                self._followers.pop(follower, None)

    def _run(self) -> None:
        place = None
        self._seen = {each.event_id: each for each in self._running.now()}
        self._awaited = {}
        while True:
            self._wanted.clear()
            with self._lock:
                followers = dict(self._followers)
                if not followers:
                    self._polling = False
                    return
            begun = time.monotonic()
            try:
                place = self._tell(followers, place)
            except StoreError as error:
                log.warning("the viewer's streams ended: %s", error)
                self._end(followers)
            except Exception:
                log.exception("the viewer's streams ended")
                self._end(followers)
            took = time.monotonic() - begun
            if took * _SHARE < _INTERVAL:
                # A new stream wakes the wait, so it gets its place at once.
                self._wanted.wait(_INTERVAL)
            else:
                time.sleep(took * _SHARE)

    def _tell(self, followers: dict[Follower, bool], place: Place | None) -> Place:
        """Send news to the present followers, then bring new followers to the same place. Returns
        that place."""
        place = place or _present(self._store)
        look = self._with_running(self._look(place))
        messages: dict[str, bytes] = {}
        for follower, reached in followers.items():
            if reached:
                if follower.key not in messages:
                    messages[follower.key] = _message(follower, look)
                follower.tell(messages[follower.key], look.place)
        for follower in [each for each, reached in followers.items() if not reached]:
            if follower.after.arrived is None:
                follower.tell(b"", look.place)
            else:
                missed = self._look(follower.after)
                under_way = [*missed.arrived, *self._seen.values()]
                missed = missed._replace(arrived=under_way)
                follower.tell(_message(follower, missed), look.place)
            with self._lock:
                if follower in self._followers:
                    self._followers[follower] = True
        return look.place

    def _look(self, after: Place) -> _Look:
        # This order misses no session that arrives in between; at worst one is sent twice.
        arrived = self._store.arrived(after.arrived, _BATCH)
        changed = self._store.changed(after.changed, _BATCH)
        if max(len(arrived.records), len(changed.records)) >= _BATCH:
            # Nobody reads this fast, so the page has to reload.
            return _Look((), (), _present(self._store), flooded=True)
        place = Place(arrived.last, changed.last)
        return _Look(arrived.records, changed.records, place, flooded=False)

    def _with_running(self, look: _Look) -> _Look:
        """Return the poll, extended by calls that began, or ended without being stored, since the
        last one."""
        before, self._seen = self._seen, {each.event_id: each for each in self._running.now()}
        moment = time.monotonic()
        for session_id in before.keys() - self._seen.keys():
            self._awaited[session_id] = (before[session_id], moment)
        elsewhere = []
        for session_id, (record, since) in list(self._awaited.items()):
            stored = session_id in self._seen or self._store.get(session_id) is not None
            if stored or moment - since > _PATIENCE:
                del self._awaited[session_id]
                if not stored:
                    elsewhere.append(record._replace(status=GONE))
        begun = [
            each
            for session_id, each in self._seen.items()
            if session_id not in before or before[session_id].end_time != each.end_time
        ]
        if len(begun) + len(elsewhere) >= _BATCH:
            return look._replace(flooded=True)
        return look._replace(arrived=[*begun, *look.arrived], changed=[*look.changed, *elsewhere])

    def _end(self, followers: dict[Follower, bool]) -> None:
        with self._lock:
            for follower in followers:
                self._followers.pop(follower, None)
        for follower in followers:
            follower.end()


def _message(follower: Follower, look: _Look) -> bytes:
    if look.flooded:
        return _FLOODED
    if not look.arrived and not look.changed:
        return b""
    shown = follower.show(look.arrived, look.changed)
    return b"data: " + orjson.dumps(shown) if shown else b""
