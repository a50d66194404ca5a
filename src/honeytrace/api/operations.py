"""Every operation of the API, once, without I/O.

An operation is a generator: it yields the `Exchange` it wants, is given the `Reply` (or thrown the
`SDKError`), and returns the typed result. `HoneyHiveCore.call` and `call_async` run it:

    result = core.call(operations.create_event(project="p", …))

Nothing happens before it is run, so that even a ValidationError ends up in the `Result`. Routes:
HoneyHive's OpenAPI documents 1.0.21 (legacy, the default) and 1.2.1 (`…_v1`).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from honeytrace.api import models
from honeytrace.api._reply import Reply
from honeytrace.api._wire import build, read, whole
from honeytrace.api.errors import SDKError, SessionNotFoundError, ValidationError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request an operation wants answered; `expects_json` is off where any 200 will do."""

    method: str
    path: str
    payload: Any = None
    expects_json: bool = True


Operation: TypeAlias = Generator[Exchange, Reply, T]

_ROUTE_GONE = (404, 405, 410)
# a substitute that wants a scope or a UUID (400), or that a server has only announced (501)
_CANNOT_ANSWER = (*_ROUTE_GONE, 400, 501)


def start_session(
    request: models.SessionStartRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.StartSessionResponse]:
    """`POST /session/start`; a dict may be bare, or wrapped in `session` as on the wire."""
    session = build(models.SessionStartRequest, request, fields, wrapper="session")
    reply = yield Exchange("POST", "/session/start", {"session": session})
    return _started(reply, session)


def create_session_v1(
    request: models.CreateSessionRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.StartSessionResponse]:
    """`POST /v1/sessions`, the successor of `start_session`."""
    session = build(models.CreateSessionRequest, request, fields)
    reply = yield Exchange("POST", "/v1/sessions", session)
    return _started(reply, session)


def _started(reply: Reply, sent: dict[str, Any]) -> models.StartSessionResponse:
    event = read(models.Event, reply.json(), reply.raw_response)
    session_id = event.session_id or sent.get("session_id")
    if session_id is None:
        raise ValidationError(
            "Response validation failed: no session_id", event.to_dict(), reply.raw_response
        )
    return models.StartSessionResponse(session_id=session_id, event=event)


def get_session(session_id: str) -> Operation[models.Event]:
    """Read a session from the first route that knows it, which `answered_by` names.

    `GET /session/{id}` is gone from today's published API, so what stood or stands in for it is
    asked next: `GET /v1/sessions/{id}` (1.1.0), `GET /v1/events/{id}` (a session is an event), and
    `POST /v1/events/search`. A reply that says the session does not exist ends the search.

    Raises SessionNotFoundError when none knows it, and SDKError when a route fails otherwise.
    """
    segment = _segment(session_id)
    routes = {
        "GET /session/{session_id}": Exchange("GET", f"/session/{segment}"),
        "GET /v1/sessions/{session_id}": Exchange("GET", f"/v1/sessions/{segment}"),
        "GET /v1/events/{event_id}": Exchange("GET", f"/v1/events/{segment}"),
        "POST /v1/events/search": _session_search(session_id),
    }
    tried: dict[str, Reply] = {}
    conclusive = False
    for route, exchange in routes.items():
        try:
            reply = yield exchange
        except SDKError as error:
            if error.status_code not in (_CANNOT_ANSWER if tried else _ROUTE_GONE):
                raise
            tried[route] = Reply(error.raw_response)
            conclusive = _denies_the_session(error, exchange.path)
        else:
            found = _session_in(exchange, reply.json(), session_id)
            if found is not None:
                return read(models.Event, found, reply.raw_response, answered_by=route)
            tried[route] = reply
            conclusive = True
        if conclusive:
            break
    raise _not_found(session_id, tried, conclusive)


def _session_search(session_id: str) -> Exchange:
    wanted = {"session_id": session_id, "event_type": "session"}
    filters = [models.EventFilter(field=name, value=value) for name, value in wanted.items()]
    query = build(models.EventQuery, fields={"filters": filters, "limit": 1, "page": 1})
    return Exchange("POST", "/v1/events/search", query)


def _session_in(exchange: Exchange, body: Any, session_id: str) -> Any:
    """The session's own object in the reply of a route, or None when the route knows no such."""
    if not isinstance(body, dict):
        return body  # null: no such session; `read` says what is wrong with anything else
    if exchange.method == "POST":
        events = body.get("events")
        if not isinstance(events, list):
            return events  # as above
        return next((e for e in events if read(models.Event, e).event_id == session_id), None)
    return body.get("event", body)


def _denies_the_session(error: SDKError, path: str) -> bool:
    """Tell whether a 404 means "no such session" rather than "no such path"."""
    text = error.body.lower()
    return (
        error.status_code == 404
        and "html" not in error.content_type
        and ("session" in text or "event" in text)
        and path.lower() not in text
    )


def _not_found(session_id: str, tried: dict[str, Reply], conclusive: bool) -> SessionNotFoundError:
    statuses = {route: reply.status_code for route, reply in tried.items()}
    message = f"No session {session_id!r} on this server"
    if not conclusive:
        message = (
            f"No route of this server answered for session {session_id!r}: {statuses}. There is no "
            "such session, or the server offers no lookup: check server_url, or export its events."
        )
    first = next(iter(tried.values()))
    return SessionNotFoundError(message, first.raw_response, statuses, conclusive)


def update_session(session_id: str, **fields: Any) -> Operation[None]:
    """`PUT /events` with the session's id: a session is an event. See `UpdateEventRequest`."""
    yield from update_event(event_id=session_id, **fields)


def create_event(
    request: models.CreateEventRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.CreateEventResponse]:
    """`POST /events`."""
    event = build(models.CreateEventRequest, request, fields, wrapper="event")
    reply = yield Exchange("POST", "/events", {"event": event})
    return read(models.CreateEventResponse, reply.json(), reply.raw_response)


def update_event(
    request: models.UpdateEventRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[None]:
    """`PUT /events`; the reply carries nothing."""
    payload = build(models.UpdateEventRequest, request, fields)
    _segment(payload["event_id"])
    yield Exchange("PUT", "/events", payload, expects_json=False)


def create_event_batch(
    request: models.EventBatchRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventBatchResponse]:
    """`POST /events/batch`. Raises PartialBatchError when a part of it was stored."""
    payload = build(models.EventBatchRequest, request, fields)
    reply = yield Exchange("POST", "/events/batch", payload)
    return read(models.EventBatchResponse, reply.json(), reply.raw_response)


def create_model_event(
    request: models.CreateModelEventRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.CreateEventResponse]:
    """`POST /events/model`."""
    event = build(models.CreateModelEventRequest, request, fields, wrapper="model_event")
    reply = yield Exchange("POST", "/events/model", {"model_event": event})
    return read(models.CreateEventResponse, reply.json(), reply.raw_response)


def create_model_event_batch(
    request: models.ModelEventBatchRequest | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventBatchResponse]:
    """`POST /events/model/batch`. Raises PartialBatchError when a part of it was stored."""
    payload = build(models.ModelEventBatchRequest, request, fields)
    reply = yield Exchange("POST", "/events/model/batch", payload)
    return read(models.EventBatchResponse, reply.json(), reply.raw_response)


def get_events(
    request: models.EventQuery | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventsPage]:
    """`POST /events/export`: events by filter; `project` is required here."""
    payload = build(models.EventQuery, request, fields)
    if "project" not in payload:
        raise ValidationError("Input validation failed: project is required", payload)
    return (yield from _events("/events/export", payload))


def export_events_v1(
    request: models.EventQuery | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventsPage]:
    """`POST /v1/events/export` (deprecated by the API in favour of search)."""
    return (yield from _events("/v1/events/export", build(models.EventQuery, request, fields)))


def search_events_v1(
    request: models.EventQuery | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventsPage]:
    """`POST /v1/events/search`."""
    return (yield from _events("/v1/events/search", build(models.EventQuery, request, fields)))


def _events(path: str, payload: dict[str, Any]) -> Operation[models.EventsPage]:
    reply = yield Exchange("POST", path, payload)
    body = reply.json()
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise ValidationError("Response validation failed: no events", body, reply.raw_response)
    total = body.get("totalEvents", body.get("count"))  # renamed in 2026-05
    return models.EventsPage(
        events=[
            read(models.Event, event, reply.raw_response, answered_by=f"POST {path}")
            for event in events
        ],
        total=whole(total),
    )


def create_event_v1(
    request: models.CreateEventRequestV1 | models.JsonObject | None = None, **fields: Any
) -> Operation[models.CreateEventResponse]:
    """`POST /v1/events`."""
    event = build(models.CreateEventRequestV1, request, fields)
    reply = yield Exchange("POST", "/v1/events", event)
    return read(models.CreateEventResponse, reply.json(), reply.raw_response)


def create_event_batch_v1(
    request: models.EventBatchRequestV1 | models.JsonObject | None = None, **fields: Any
) -> Operation[models.EventBatchResponse]:
    """`POST /v1/events/batch`. Raises PartialBatchError when a part of it was stored."""
    payload = build(models.EventBatchRequestV1, request, fields)
    reply = yield Exchange("POST", "/v1/events/batch", payload)
    return read(models.EventBatchResponse, reply.json(), reply.raw_response)


def get_event_v1(event_id: str) -> Operation[models.Event]:
    """`GET /v1/events/{event_id}`."""
    reply = yield Exchange("GET", f"/v1/events/{_segment(event_id)}")
    body = reply.json()
    event = body.get("event", body) if isinstance(body, dict) else body
    route = "GET /v1/events/{event_id}"
    return read(models.Event, event, reply.raw_response, answered_by=route)


def update_event_v1(event_id: str, **fields: Any) -> Operation[None]:
    """`PUT /v1/events/{event_id}`; fields as of `UpdateEventRequest`."""
    path = f"/v1/events/{_segment(event_id)}"
    payload = build(models.UpdateEventRequest, fields={**fields, "event_id": event_id})
    del payload["event_id"]  # the path says it
    yield Exchange("PUT", path, payload, expects_json=False)


def _segment(identifier: Any) -> str:
    """An id as one path segment. Raises ValidationError for what would name another route."""
    if not isinstance(identifier, str) or identifier in ("", ".", ".."):
        raise ValidationError(
            f"Input validation failed: {identifier!r:.80} is not the id of a session or event",
            identifier,
        )
    try:
        return quote(identifier, safe="")
    except UnicodeEncodeError as error:
        raise ValidationError(f"Input validation failed: {error}", identifier) from error
