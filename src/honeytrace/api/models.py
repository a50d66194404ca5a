"""The requests and replies of HoneyHive: frozen dataclasses with the names of the API.

Field names are the wire's own. Times are milliseconds since the epoch and durations milliseconds,
as on the wire; `end_time` is an integer there (1712025499832.0 is taken, 1.5 is refused). None is
absent: it is never sent as null. `JsonObject` is a mapping with string keys, no list or scalar.

Source: HoneyHive's OpenAPI document 1.0.21 (the `/v1` models: 1.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from honeytrace.api import _wire

JsonObject: TypeAlias = Mapping[str, Any]
Milliseconds: TypeAlias = float  # an int whenever it is a whole number
LegacyEventType: TypeAlias = Literal["model", "tool", "chain"]
EventType: TypeAlias = Literal["session", "model", "tool", "chain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStartRequest:
    """Body of `POST /session/start`: a session, finished or not."""

    project: str
    session_name: str
    source: str
    session_id: str | None = None
    children_ids: Sequence[str] | None = None
    config: JsonObject | None = None
    inputs: JsonObject | None = None
    outputs: JsonObject | None = None
    error: str | None = None
    duration: float | None = None
    user_properties: JsonObject | None = None
    metrics: JsonObject | None = None
    feedback: JsonObject | None = None
    metadata: JsonObject | None = None
    start_time: float | None = None
    end_time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSessionRequest:
    """Body of `POST /v1/sessions`, which knows no project, error, metrics or feedback.

    A `session_id` that is not a UUID is replaced by the server; trust the returned one.
    """

    session_id: str | None = None
    session_name: str | None = None
    event_name: str | None = None
    source: str | None = None
    start_time: float | None = None
    end_time: int | None = None
    duration: float | None = None
    config: JsonObject | None = None
    inputs: JsonObject | None = None
    outputs: JsonObject | None = None
    metadata: JsonObject | None = None
    user_properties: JsonObject | None = None
    children_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEventRequest:
    """Body of `POST /events`, and one event of its batch."""

    project: str
    source: str
    event_name: str
    event_type: LegacyEventType
    config: JsonObject
    inputs: JsonObject
    duration: float
    event_id: str | None = None
    session_id: str | None = None
    parent_id: str | None = None
    children_ids: Sequence[str] | None = None
    outputs: JsonObject | None = None
    error: str | None = None
    start_time: float | None = None
    end_time: int | None = None
    metadata: JsonObject | None = None
    feedback: JsonObject | None = None
    metrics: JsonObject | None = None
    user_properties: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEventRequestV1:
    """Body of `POST /v1/events`: no project, and sessions may be created as events."""

    event_type: EventType
    inputs: JsonObject
    source: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    session_id: str | None = None
    parent_id: str | None = None
    children_ids: Sequence[str] | None = None
    config: JsonObject | None = None
    outputs: JsonObject | None = None
    error: str | None = None
    start_time: float | None = None
    end_time: int | None = None
    duration: float | None = None
    metadata: JsonObject | None = None
    feedback: JsonObject | None = None
    metrics: JsonObject | None = None
    user_properties: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateModelEventRequest:
    """Body of `POST /events/model`: one LLM call, which the server folds into an event."""

    project: str
    model: str
    provider: str
    messages: Sequence[JsonObject]
    response: JsonObject
    duration: float
    usage: JsonObject
    cost: float | None = None
    error: str | None = None
    source: str | None = None
    event_name: str | None = None
    hyperparameters: JsonObject | None = None
    template: Sequence[JsonObject] | None = None
    template_inputs: JsonObject | None = None
    tools: Sequence[JsonObject] | None = None
    tool_choice: str | None = None
    response_format: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEventRequest:
    """Body of `PUT /events`. A session is updated with its `session_id` as `event_id`.

    The server merges config, feedback, metadata, metrics and user_properties, and replaces outputs.
    """

    event_id: str
    metadata: JsonObject | None = None
    feedback: JsonObject | None = None
    metrics: JsonObject | None = None
    outputs: JsonObject | None = None
    config: JsonObject | None = None
    user_properties: JsonObject | None = None
    duration: float | None = None
    end_time: int | None = None
    children_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatchRequest:
    """Body of `POST /events/batch`.

    `session_properties` are those of a start request, without project, children_ids and times.
    """

    events: Sequence[CreateEventRequest | JsonObject]
    is_single_session: bool | None = None
    session_properties: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatchRequestV1:
    """Body of `POST /v1/events/batch`."""

    events: Sequence[CreateEventRequestV1 | JsonObject]
    is_single_session: bool | None = None
    session_properties: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEventBatchRequest:
    """Body of `POST /events/model/batch`."""

    model_events: Sequence[CreateModelEventRequest | JsonObject]
    is_single_session: bool | None = None
    session_properties: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """One condition on events: `field` may be a path such as `metadata.cost`.

    Operators: is, is not, contains, not contains, greater than (1.2.1 adds exists, not exists, less
    than, after, before); types: string, number, boolean. The value is text whatever the type.
    """

    field: str
    operator: str = "is"
    value: str | None = None
    type: str = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Body of the export and search routes; `project` is required by `/events/export` alone.

    `date_range` is `{"$gte": iso, "$lte": iso}`; pages count from 1; limits are 7500 for export and
    1000 for search.
    """

    filters: Sequence[EventFilter | JsonObject]
    project: str | None = None
    date_range: JsonObject | None = field(default=None, metadata={"wire": "dateRange"})
    projections: Sequence[str] | None = None
    limit: int | None = None
    page: int | None = None


_wire.nested("Sequence[CreateEventRequest | JsonObject]", CreateEventRequest)
_wire.nested("Sequence[CreateEventRequestV1 | JsonObject]", CreateEventRequestV1)
_wire.nested("Sequence[CreateModelEventRequest | JsonObject]", CreateModelEventRequest)
_wire.nested("Sequence[EventFilter | JsonObject]", EventFilter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A session, or an event within one, as the server returns it. Every field may be absent.

    A session's name is its `event_name`. `extra` keeps what this class has no field for.
    `answered_by` is the route that returned it, such as `GET /session/{session_id}`.
    """

    project_id: str | None = None
    source: str | None = None
    event_name: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    session_id: str | None = None
    parent_id: str | None = None
    children_ids: Sequence[str] | None = None
    config: JsonObject | None = None
    inputs: JsonObject | None = None
    outputs: JsonObject | None = None
    error: str | None = None
    start_time: Milliseconds | None = None
    end_time: Milliseconds | None = None
    duration: float | None = None
    metadata: JsonObject | None = None
    feedback: JsonObject | None = None
    metrics: JsonObject | None = None
    user_properties: JsonObject | None = None
    extra: JsonObject = field(default_factory=dict)
    answered_by: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The event as the JSON object it came as, without nulls."""
        return _wire.to_dict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSessionResponse:
    """The id the server settled on, and the event it sent along (empty before API 1.1.0)."""

    session_id: str
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEventResponse:
    """Reply to the creation of one event."""

    event_id: str
    success: bool | None = None
    extra: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatchResponse:
    """Reply to a batch that was stored whole."""

    event_ids: Sequence[str] | None = None
    session_id: str | None = None
    success: bool | None = None
    extra: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPage:
    """Reply of the export and search routes; `total` counts all matches, not this page."""

    events: Sequence[Event]
    total: int | None
