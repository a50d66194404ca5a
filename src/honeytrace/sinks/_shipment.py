"""A batch being delivered: its requests, and the meaning of each reply for the records in it.

docs/delivery.md has the meanings as a table. Nothing here does I/O.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from .._network.retry_after import retry_after
from .._record.record import Item, Update
from ..errors import HoneytraceError
from . import Delivery
from ._answer import Answer, UnusualReplyError
from ._requests import EVENTS, Request, requests

BATCH_HEADER = "honeytrace-batch"
"""The header in which a server names its route for many sessions at once."""

_AGAIN = (408, 425, 429)
_NO_ROUTE = (404, 405, 410)
_REDIRECTS = (307, 308)
_CURES = {
    401: "check the API key (HH_API_KEY, HONEYTRACE_API_KEY or configure(api_key=…))",
    402: "the server takes nothing more for this key until its account is in order",
    403: "use an API key (HH_API_KEY, HONEYTRACE_API_KEY) that may write to this project",
    407: "write the proxy's user and password into HTTP_PROXY (http://user:password@host)",
}
"""The cure of a refusal that concerns every record alike, by its status."""
_ELSE = "check HH_API_URL, HONEYTRACE_SERVER_URL or configure(server_url=…)"
_TRUST = "set SSL_CERT_FILE to the certificate of the authority that signed the server's"
_ENOUGH = 3
"""Requests in a row without a reply after which the rest of the batch is not sent."""


class Server:
    """The knowledge about a server that its replies have given."""

    def __init__(self, url: str, layout: str, longest_pause: float) -> None:
        self.url, self.layout = url, layout
        self.longest_pause = longest_pause
        """Seconds to wait at most if the server asks for a pause. Some ask for a year."""
        self.batch_path: str | None = None
        """The route for many sessions in one request, if the server has announced it."""
        self.proven: set[str] = set()
        """Routes that have answered successfully."""
        self.redirects = False
        """True if the server has answered a request with a redirect."""


class Shipment:
    """A batch being delivered: the `Work` of the driver."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._queue: deque[Request] = deque()
        self._accepted: list[Sequence[Item]] = []
        self._refused: dict[int, str] = {}
        """The reason, by the identity of the item. An item in neither is retried."""
        self._unanswered = 0
        """Requests without a reply, in a row."""
        self._is_stopped = False
        self._trouble: str | None = None
        self._cure: str | None = None
        """The fault of the key or the URL, and the cure."""
        self._retry_after: float | None = None
        self._unusual: list[Request] = []
        """Requests whose replies are left to httpx."""
        self._leaves_unusual = True

    # the requests

    def add(self, step: Iterable[Request]) -> None:
        """Add requests."""
        self._queue.extend(step)

    def leave_unusual(self, leaves: bool) -> None:
        """Choose the sender from here on: the driver, which leaves unusual replies, or httpx."""
        self._leaves_unusual = leaves
        if not leaves:
            self._queue.extendleft(reversed(self._unusual))
            self._unusual.clear()

    @property
    def is_done(self) -> bool:
        """True if no request is left that should be sent."""
        return not self._queue or self._is_stopped

    def next_request(self) -> Request | None:
        return None if self.is_done else self._queue.popleft()

    # the outcomes

    def failed(self, request: Request, error: Exception, *, others_answered: bool) -> None:
        if isinstance(error, UnusualReplyError) and self._leaves_unusual:
            self._unusual.append(request)
            return
        if not others_answered:
            self._unanswered += 1
            self._is_stopped = self._is_stopped or self._unanswered >= _ENOUGH
        if self._trouble is None:
            cure = f"; {_TRUST}" if isinstance(error, ssl.SSLCertVerificationError) else ""
            self._trouble = f"{self._server.url}: {error or type(error).__name__}{cure}"

    def answered(self, request: Request, answer: Answer) -> None:
        self._unanswered = 0
        if self._leaves_unusual and _is_unusual(answer):
            self._server.redirects = self._server.redirects or answer.status_code in _REDIRECTS
            self._unusual.append(request)
            return
        path = answer.headers.get(BATCH_HEADER, "")
        if path.startswith("/"):
            self._server.batch_path = path
        if answer.status_code == 200 and (request.path == EVENTS or _is_json(answer)):
            self._server.proven.add(request.path)
            self._accept(request, answer)
        elif answer.status_code == 500 and (stored := _stored_in_part(answer)) is not None:
            if taken := [item for item in request.items if item.event_id in stored]:
                self._accepted.append(taken)
        else:
            self._fault(request, answer)

    def _fault(self, request: Request, answer: Answer) -> None:
        status = answer.status_code
        if status >= 500 or status in _AGAIN:
            self._later(answer)
        elif status in _NO_ROUTE and request.is_mixed:
            self._server.batch_path = None
            for step in requests(request.items, self._server.layout, None):
                self.add(step)
        elif status < 400 or status in _CURES or self._is_astray(request, status):
            self._stop(request, answer)
        elif len(request.items) > 1:
            self._queue.extendleft(request.halves())
        else:
            (item,) = request.items
            self._refused[id(item)] = "too large" if status == 413 else _named(status)

    def _is_astray(self, request: Request, status: int) -> bool:
        """Tell whether the route is missing, rather than the event that a `PUT` is about."""
        return (
            status in _NO_ROUTE
            and request.path not in self._server.proven
            and (request.method, status) != ("PUT", 404)
        )

    def _accept(self, request: Request, answer: Answer) -> None:
        told = orjson.loads(answer.body)["refused"] if request.is_mixed else ()
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

    def _later(self, answer: Answer) -> None:
        """Note that the server is busy. If it asks for a pause, nothing more is sent."""
        wait = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        self._is_stopped = self._is_stopped or wait is not None or answer.status_code == 429
        wait = min(wait or 0.0, self._server.longest_pause)
        self._retry_after = max(wait, self._retry_after or 0.0) or None
        self._trouble = self._trouble or f"{self._server.url} answers {_named(answer.status_code)}"

    def _stop(self, request: Request, answer: Answer) -> None:
        """Note a fault that concerns the whole batch and has a cure."""
        self._is_stopped = True
        cure = _CURES.get(answer.status_code, _ELSE)
        told = f"{_named(answer.status_code)}{_elsewhere(answer)}"
        self._cure = f"{self._server.url}{request.path} answers {told}: {cure}"

    # the result

    def delivery(
        self, waiting: Sequence[Item], origins: dict[int, list[Item]], *, is_late: bool
    ) -> Delivery:
        """Return the fate of every item. Raises HoneytraceError with the reason if none has one."""
        if is_late:
            self._trouble = self._trouble or f"{self._server.url} gave no reply in time"
        settled = self._accepted or self._refused or self._retry_after or self._cure
        if not settled and self._trouble:
            raise HoneytraceError(self._trouble)
        if not self._refused and sum(map(len, self._accepted)) == len(waiting):
            return Delivery([], [])
        taken = {id(item) for items in self._accepted for item in items}
        retry: list[Item] = []
        refused: list[tuple[Item, str]] = []
        for item in waiting:
            if id(item) not in taken:
                sent, reason = origins.get(id(item), (item,)), self._refused.get(id(item))
                if reason is None:
                    retry += sent
                else:
                    refused += ((one, reason) for one in sent)
        why = self._cure or self._trouble if retry else None
        return Delivery(retry, refused, self._retry_after, why)


def _is_unusual(answer: Answer) -> bool:
    """Tell whether httpx must send the request again: to another URL, or to unpack the reply."""
    packed = answer.headers.get("content-encoding", "identity").lower() != "identity"
    return packed or answer.status_code in _REDIRECTS


def _is_json(answer: Answer) -> bool:
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    return media_type.strip().lower() == "application/json"


def _stored_in_part(answer: Answer) -> set[Any] | None:
    """Return the ids that a batch route has stored in spite of its error; None if it names none."""
    try:
        body = orjson.loads(answer.body)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    stored, errors = body.get("event_ids"), body.get("errors")
    if not (isinstance(stored, list) or isinstance(errors, list)):
        return None
    return {each for each in stored or () if isinstance(each, str)}


def _elsewhere(answer: Answer) -> str:
    """Return the target of a redirect for the log, or an empty text."""
    try:
        there = urlsplit(answer.headers.get("location", ""))
        name = f"{there.scheme}://{there.hostname}" if there.hostname else ""
    except ValueError:
        return ""
    return f" to {name}" if name.isprintable() and name else ""


def _named(status: int) -> str:
    """Return status and phrase, as in `400 Bad Request`. It is also the reason in `stats()`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
