"""Schemas of requests and replies, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from .._record.record import OBJECTS, RESERVED
from ._search import MAX_LIMIT, OPERATORS, TYPES
from ._wire import EVENT_TYPES, SAFE, TEXT_LIMIT

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def obj(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
_NAME = or_null({"type": "string", "maxLength": TEXT_LIMIT})
_NUMBER = or_null({"type": "number", "minimum": -SAFE, "maximum": SAFE})
_ANY_OBJECT = or_null({"type": "object"})
_IDS = array(STRING)
_RESERVED: Schema = {
    "description": "Details of honeytrace; `parent_id` and `root_id` make a tree of sessions.",
    "properties": {
        **dict.fromkeys(("parent_id", "root_id", "status"), _NAME),
        "event_type": {"enum": [*EVENT_TYPES, None]},
    },
}
_METADATA = or_null(obj(**{RESERVED: _RESERVED}))

_SHARED: Schema = {
    **dict.fromkeys(("session_id", "event_id", "parent_id", "session_name", "event_name"), _NAME),
    **dict.fromkeys(("project", "source", "status", "event_type"), _NAME),
    **dict.fromkeys(("start_time", "end_time", "duration"), _NUMBER),
    **dict.fromkeys(OBJECTS, _ANY_OBJECT),
    "metadata": _METADATA,
    "error": or_null(STRING),
    "children_ids": or_null(_IDS),
}
_FOLDED = ("config", "inputs", "outputs", "metadata", "event_type")
"""Fields of an event that are filled from the fields of a model event."""

_FILTER = obj(
    ("field",),
    field={**STRING, "description": "A name, or a path such as `metadata.cost`."},
    operator={"enum": list(OPERATORS)},
    type={"enum": list(TYPES)},
    value={"description": "A value of the `type`, or its text; exists ignores it."},
)
_MOMENT: Schema = {
    "type": ["string", "number", "null"],
    "description": "An ISO date, or milliseconds.",
}

SCHEMAS: Schema = {
    "Session": obj(**_SHARED),
    "NewEvent": obj(("event_type",), **{**_SHARED, "event_type": {"enum": list(EVENT_TYPES)}}),
    "NewModelEvent": obj(
        usage=_METADATA,
        template_inputs=_ANY_OBJECT,
        response=_ANY_OBJECT,
        **{name: schema for name, schema in _SHARED.items() if name not in _FOLDED},
    ),
    "Update": obj(**{name: schema for name, schema in _SHARED.items() if name != "event_id"}),
    "UpdateById": obj(("event_id",), **{**_SHARED, "event_id": {**STRING, "minLength": 1}}),
    "Query": obj(
        project=or_null(STRING),
        filters=or_null(array(_FILTER)),
        dateRange=or_null(obj(**{"$gte": _MOMENT, "$lte": _MOMENT})),
        projections=or_null(_IDS),
        limit=or_null({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
        page=or_null({"type": "integer", "minimum": 1}),
    ),
    "Event": obj(
        ("event_id", "session_id", "org_id", "workspace_id", "project_id"),
        **dict.fromkeys(
            ("event_id", "session_id", "parent_id", "org_id", "workspace_id", "project_id"), STRING
        ),
        **dict.fromkeys(("project", "source", "event_name", "error"), STRING),
        event_type={"enum": list(EVENT_TYPES)},
        start_time={"type": "number"},
        end_time={"type": "integer"},
        duration={"type": "number"},
        children_ids=_IDS,
        **{name: {"type": "object"} for name in OBJECTS},
    ),
    "Tree": {
        "allOf": [ref("Event"), obj(("children",), children=array(ref("Tree")))],
    },
    "Created": obj(("event_id", "success"), event_id=STRING, success=BOOLEAN),
    "CreatedMany": obj(
        ("event_ids", "success"), event_ids=_IDS, session_id=STRING, success=BOOLEAN
    ),
    "Done": obj(("success",), success=BOOLEAN),
    "Events": obj(
        ("events", "totalEvents", "count"),
        events=array({"type": "object"}),
        totalEvents={"type": "integer"},
        count={"type": "integer"},
    ),
    "Accepted": obj(
        ("accepted", "refused"),
        accepted={"type": "integer"},
        refused=array(
            obj(
                ("index", "kind", "reason"),
                index={"type": "integer"},
                kind={"enum": ["session", "update"]},
                reason=STRING,
            )
        ),
    ),
    "Traces": obj(resourceSpans={}),
    "Logs": obj(resourceLogs={}),
    "Metrics": {"description": "Not read."},
    "Exported": obj(
        partialSuccess=obj(rejectedSpans=STRING, rejectedLogRecords=STRING, errorMessage=STRING)
    ),
    "Error": obj(("message", "errorCode"), message=STRING, errorCode=STRING),
}

BATCH: Schema = {
    **dict.fromkeys(("is_single_session", "single_session"), or_null(BOOLEAN)),
    **dict.fromkeys(("session_properties", "session"), or_null(obj(**_SHARED))),
}
EVENTS = obj(("events",), events=array(ref("NewEvent")), **BATCH)
QUERY = {
    **dict.fromkeys(("project", "filters", "dateRange"), STRING),
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    "page": {"type": "integer", "minimum": 1},
}
