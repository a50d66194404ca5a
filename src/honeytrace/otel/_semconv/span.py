"""A finished span in one plain shape, and the event fields that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Fields:
    """The fields of an event, as far as a span tells them. Times are not among them."""

    event_type: str
    event_name: str
    project: str | None = None
    """From HoneyHive's attributes, or `service.name`."""
    source: str | None = None
    """From HoneyHive's attributes, or `deployment.environment.name`."""
    session_id: str | None = None
    """The session that HoneyHive's tracers started for the span."""
    conversation: str | None = None
    """The id under which an application groups its traces (`session.id` and its siblings)."""
    error: str | None = None
    traceback: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    feedback: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    user_properties: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    """Record fields (`event_id`, `parent_id`, `status`, …) of a span that honeytrace exported."""
