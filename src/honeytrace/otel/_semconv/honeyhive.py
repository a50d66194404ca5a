"""The attributes of HoneyHive's tracers, and those that honeytrace's own exporter adds.

Source: spans of honeyhive 0.2.57 and 1.7.0 (Python) and 1.0.42 (npm): the session in an
association property, inputs, outputs and the like in `honeyhive_<bucket>.<path>` attributes.
"""

from __future__ import annotations

from typing import Any

from .nesting import parsed, place, with_lists
from .span import Fields

BUCKETS = ("config", "feedback", "inputs", "metadata", "metrics", "outputs", "user_properties")

_NAMES = {f"honeyhive_{bucket}": bucket for bucket in BUCKETS}
_ASSOCIATION = "traceloop.association.properties."
_OWN = "honeytrace."

OWN_ID = "honeytrace.event_id"
"""The attribute by which a span that honeytrace exported is recognised."""

_TIMES = ("start_time", "end_time", "duration")
OWN_FIELDS = frozenset(
    ("event_id", "parent_id", "root_id", "event_type", "status", "children_ids", *_TIMES)
)
"""Record fields that honeytrace's exporter sends as `honeytrace.<field>`."""


def read_honeyhive(left: dict[str, Any], fields: Fields) -> None:
    """Names, session, project, source and buckets, as the tracers of HoneyHive write them."""
    fields.session_id = _take(left, "session_id")
    fields.project = _take(left, "project")
    fields.source = _take(left, "source")
    if left.get("honeyhive_event_type") == fields.event_type:
        del left["honeyhive_event_type"]
    name = left.pop("honeyhive_event_name", None)
    if name:
        fields.event_name = str(name)
    error = left.pop("honeyhive_error", None)
    if error is not None:
        fields.error = str(error)
    nested: dict[str, dict[str, Any]] = {}
    for name in [name for name in left if name.startswith("honeyhive_")]:
        head, _, path = name.partition(".")
        bucket = _NAMES.get(head)
        if bucket is None:
            continue
        value = parsed(left.pop(name))
        target = nested.setdefault(bucket, {})
        if path:
            place(target, path.removeprefix("_params_."), value)
        elif type(value) is dict:
            target.update(value)
        else:
            target["value"] = value
    for bucket, values in nested.items():
        getattr(fields, bucket).update({key: with_lists(item) for key, item in values.items()})


def read_own(left: dict[str, Any], fields: Fields) -> None:
    """Record fields of a span that honeytrace exported, so that a round trip changes nothing."""
    for name in [name for name in left if name.startswith(_OWN)]:
        field = name[len(_OWN) :]
        if field in OWN_FIELDS:
            fields.own[field] = parsed(left.pop(name))
    kind = fields.own.pop("event_type", None)
    if type(kind) is str:
        fields.event_type = kind


def _take(left: dict[str, Any], name: str) -> str | None:
    """The session, project or source under either of the tracers' names for it."""
    values = [left.pop(prefix + name, None) for prefix in (_ASSOCIATION, "honeyhive.")]
    return next((value for value in values if type(value) is str and value), None)
