"""The server's own description (OpenAPI 3.1), served at /openapi.json and checked by the tests.

The server allows more than HoneyHive's document: few fields of a session or event are required, and
null means absent.
"""

from __future__ import annotations

from functools import cache

import orjson

from .._base.version import __version__
from ._guard import BATCH_ROUTE
from ._schemas import (
    BATCH,
    EVENTS,
    QUERY,
    SCHEMAS,
    STRING,
    Schema,
    array,
    obj,
    or_null,
    ref,
)

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def _alone(name: str, other: str) -> Schema:
    """A body with events under this name, and nothing under the other."""
    return {**obj((name,), **{name: array(ref("NewEvent"))}), "not": {"required": [other]}}


_SIGNALS = {
    "Traces": "OTLP spans, which become sessions and events; odd ones are rejected one by one",
    "Logs": "OTLP log records; GenAI events become part of their spans",
    "Metrics": "OTLP metrics, which are left out",
}

# Method, path, summary, request body, reply.
_OPERATIONS: tuple[tuple[str, str, str, Schema | None, Schema], ...] = (
    (
        "post",
        "/session/start",
        "Start a session; a known id is merged",
        obj(("session",), session=ref("Session")),
        ref("Event"),
    ),
    (
        "post",
        BATCH_ROUTE,
        "Many sessions and updates, each with its own result",
        obj(sessions=or_null(array({})), updates=or_null(array({}))),
        ref("Accepted"),
    ),
    ("get", "/session/{session_id}", "A session", None, ref("Event")),
    (
        "post",
        "/session/{session_id}/traces",
        "Events of a session",
        {"oneOf": [_alone("events", "logs"), _alone("logs", "events")]},
        ref("Done"),
    ),
    (
        "post",
        "/events",
        "Create an event",
        obj(("event",), event=ref("NewEvent")),
        ref("Created"),
    ),
    ("put", "/events", "Update an event or session", ref("UpdateById"), ref("Done")),
    ("get", "/events", "Events by filter", None, ref("Events")),
    ("post", "/events/batch", "Create events: all or none", EVENTS, ref("CreatedMany")),
    (
        "post",
        "/events/model",
        "Create the event of an LLM call",
        obj(("model_event",), model_event=ref("NewModelEvent")),
        ref("Created"),
    ),
    (
        "post",
        "/events/model/batch",
        "Create the events of LLM calls: all or none",
        obj(("model_events",), model_events=array(ref("NewModelEvent")), **BATCH),
        ref("CreatedMany"),
    ),
    ("post", "/events/export", "Events by filter", ref("Query"), ref("Events")),
    ("post", "/v1/sessions", "Start a session", ref("Session"), ref("Event")),
    ("get", "/v1/sessions/{session_id}", "A session as a tree", None, ref("Tree")),
    (
        "post",
        "/v1/sessions/{session_id}/events/batch",
        "Events of a session: all or none",
        obj(("events",), events=array(ref("NewEvent"))),
        ref("Done"),
    ),
    ("post", "/v1/events", "Create an event", ref("NewEvent"), ref("Created")),
    ("get", "/v1/events", "Events by filter", None, ref("Events")),
    ("post", "/v1/events/batch", "Create events: all or none", EVENTS, ref("CreatedMany")),
    ("post", "/v1/events/search", "Events by filter", ref("Query"), ref("Events")),
    ("post", "/v1/events/export", "Events by filter", ref("Query"), ref("Events")),
    (
        "get",
        "/v1/events/{event_id}",
        "An event",
        None,
        obj(("event",), event=ref("Event")),
    ),
    ("put", "/v1/events/{event_id}", "Update an event", ref("Update"), ref("Done")),
    *(
        ("post", f"{prefix}/v1/{signal.lower()}", summary, ref(signal), ref("Exported"))
        for prefix in ("", "/opentelemetry")
        for signal, summary in _SIGNALS.items()
    ),
    (
        "get",
        "/health",
        "The server answers",
        None,
        obj(("status",), status={"const": "ok"}),
    ),
    (
        "get",
        "/ready",
        "The store answers: requests can be served",
        None,
        obj(("status",), status={"const": "ready"}),
    ),
    (
        "get",
        "/stats",
        "Counts of spans and log records since the server started",
        None,
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ),
    ("get", "/openapi.json", "This description", None, {"type": "object"}),
)


@cache
def document() -> bytes:
    """Return the description as JSON."""
    paths: Schema = {}
    for method, path, summary, body, reply in _OPERATIONS:
        operation: Schema = {
            "summary": summary,
            "responses": {
                "200": {"description": "Done", "content": {JSON: {"schema": reply}}},
                "default": {
                    "description": "Refused; `message` says why and what to do",
                    "content": {JSON: {"schema": ref("Error")}},
                },
            },
            "parameters": _parameters(method, path),
        }
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
        if path.rpartition("/v1/")[2] in ("traces", "logs", "metrics"):
            operation["requestBody"]["content"][PROTOBUF] = {}
            operation["responses"]["200"]["content"][PROTOBUF] = {}
        paths.setdefault(path, {})[method] = operation
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "honeytrace serve",
                "version": __version__,
                "description": "HoneyHive-compatible sessions and events over a local store. "
                "Bodies may be compressed with gzip; times are milliseconds since the epoch.",
            },
            "paths": paths,
            "components": {
                "schemas": SCHEMAS,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{}, {"key": []}],
        }
    )


def _parameters(method: str, path: str) -> list[Schema]:
    """Return the parameters of an operation: the id in its path, and the filters of a list."""
    if method == "get" and path.endswith("/events"):
        return [{"name": name, "in": "query", "schema": s} for name, s in QUERY.items()]
    return [
        {"name": name, "in": "path", "required": True, "schema": {**STRING, "minLength": 1}}
        for name in ("session_id", "event_id")
        if f"{{{name}}}" in path
    ]
