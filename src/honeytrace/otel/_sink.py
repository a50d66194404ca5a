"""A sink that sends sessions as spans to any OpenTelemetry collector, by OTLP over HTTP."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .._capture.context import paused
from .._record.merge import apply
from .._record.record import Item, Record, Update
from ..errors import ConfigurationError
from ..sinks import Delivery
from ._encode import body, encoded

_AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of a collector that may take the same request later."""

_CURES = {
    401: "the collector asks for credentials: OtlpSink(headers={…})",
    403: "the collector does not allow it: are the headers those of this destination?",
    404: "there is no OTLP receiver at this address",
}
"""Statuses that say nothing about the records: they wait until somebody has mended it."""

_FRAME = 64
"""Bytes around a span in a request, at most, and around the first one a few hundred more."""

_ZIPPED = 1_000
"""Bytes below which a request is not worth compressing."""


class OtlpSink:
    """`honeytrace.configure(sink=OtlpSink("http://collector:4318"))`: sessions as GenAI spans.

    endpoint: the collector's address; `/v1/traces` is added unless it ends so.
    headers: sent with each request, such as an API key.
    content: False leaves inputs and outputs out.
    compress: True sends requests gzipped, for a collector that is far away: it takes as much time
    as everything else.
    max_bytes: how large a request may be, before compression. A larger batch is divided; a record
    that alone is larger loses its largest objects, with a note of their sizes.

    Ids are deterministic, so that a repeat is the same span: the trace id is the root's id, the
    span id the lower half of the session's own. A span never changes: an update that comes later
    than its session is refused, and counted in `stats()`.
    Raises ConfigurationError for an endpoint that is no URL.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bool = True,
        compress: bool = False,
        max_bytes: int = 4_000_000,
    ) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"endpoint={endpoint!r}: it must be an http:// or https:// URL"
            )
        if max_bytes < 1_000:
            raise ConfigurationError(f"max_bytes={max_bytes}: it must be 1000 or more")
        address = endpoint.rstrip("/")
        self.url = address if address.endswith("/v1/traces") else f"{address}/v1/traces"
        self._headers = {"Content-Type": "application/x-protobuf", **(headers or {})}
        self._content = content
        self._compress = compress
        self._max_bytes = max_bytes
        self._client: Any = None
        self._process = 0

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Send the batch, in requests of at most `max_bytes`."""
        deadline = time.monotonic() + timeout
        records, refused = _folded(batch)
        requests = list(self._requests(records))
        while requests:
            part = requests.pop(0)
            left = deadline - time.monotonic()
            answer = self._send(part, left) if left > 0 else _Answer(why="no time was left")
            if answer.divide and len(part) > 1:
                half = len(part) // 2
                requests[:0] = [part[:half], part[half:]]
            elif answer.refused is not None:
                count = min(answer.rejected or len(part), len(part))
                refused += [(record, answer.refused) for record, _ in part[-count:]]
            elif answer.why is not None:
                rest = [record for each in (part, *requests) for record, _ in each]
                return Delivery(rest, refused, answer.retry_after, answer.why)
        return Delivery(refused=refused)

    def close(self) -> None:
        """Close the connections; the next delivery opens its own."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _requests(self, records: Sequence[Record]) -> Iterator[list[tuple[Record, bytes]]]:
        """The records with their spans, in parts that fit into a request each."""
        part: list[tuple[Record, bytes]] = []
        size = 0
        limit = self._max_bytes - 1_000 if self._max_bytes > 2_000 else self._max_bytes
        for record in records:
            span = encoded(record, content=self._content, max_bytes=limit)
            if part and size + len(span) + _FRAME > limit:
                yield part
                part, size = [], 0
            part.append((record, span))
            size += len(span) + _FRAME
        if part:
            yield part

    def _send(self, part: Sequence[tuple[Record, bytes]], timeout: float) -> _Answer:
        """Send one request, and read its answer."""
        from ..api._httpx import httpx  # 60 ms, which a program without this sink does not pay

        groups: dict[tuple[str, str], list[bytes]] = {}
        for record, span in part:
            groups.setdefault((record.project, record.source), []).append(span)
        data = b"".join(body(*names, spans) for names, spans in groups.items())
        headers = dict(self._headers)
        if self._compress and len(data) > _ZIPPED:
            data = gzip.compress(data, 1)
            headers["Content-Encoding"] = "gzip"
        if self._client is None or self._process != os.getpid():
            # a forked child must not speak over its parent's connections
            self._client, self._process = httpx.Client(), os.getpid()
        try:
            with paused():  # a client that is traced would record its own delivery for ever
                reply = self._client.post(self.url, content=data, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            return _Answer(why=f"{self.url}: {type(error).__name__}: {error}")
        return _answer(reply, self.url)


class _Answer:
    """The outcome of one request; without other fields, everything was accepted."""

    __slots__ = ("divide", "refused", "rejected", "retry_after", "why")

    def __init__(
        self,
        *,
        refused: str | None = None,
        rejected: int = 0,
        why: str | None = None,
        retry_after: float | None = None,
        divide: bool = False,
    ) -> None:
        self.refused = refused
        self.rejected = rejected
        """The number of spans that `refused` is about; 0 means all of the request's."""
        self.why = why
        self.retry_after = retry_after
        self.divide = divide
        """True if halves of the request may fare better."""


def _answer(reply: Any, url: str) -> _Answer:
    status = reply.status_code
    if 200 <= status < 300:
        return _partial(reply)
    text = f"{url}: HTTP {status} {reply.text[:200]}".rstrip()
    if status in _CURES:
        return _Answer(why=f"{text}: {_CURES[status]}")
    if status in _AGAIN:
        return _Answer(why=text, retry_after=_seconds(reply.headers.get("Retry-After")))
    if 300 <= status < 400:
        return _Answer(why=f"{text}: it points elsewhere; give OtlpSink the final address")
    # too large, or one bad span among good ones
    return _Answer(refused=text, divide=True)


def _partial(reply: Any) -> _Answer:
    """A success, of which the collector may have rejected a part; it does not say which."""
    if not reply.content or "protobuf" not in reply.headers.get("Content-Type", ""):
        return _Answer()
    response = ExportTraceServiceResponse()
    try:
        response.ParseFromString(reply.content)
    except DecodeError:
        return _Answer()
    count = response.partial_success.rejected_spans
    if count <= 0:
        return _Answer()
    message = response.partial_success.error_message
    return _Answer(refused=f"rejected by the collector: {message}", rejected=count)


def _folded(batch: Sequence[Item]) -> tuple[list[Record], list[tuple[Item, str]]]:
    """The records with the updates that came together with them; other updates are refused."""
    records: dict[str, Record] = {}
    refused: list[tuple[Item, str]] = []
    for item in batch:
        if isinstance(item, Record):
            records[item.event_id] = item
        elif item.event_id in records:
            records[item.event_id] = apply(records[item.event_id], item)
        elif not _is_family(item):
            refused.append((item, "a span that was sent cannot be updated by OTLP"))
    return list(records.values()), refused


def _is_family(update: Update) -> bool:
    """True if an update only names children, which name their parent themselves."""
    return update.fields.keys() <= {"children_ids"}


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; None for none, and for a date."""
    try:
        return max(float(header), 0.0) if header else None
    except ValueError:
        return None
