"""One request at a time through the sink's driver, as the tests of its connections need it."""

from __future__ import annotations

import time
from typing import Any

from honeytrace._network.proxies import proxy_for
from honeytrace._network.streamed import Streamed
from honeytrace.sinks._answer import Answer, UnusualReplyError
from honeytrace.sinks._detour import Detour
from honeytrace.sinks._driver import Driver
from honeytrace.sinks._endpoint import Endpoint
from honeytrace.sinks._requests import Request


class _Asked(Request):
    """A request with a body of the test's own."""

    __slots__ = ()
    text: bytes | Streamed = b""

    @property
    def body(self) -> bytes | Streamed:
        return self.text


class _One:
    """A single request as the driver's work: its reply, or what was raised instead."""

    def __init__(self, request: Request) -> None:
        self._left = [request]
        self.outcome: Answer | Exception | None = None

    def next_request(self) -> Request | None:
        return self._left.pop() if self._left else None

    def answered(self, request: Request, answer: Answer) -> None:
        self.outcome = answer

    def failed(self, request: Request, error: Exception, *, others_answered: bool) -> None:
        self.outcome = error


class Sender:
    """A connection to a server, kept between requests."""

    def __init__(self, url: str, key: str | None = "k") -> None:
        endpoint = Endpoint(key, url)
        self._url = endpoint.url
        self._driver = Driver(endpoint, 1)
        self._detour = Detour(endpoint.api_key, endpoint.url, 1)

    def send(self, method: str, path: str, body: bytes | Streamed, seconds: float) -> Answer:
        """Return the reply; raise what the driver, or httpx for an unusual one, says instead."""
        deadline = time.monotonic() + seconds
        way = self._driver if proxy_for(self._url) is None else self._detour
        outcome = self._sent(way, method, path, body, deadline)
        if isinstance(outcome, UnusualReplyError):
            outcome = self._sent(self._detour, method, path, body, deadline)
        if isinstance(outcome, Answer):
            return outcome
        raise outcome or TimeoutError("no time to begin with")

    def close(self) -> None:
        self._driver.close()
        self._detour.close()

    def _sent(
        self, way: Any, method: str, path: str, body: bytes | Streamed, deadline: float
    ) -> Answer | Exception | None:
        asked = type("Asked", (_Asked,), {"text": body})
        request = asked(method, path, (), (), 0, lambda items, encoded: [], b"")
        work = _One(request)
        way.run(work, deadline, 3600.0)
        return work.outcome
