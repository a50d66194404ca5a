"""Many requests at a time, driven by the calling thread.

A thread for each request would cost six times as much CPU: the threads wake each other and hand the
GIL over. Instead, every request has a deadline, and a request that hangs or drips delays no other.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from typing import Protocol

from .._network.streamed import Streamed
from ._answer import Answer
from ._endpoint import Endpoint
from ._exchange import Connection, Steps
from ._requests import Request
from ._resolver import Resolver


class Work(Protocol):
    """The requests of a delivery, and a place for their outcomes."""

    def next_request(self) -> Request | None:
        """Return the next request to send, or None while there is none."""

    def answered(self, request: Request, answer: Answer) -> None:
        """Note a reply. It may make new requests necessary."""

    def failed(self, request: Request, error: Exception, *, others_answered: bool) -> None:
        """Note that a request has no reply, and whether other requests had one meanwhile."""


class Driver:
    """Sends requests over up to `concurrency` connections, and keeps these between calls."""

    def __init__(self, endpoint: Endpoint, concurrency: int) -> None:
        self._endpoint, self._concurrency = endpoint, concurrency
        self._resolver = Resolver(endpoint.host, endpoint.port)
        self._idle: list[Connection] = []

    def run(self, work: Work, deadline: float, request_timeout: float) -> None:
        """Send all requests, and return when they are answered or `deadline` has passed.

        `deadline` is a time of the monotonic clock, `request_timeout` the seconds for one request.
        """
        with selectors.DefaultSelector() as selector:
            flights = _Flights(work, selector, self._idle)
            try:
                while True:
                    while len(flights) < self._concurrency:
                        now = time.monotonic()
                        request = work.next_request() if now < deadline else None
                        if request is None:
                            break
                        connection = self._idle.pop() if self._idle else self._connection()
                        message = _Message(self._endpoint, request)
                        steps = connection.exchange(selector, message)
                        ends_at = min(now + request_timeout, deadline)
                        flights.begin(connection, _Flight(request, steps, ends_at))
                    if not flights:
                        break
                    flights.go_on()
            finally:
                flights.abandon()
                for connection in self._idle:
                    connection.rest()

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> Connection:
        return Connection(self._endpoint, self._resolver)


class _Message:
    """Head and body of a request, in parts. They can be iterated any number of times."""

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        self._endpoint, self._request = endpoint, request

    def __iter__(self) -> Iterator[bytes]:
        request, body = self._request, self._request.body
        if isinstance(body, Streamed):
            yield self._endpoint.head(request.method, request.path, body.size)
            yield from body.chunks
        else:
            yield self._endpoint.head(request.method, request.path, len(body)) + body


class _Flight:
    """A request that is under way."""

    __slots__ = ("answers", "deadline", "request", "resume_at", "steps")

    def __init__(self, request: Request, steps: Steps, deadline: float) -> None:
        self.request, self.steps, self.deadline = request, steps, deadline
        self.answers = 0
        """The number of requests that had been answered when this one was sent."""
        self.resume_at: float | None = None
        """The time at which it goes on even without an event."""


class _Flights:
    """The requests that are under way, each on its own connection."""

    def __init__(
        self, work: Work, selector: selectors.BaseSelector, idle: list[Connection]
    ) -> None:
        self._work, self._selector, self._idle = work, selector, idle
        self._answers = 0
        self._flights: dict[Connection, _Flight] = {}
        """In the order of the deadlines."""
        self._timed: set[Connection] = set()
        """Connections with a time to go on: they look a name up, or try an address."""

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, connection: Connection, flight: _Flight) -> None:
        """Send a request over an idle connection."""
        flight.answers = self._answers
        self._flights[connection] = flight
        self._advance(connection, flight)

    def go_on(self) -> None:
        """Wait until something happens, and take the steps that are then possible."""
        for key, _ in self._wait():
            flight = self._flights.get(key.data)
            if flight is not None:
                self._advance(key.data, flight)
            elif key.data in self._idle:  # it was closed, or sends unrequested bytes
                self._idle.remove(key.data)
                key.data.close()
        now = time.monotonic()
        for connection in list(self._timed):
            flight = self._flights[connection]
            if flight.resume_at is not None and flight.resume_at <= now:
                self._advance(connection, flight)
        while self._flights:
            connection, flight = next(iter(self._flights.items()))
            if flight.deadline > now:
                break
            self._fail(connection, flight, TimeoutError("no reply in time"))

    def abandon(self) -> None:
        """Close the connections of the requests that are still under way."""
        for connection in self._flights:
            connection.close()

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        wake_at = next(iter(self._flights.values())).deadline if self._flights else 0.0
        for connection in self._timed:
            wake_at = min(wake_at, self._flights[connection].resume_at or wake_at)
        seconds = max(0.0, wake_at - time.monotonic())
        if not self._selector.get_map():  # Windows cannot wait for an empty set
            time.sleep(seconds)
            return []
        return self._selector.select(seconds)

    def _advance(self, connection: Connection, flight: _Flight) -> None:
        try:
            seconds = next(flight.steps)
        except StopIteration as end:
            self._land(connection)
            self._answers += 1
            self._idle.append(connection)
            self._work.answered(flight.request, end.value)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._fail(connection, flight, error)
        else:
            if seconds is not None:
                flight.resume_at = time.monotonic() + seconds
                self._timed.add(connection)
            elif flight.resume_at is not None:
                flight.resume_at = None
                self._timed.discard(connection)

    def _fail(self, connection: Connection, flight: _Flight, error: Exception) -> None:
        self._land(connection)
        connection.close()
        self._work.failed(flight.request, error, others_answered=self._answers > flight.answers)

    def _land(self, connection: Connection) -> None:
        del self._flights[connection]
        self._timed.discard(connection)
