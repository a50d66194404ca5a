"""A finished span to the fields of an event. No attribute is lost: what is unknown is metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .content import (
    read_gen_ai,
    read_langfuse,
    read_logfire,
    read_openllmetry,
)
from .event_type import event_type
from .honeyhive import read_honeyhive, read_own
from .nesting import parsed
from .openinference import read_openinference
from .span import Fields, Span
from .span_events import read_events
from .tables import (
    CONVERSATION,
    ENVIRONMENT,
    HYPERPARAMETERS,
    JSON,
    RULES,
    SECONDS,
    SERVICE,
    UNNAMED,
)

_TOKENS = ("prompt_tokens", "completion_tokens")


def event_fields(span: Span) -> Fields:
    """The event that a span stands for, without ids and times.

    Every attribute ends up in a field: under HoneyHive's names where a table or a reader knows
    it, else in `metadata` under its own name. Nothing here raises for the content of a span.
    """
    left = {name: value for name, value in span.attributes.items() if value is not None}
    fields = Fields(event_type(span.attributes, span.kind), _name(span))
    fields.conversation = _conversation(left)
    read_honeyhive(left, fields)
    read_own(left, fields)
    first_token = read_events(span, left, fields)
    _read_tables(left, fields)
    if first_token is not None:
        fields.metrics.setdefault("time_to_first_token", first_token)
    read_gen_ai(left, fields)
    read_openinference(left, fields)
    read_openllmetry(left, fields)
    read_logfire(left, fields)
    read_langfuse(left, fields)
    _complete(fields)
    for name, value in left.items():
        _keep(fields.metadata, name, value)
    _read_surroundings(span, fields)
    return fields


def _name(span: Span) -> str:
    """The span's name, or logfire's message where the name is the template of messages."""
    if "{" in span.name:
        message = span.attributes.get("logfire.msg")
        if type(message) is str and span.attributes.get("logfire.msg_template") == span.name:
            return message
    return span.name


def _conversation(attributes: Mapping[str, Any]) -> str | None:
    for name in CONVERSATION:
        value = attributes.get(name)
        if type(value) is str and value:
            return value
    return None


def _read_tables(left: dict[str, Any], fields: Fields) -> None:
    """Move attributes to their fields. A second value for a field stays, unless it is equal."""
    hits = [(*RULES[name], name) for name in left if name in RULES]
    hits.sort()
    for _, bucket, key, name in hits:
        value = left[name]
        if name in SECONDS and type(value) in (int, float):
            value = value * 1e3
        if f"{bucket}.{key}" in JSON:
            value = parsed(value)
        target = getattr(fields, bucket)
        if key not in target:
            target[key] = value
        elif target[key] != value:
            continue
        del left[name]
    for name in [name for name in left if name.startswith(HYPERPARAMETERS)]:
        prefix = next(prefix for prefix in HYPERPARAMETERS if name.startswith(prefix))
        key = name[len(prefix) :]
        if key == "type" or "." in key:  # `llm.request.type`, `llm.request.functions.0.name`
            continue
        target = fields.config.setdefault("hyperparameters", {})
        if type(target) is dict and target.setdefault(key, left[name]) == left[name]:
            del left[name]


def _complete(fields: Fields) -> None:
    """Fields that follow from others: the model that answered, the sum of the tokens."""
    config, metadata = fields.config, fields.metadata
    if "model" not in config and "response_model" in metadata:
        config["model"] = metadata["response_model"]
    counts = [metadata.get(name) for name in _TOKENS]
    if "total_tokens" not in metadata and all(type(count) is int for count in counts):
        metadata["total_tokens"] = sum(counts)


def _keep(metadata: dict[str, Any], name: str, value: Any) -> None:
    """Store an attribute under its own name, or beside a field that has the name already."""
    while name in metadata:
        if metadata[name] == value:
            return
        name = f"otel.{name}"
    metadata[name] = value


def _read_surroundings(span: Span, fields: Fields) -> None:
    """Kind, scope, links and resource; project and source from the resource."""
    metadata = fields.metadata
    if span.kind:
        _keep(metadata, "kind", span.kind)
    if span.scope:
        _keep(metadata, "scope", dict(span.scope))
    if span.links:
        links = [
            {"trace_id": link.trace_id, "span_id": link.span_id}
            | ({"attributes": dict(link.attributes)} if link.attributes else {})
            for link in span.links
        ]
        _keep(metadata, "links", links)
    if span.trace_state:
        _keep(metadata, "trace_state", span.trace_state)
    if span.dropped:
        _keep(metadata, "dropped", dict(span.dropped))
    if span.message and not span.failed:
        _keep(metadata, "status_message", span.message)
    resource = span.resource
    if not resource:
        return
    _keep(metadata, "resource", dict(resource))
    if fields.project is None:
        service = resource.get(SERVICE)
        if type(service) is str and service and not service.startswith(UNNAMED):
            fields.project = service
    if fields.source is None:
        sources = [resource.get(name) for name in ENVIRONMENT]
        fields.source = next((s for s in sources if type(s) is str and s), None)
