"""The sink of the HoneyHive API: a batch becomes requests, many at a time, each sent once.

What every reply means is the table of docs/delivery.md. Repeating is safe, because sessions and
events carry ids of ours. The first request of a process goes alone: it tells whether the key is
right, and whether the server takes whole batches.

Requests in flight are threads, which live as long as one batch: measured with httpx, a request
costs them half the CPU that asyncio takes for it, and a thread that hangs (in a name lookup, say)
is left behind when time is up, which neither delivery nor the exit of the process waits for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

from .._capture.context import Off, current
from .._config import Config
from .._record.record import Item, Update
from ..api import PartialBatchError
from ..api._reply import Reply
from ..errors import HoneytraceError
from . import Delivery
from ._connection import Address, Connection
from ._requests import EVENTS, Request, fold, requests

__all__ = ["ApiSink"]

BATCH_HEADER = "honeytrace-batch"
"""The header in which a server names its route for many sessions at once."""

_DELIVERING = Off("delivering")
_AGAIN = (408, 425, 429)
_NO_ROUTE = (404, 405, 410)
_CURES = {
    401: "check the API key (HH_API_KEY, HONEYTRACE_API_KEY or configure(api_key=…))",
    403: "use an API key (HH_API_KEY, HONEYTRACE_API_KEY) that may write to this project",
}
_ELSE = "check HH_API_URL, HONEYTRACE_SERVER_URL or configure(server_url=…)"
_ENOUGH = 3
"""So many requests in a row without a reply, and the rest of the batch is not begun."""


def _is_not_ours(record: logging.LogRecord) -> bool:
    """A log filter: httpx tells of every request at INFO, which of ours nobody wants to know."""
    return current.get() is not _DELIVERING


class ApiSink:
    """Delivers to `config.server_url` as `config.layout` says.

    Raises ValidationError for an impossible URL or key.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._address = Address(config.api_key, config.server_url)
        self._connections: list[Connection] = []
        self._idle: deque[Connection] = deque()
        self.batch_path: str | None = None
        self.proven: set[str] = set()
        """Routes that have answered with success."""
        logging.getLogger("httpx").addFilter(_is_not_ours)

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Send the batch, each request once, within `timeout` seconds.

        Raises HoneytraceError when nothing of it could be delivered and waiting may help; the
        message says why.
        """
        return _Shipment(self, timeout).deliver(*fold(batch))

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection for one thread, kept for the next."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._address)
            self._connections.append(connection)
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def hear(self, reply: Reply) -> None:
        """Note what any reply tells about the server."""
        path = reply.headers.get(BATCH_HEADER, "")
        if path.startswith("/"):
            self.batch_path = path


class _Shipment:
    """One batch on its way, and what became of it."""

    def __init__(self, sink: ApiSink, timeout: float) -> None:
        self._sink = sink
        self._url = sink.config.server_url
        self._deadline = time.monotonic() + timeout
        self._queue: deque[Request] = deque()
        self._accepted: list[Sequence[Item]] = []
        self._refused: dict[int, str] = {}
        """By identity, why; what is in neither is to be tried again."""
        self._unanswered = 0
        self._stopped = False
        self._trouble: str | None = None
        self._cure: str | None = None
        """What is wrong with the key or the URL, and what to do about it."""
        self._retry_after: float | None = None

    def deliver(self, waiting: Sequence[Item], origins: dict[int, list[Item]]) -> Delivery:
        alone = 0 if self._sink.proven else 1
        self._send_all(waiting[:alone])
        self._send_all(waiting[alone:])
        return self._delivery(waiting, origins)

    def _send_all(self, waiting: Sequence[Item]) -> None:
        if self._stopped or not waiting:
            return
        for step in filter(None, self._requests(waiting)):
            self._queue.extend(step)
            workers = self._workers(min(self._sink.config.concurrency, len(step)))
            for worker in workers:
                worker.join(max(0.0, self._deadline - time.monotonic()))
            if not workers:
                self._work()

    def _requests(self, waiting: Sequence[Item]) -> tuple[list[Request], list[Request]]:
        return requests(waiting, self._sink.config.layout, self._sink.batch_path)

    def _workers(self, count: int) -> list[threading.Thread]:
        """Up to `count` threads at work; Python 3.12.0 and 3.12.1 start none at exit."""
        workers: list[threading.Thread] = []
        try:
            for _ in range(count):
                worker = threading.Thread(target=self._work, name="honeytrace-send", daemon=True)
                worker.start()
                workers.append(worker)
        except RuntimeError:
            pass
        return workers

    def _work(self) -> None:
        outer = current.get()
        current.set(_DELIVERING)
        try:
            with self._sink.connected() as connection:
                while not self._stopped and (left := self._left()) > 0:
                    try:
                        request = self._queue.popleft()
                    except IndexError:  # nothing is left to send
                        break
                    self._send(connection, request, left)
        finally:
            current.set(outer)

    def _left(self) -> float:
        return min(self._deadline - time.monotonic(), self._sink.config.request_timeout)

    def _send(self, connection: Connection, request: Request, timeout: float) -> None:
        try:
            reply = connection.send(request.method, request.path, request.body, timeout)
            self._unanswered = 0
            self._judge(request, reply)
        except Exception as error:  # noqa: BLE001 - what is not settled is tried again
            self._unanswered += 1
            self._stopped = self._stopped or self._unanswered >= _ENOUGH
            self._trouble = self._trouble or f"{self._url}: {error}"

    def _judge(self, request: Request, reply: Reply) -> None:
        error = reply.error(expects_json=request.path != EVENTS)
        status = reply.status_code
        self._sink.hear(reply)
        if error is None:
            self._sink.proven.add(request.path)
            self._accept(request, reply)
        elif isinstance(error, PartialBatchError):
            stored = error.event_ids
            if taken := [item for item in request.items if item.event_id in stored]:
                self._accepted.append(taken)
        elif status >= 500 or status in _AGAIN:
            self._later(reply)
        elif status in _NO_ROUTE and request.is_mixed:
            self._sink.batch_path = None
            for step in requests(request.items, self._sink.config.layout, None):
                self._queue.extend(step)
        elif status < 400 or status in (401, 403) or self._is_astray(request, status):
            self._stop(request, status)
        elif len(request.items) > 1:
            self._queue.extendleft(request.halves())
        else:
            (item,) = request.items
            self._refused[id(item)] = "too large" if status == 413 else _named(status)

    def _is_astray(self, request: Request, status: int) -> bool:
        """Whether the route is missing, rather than the event that a `PUT` is about."""
        return (
            status in _NO_ROUTE
            and request.path not in self._sink.proven
            and (request.method, status) != ("PUT", 404)
        )

    def _accept(self, request: Request, reply: Reply) -> None:
        told = reply.json()["refused"] if request.is_mixed else ()
        refused = {(each["kind"], each["index"]): each["reason"] for each in told}
        if not refused:
            self._accepted.append(request.items)
            return
        seen, taken = {"session": 0, "update": 0}, []
        for item in request.items:
            kind = "update" if isinstance(item, Update) else "session"
            reason = refused.get((kind, seen[kind]))
            seen[kind] += 1
            if reason is None:
                taken.append(item)
            else:
                self._refused[id(item)] = reason
        if taken:
            self._accepted.append(taken)

    def _later(self, reply: Reply) -> None:
        """The server is busy; where it says so of itself, the rest of the batch is not begun."""
        wait = reply.retry_after
        self._stopped = self._stopped or wait is not None or reply.status_code == 429
        self._retry_after = max(wait or 0.0, self._retry_after or 0.0) or None
        self._trouble = self._trouble or f"{self._url} answers {_named(reply.status_code)}"

    def _stop(self, request: Request, status: int) -> None:
        """What is wrong concerns the whole batch, and has a cure."""
        self._stopped = True
        cure = _CURES.get(status, _ELSE)
        self._cure = f"{self._url}{request.path} answers {_named(status)}: {cure}"

    def _delivery(self, waiting: Sequence[Item], origins: dict[int, list[Item]]) -> Delivery:
        # a thread left behind may still write to them
        accepted, refusals = self._accepted.copy(), self._refused.copy()
        if time.monotonic() >= self._deadline:
            self._trouble = self._trouble or f"{self._url} gave no reply in time"
        if not (accepted or refusals or self._retry_after or self._cure) and self._trouble:
            raise HoneytraceError(self._trouble)
        if not refusals and sum(map(len, accepted)) == len(waiting):
            return Delivery([], [])
        taken = {id(item) for items in accepted for item in items}
        retry: list[Item] = []
        refused: list[tuple[Item, str]] = []
        for item in waiting:
            if id(item) not in taken:
                sent, reason = origins.get(id(item), (item,)), refusals.get(id(item))
                if reason is None:
                    retry += sent
                else:
                    refused += ((one, reason) for one in sent)
        why = self._cure or self._trouble if retry else None
        return Delivery(retry, refused, self._retry_after, why)


def _named(status: int) -> str:
    """Status and phrase, as in `400 Bad Request`: also the reason of a refusal in the books."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
