"""A finished span in one plain shape, and the event fields that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class SpanEvent(NamedTuple):
    """A point in time on a span."""

    name: str
    time: int
    """Nanoseconds since the epoch."""
    attributes: Mapping[str, Any]


class SpanLink(NamedTuple):
    """A reference to another span; ids are lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


class Span(NamedTuple):
    """A finished span. Ids are lower-case hex, times nanoseconds since the epoch.

    Source: opentelemetry-proto 1.x, trace/v1.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any] = {}
    kind: str = ""
    """`INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER` or `CONSUMER`; empty where it is not known."""
    scope: Mapping[str, Any] = {}
    """`name`, `version` and `attributes` of the instrumentation scope, as far as they are set."""
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanLink] = ()
    failed: bool = False
    """True if the status is ERROR."""
    message: str = ""
    """The status message; often empty."""
    trace_state: str = ""
    dropped: Mapping[str, int] = {}
    """Counts of the `attributes`, `events` and `links` that the SDK dropped, without zeros."""


@dataclass(slots=True, init=False)
class Fields:
    """The fields of an event, as far as a span tells them. Times are not among them."""

    event_type: str
    event_name: str
    project: str | None
    """From HoneyHive's attributes, or `service.name`."""
    source: str | None
    """From HoneyHive's attributes, or `deployment.environment.name`."""
    session_id: str | None
    """The session that HoneyHive's tracers started for the span."""
    conversation: str | None
    """The id under which an application groups its traces (`session.id` and its siblings)."""
    error: str | None
    traceback: str | None
    config: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    metrics: dict[str, Any]
    feedback: dict[str, Any]
    metadata: dict[str, Any]
    user_properties: dict[str, Any]
    own: dict[str, Any]
    """Record fields (`event_id`, `parent_id`, `status`, …) of a span that honeytrace exported."""

    def __init__(self, event_type: str, event_name: str) -> None:
        """Nothing but a type and a name. Written out: factories for the fields take as much time
        as a look at the attributes."""
        self.event_type = event_type
        self.event_name = event_name
        self.project = self.source = self.session_id = self.conversation = None
        self.error = self.traceback = None
        self.config, self.inputs, self.outputs, self.metadata = {}, {}, {}, {}
        self.metrics, self.feedback, self.user_properties, self.own = {}, {}, {}, {}
