"""The server's own description (OpenAPI 3.1), served at /openapi.json and proved by its tests.

It says what this server takes, which is more than HoneyHive's document does: nearly nothing that a
session or event carries is required, and null is absent.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from .._record.record import OBJECTS, RESERVED
from .._version import __version__
from ._guard import BATCH_ROUTE
from ._search import MAX_LIMIT, OPERATORS, TYPES
from ._wire import EVENT_TYPES, SAFE, TEXT_LIMIT

Schema = dict[str, Any]

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_STRING: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_NAME = _or_null({"type": "string", "maxLength": TEXT_LIMIT})
_NUMBER = _or_null({"type": "number", "minimum": -SAFE, "maximum": SAFE})
_ANY_OBJECT = _or_null({"type": "object"})
_IDS = _list(_STRING)
_RESERVED: Schema = {
    "description": "What honeytrace notes; `parent_id` and `root_id` make a tree of sessions.",
    "properties": {
        **dict.fromkeys(("parent_id", "root_id", "status"), _NAME),
        "event_type": {"enum": [*EVENT_TYPES, None]},
    },
}
_METADATA = _or_null(_object(**{RESERVED: _RESERVED}))

_SHARED: Schema = {
    **dict.fromkeys(("session_id", "event_id", "parent_id", "session_name", "event_name"), _NAME),
    **dict.fromkeys(("project", "source", "status", "event_type"), _NAME),
    **dict.fromkeys(("start_time", "end_time", "duration"), _NUMBER),
    **dict.fromkeys(OBJECTS, _ANY_OBJECT),
    "metadata": _METADATA,
    "error": _or_null(_STRING),
    "children_ids": _or_null(_IDS),
}
_FOLDED = ("config", "inputs", "outputs", "metadata", "event_type")
"""Fields of an event that a model event's own fields fill."""

_FILTER = _object(
    ("field",),
    field={**_STRING, "description": "A name, or a path such as `metadata.cost`."},
    operator={"enum": list(OPERATORS)},
    type={"enum": list(TYPES)},
    value={"description": "Of the `type`, or text that says it; for exists it does not matter."},
)
_MOMENT: Schema = {
    "type": ["string", "number", "null"],
    "description": "An ISO date, or milliseconds.",
}
_PAIRS: Schema = {"attributes": _or_null(_list(_ref("Attribute")))}
_HEX: Schema = {"type": "string", "pattern": "^[0-9a-fA-F]*$"}
_NANOSECONDS: Schema = {"type": ["string", "integer"], "pattern": "^[0-9]{1,18}$", "minimum": 0}

_SCHEMAS: Schema = {
    "Session": _object(**_SHARED),
    "NewEvent": _object(("event_type",), **{**_SHARED, "event_type": {"enum": list(EVENT_TYPES)}}),
    "NewModelEvent": _object(
        usage=_METADATA,
        template_inputs=_ANY_OBJECT,
        response=_ANY_OBJECT,
        **{name: schema for name, schema in _SHARED.items() if name not in _FOLDED},
    ),
    "Update": _object(**{name: schema for name, schema in _SHARED.items() if name != "event_id"}),
    "UpdateById": _object(("event_id",), **{**_SHARED, "event_id": {**_STRING, "minLength": 1}}),
    "Query": _object(
        project=_or_null(_STRING),
        filters=_or_null(_list(_FILTER)),
        dateRange=_or_null(_object(**{"$gte": _MOMENT, "$lte": _MOMENT})),
        projections=_or_null(_IDS),
        limit=_or_null({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
        page=_or_null({"type": "integer", "minimum": 1}),
    ),
    "Event": _object(
        ("event_id", "session_id", "org_id", "workspace_id", "project_id"),
        **dict.fromkeys(
            ("event_id", "session_id", "parent_id", "org_id", "workspace_id", "project_id"), _STRING
        ),
        **dict.fromkeys(("project", "source", "event_name", "error"), _STRING),
        event_type={"enum": list(EVENT_TYPES)},
        start_time={"type": "number"},
        end_time={"type": "integer"},
        duration={"type": "number"},
        children_ids=_IDS,
        **{name: {"type": "object"} for name in OBJECTS},
    ),
    "Tree": {
        "allOf": [_ref("Event"), _object(("children",), children=_list(_ref("Tree")))],
    },
    "Created": _object(("event_id", "success"), event_id=_STRING, success=_BOOLEAN),
    "CreatedMany": _object(
        ("event_ids", "success"), event_ids=_IDS, session_id=_STRING, success=_BOOLEAN
    ),
    "Done": _object(("success",), success=_BOOLEAN),
    "Events": _object(
        ("events", "totalEvents", "count"),
        events=_list({"type": "object"}),
        totalEvents={"type": "integer"},
        count={"type": "integer"},
    ),
    "Accepted": _object(
        ("accepted", "refused"),
        accepted={"type": "integer"},
        refused=_list(
            _object(
                ("index", "kind", "reason"),
                index={"type": "integer"},
                kind={"enum": ["session", "update"]},
                reason=_STRING,
            )
        ),
    ),
    "Traces": _object(
        resourceSpans=_or_null(
            _list(
                _object(
                    resource=_or_null(_object(**_PAIRS)),
                    scopeSpans=_or_null(_list(_object(spans=_or_null(_list(_ref("Span")))))),
                )
            )
        )
    ),
    "Span": _object(
        ("traceId", "spanId", "startTimeUnixNano", "endTimeUnixNano"),
        traceId={**_HEX, "minLength": 1},
        spanId={**_HEX, "minLength": 1},
        parentSpanId=_or_null(_HEX),
        name=_or_null(_STRING),
        startTimeUnixNano=_NANOSECONDS,
        endTimeUnixNano=_NANOSECONDS,
        events=_or_null(_list({"type": "object"})),
        status=_or_null(_object(message=_or_null(_STRING))),
        **_PAIRS,
    ),
    "Attribute": _object(
        key=_or_null(_STRING),
        value=_or_null(
            _object(
                intValue={"type": ["string", "integer"], "pattern": "^-?[0-9]{1,18}$"},
                arrayValue={"type": "object"},
                kvlistValue={"type": "object"},
            )
            | {"maxProperties": 1}
        ),
    ),
    "Error": _object(("message", "errorCode"), message=_STRING, errorCode=_STRING),
}

_BATCH: Schema = {
    **dict.fromkeys(("is_single_session", "single_session"), _or_null(_BOOLEAN)),
    **dict.fromkeys(("session_properties", "session"), _or_null(_object(**_SHARED))),
}
_EVENTS = _object(("events",), events=_list(_ref("NewEvent")), **_BATCH)
_QUERY = {
    **dict.fromkeys(("project", "filters", "dateRange"), _STRING),
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    "page": {"type": "integer", "minimum": 1},
}

# method, path, summary, request body, reply
_OPERATIONS: tuple[tuple[str, str, str, Schema | None, Schema], ...] = (
    (
        "post",
        "/session/start",
        "Start a session; a known id is merged",
        _object(("session",), session=_ref("Session")),
        _ref("Event"),
    ),
    (
        "post",
        BATCH_ROUTE,
        "Many sessions and updates, each told apart",
        _object(sessions=_or_null(_list({})), updates=_or_null(_list({}))),
        _ref("Accepted"),
    ),
    ("get", "/session/{session_id}", "A session", None, _ref("Event")),
    (
        "post",
        "/session/{session_id}/traces",
        "Events of a session",
        {
            "oneOf": [
                _object((name,), **{name: _list(_ref("NewEvent"))}) for name in ("events", "logs")
            ]
        },
        _ref("Done"),
    ),
    (
        "post",
        "/events",
        "Create an event",
        _object(("event",), event=_ref("NewEvent")),
        _ref("Created"),
    ),
    ("put", "/events", "Update an event or session", _ref("UpdateById"), _ref("Done")),
    ("get", "/events", "Events by filter", None, _ref("Events")),
    ("post", "/events/batch", "Create events: all or none", _EVENTS, _ref("CreatedMany")),
    (
        "post",
        "/events/model",
        "Create the event of an LLM call",
        _object(("model_event",), model_event=_ref("NewModelEvent")),
        _ref("Created"),
    ),
    (
        "post",
        "/events/model/batch",
        "Create the events of LLM calls: all or none",
        _object(("model_events",), model_events=_list(_ref("NewModelEvent")), **_BATCH),
        _ref("CreatedMany"),
    ),
    ("post", "/events/export", "Events by filter", _ref("Query"), _ref("Events")),
    ("post", "/v1/sessions", "Start a session", _ref("Session"), _ref("Event")),
    ("get", "/v1/sessions/{session_id}", "A session as a tree", None, _ref("Tree")),
    (
        "post",
        "/v1/sessions/{session_id}/events/batch",
        "Events of a session: all or none",
        _object(("events",), events=_list(_ref("NewEvent"))),
        _ref("Done"),
    ),
    ("post", "/v1/events", "Create an event", _ref("NewEvent"), _ref("Created")),
    ("get", "/v1/events", "Events by filter", None, _ref("Events")),
    ("post", "/v1/events/batch", "Create events: all or none", _EVENTS, _ref("CreatedMany")),
    ("post", "/v1/events/search", "Events by filter", _ref("Query"), _ref("Events")),
    ("post", "/v1/events/export", "Events by filter", _ref("Query"), _ref("Events")),
    (
        "get",
        "/v1/events/{event_id}",
        "An event",
        None,
        _object(("event",), event=_ref("Event")),
    ),
    ("put", "/v1/events/{event_id}", "Update an event", _ref("Update"), _ref("Done")),
    (
        "post",
        "/opentelemetry/v1/traces",
        "OTLP spans, which become events",
        _ref("Traces"),
        {"type": "object"},
    ),
    (
        "get",
        "/health",
        "Whether the server answers",
        None,
        _object(("status",), status={"const": "ok"}),
    ),
    ("get", "/openapi.json", "This description", None, {"type": "object"}),
)


@cache
def document() -> bytes:
    """The description as JSON."""
    paths: Schema = {}
    for method, path, summary, body, reply in _OPERATIONS:
        operation: Schema = {
            "summary": summary,
            "responses": {
                "200": {"description": "Done", "content": {JSON: {"schema": reply}}},
                "default": {
                    "description": "Refused; `message` says how to do better",
                    "content": {JSON: {"schema": _ref("Error")}},
                },
            },
            "parameters": _parameters(method, path),
        }
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
        if path.startswith("/opentelemetry"):
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
                "schemas": _SCHEMAS,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{}, {"key": []}],
        }
    )


def _parameters(method: str, path: str) -> list[Schema]:
    """The id in the path, and what a `GET` for many is narrowed by."""
    if method == "get" and path.endswith("/events"):
        return [{"name": name, "in": "query", "schema": s} for name, s in _QUERY.items()]
    return [
        {"name": name, "in": "path", "required": True, "schema": {**_STRING, "minLength": 1}}
        for name in ("session_id", "event_id")
        if f"{{{name}}}" in path
    ]
