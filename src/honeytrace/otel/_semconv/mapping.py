"""A finished span to the fields of an event. No attribute is lost: an unknown one is metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .content import (
    read_flat_gen_ai,
    read_gen_ai,
    read_langfuse,
    read_logfire,
    read_openllmetry,
)
from .event_type import event_type
from .honeyhive import OWN_ID, read_honeyhive, read_own
from .nesting import parsed
from .openinference import read_openinference
from .shape import Attributes, Reader, shape_of
from .span import Fields, Span
from .span_events import read_error, read_events
from .tables import (
    CONVERSATION,
    ENVIRONMENT,
    HYPERPARAMETERS,
    RULES,
    SERVICE,
    UNNAMED,
)


def event_fields(span: Span) -> Fields:
    """The event that a span stands for, without ids and times.

    Every attribute ends up in a field: under HoneyHive's names where a table or a reader knows
    it, else in `metadata` under its own name. Nothing here raises for the content of a span.
    """
    # the SDK keeps sequences as tuples, OTLP brings lists
    left = Attributes(
        {
            name: list(value) if type(value) is tuple else value
            for name, value in span.attributes.items()
            if value is not None
        }
    )
    fields = Fields(event_type(left, span.kind), _name(span))
    if OWN_ID in left:
        return _own(span, left, fields)
    fields.conversation = _conversation(left)
    first_token = read_events(span, left, fields)
    left.shape = shape_of(left, _readers)
    for read in left.shape.readers:
        read(left, fields)
    if first_token is not None:
        fields.metrics.setdefault("time_to_first_token", first_token)
    read_error(span, fields)
    _complete(fields)
    if fields.metadata.keys().isdisjoint(left):
        fields.metadata.update(left)
    else:
        for name, value in left.items():
            _keep(fields.metadata, name, value)
    _read_surroundings(span, fields)
    return fields


def _own(span: Span, left: dict[str, Any], fields: Fields) -> Fields:
    """The fields of a record that honeytrace exported: all of them are in attributes of its own.

    Attributes that other tools read, such as `gen_ai.input.messages`, repeat a part of those.
    """
    read_honeyhive(left, fields)
    read_own(left, fields)
    fields.error = span.message if span.failed else None
    _read_names(span, fields)
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


def _read_tables(left: Attributes, fields: Fields) -> None:
    """Move attributes to their fields. A second value for a field stays, unless it is equal."""
    for bucket, key, written, name in left.shape.rules:
        value = left[name]
        if written == "json":
            value = parsed(value)
        elif written and type(value) in (int, float):
            value = value * 1e3
        if getattr(fields, bucket).setdefault(key, value) == value:
            del left[name]


def _read_hyperparameters(left: Attributes, fields: Fields) -> None:
    """Move the attributes of a request that the tables did not use to `hyperparameters`."""
    for name, key in left.shape.hyperparameters:
        if name in left:
            target = fields.config.setdefault("hyperparameters", {})
            if type(target) is dict and target.setdefault(key, left[name]) == left[name]:
                del left[name]


def _readers(names: tuple[str, ...]) -> tuple[Reader, ...]:
    """Return the readers for attributes of these names.

    Most spans follow one convention, and readers of the others are not asked.
    """
    heads = {name[:_HEAD] for name in names}
    return tuple(read for wanted, read in READERS if not wanted.isdisjoint(heads))


_HEAD = 10
"""Characters by which attributes are told apart: a wrong guess costs a look, no attribute."""


def _heads(*names: str) -> frozenset[str]:
    return frozenset(name[:_HEAD] for name in names)


READERS: tuple[tuple[frozenset[str], Reader], ...] = (
    (_heads("honeyhive_", "honeyhive.", "traceloop."), read_honeyhive),
    (_heads(*RULES), _read_tables),
    (_heads(*HYPERPARAMETERS), _read_hyperparameters),
    (
        _heads("gen_ai.input", "gen_ai.output", "gen_ai.system", "gen_ai.tool", "gen_ai.retrieval"),
        read_gen_ai,
    ),
    (_heads("gen_ai.prompt", "gen_ai.completion"), read_flat_gen_ai),
    (
        _heads("llm.input_messages", "llm.output_messages", "llm.prompts", "llm.completions")
        | _heads("llm.tools.", "llm.invocation", "retrieval.", "reranker.", "embedding.")
        | _heads("retrieval.documents", "reranker.input", "reranker.output", "reranker.query")
        | _heads("embedding.embeddings", "embedding.invocation")
        | _heads("input.value", "output.value", "metadata"),
        read_openinference,
    ),
    (_heads("traceloop.", "llm.request."), read_openllmetry),
    (
        _heads("pydantic_ai.", "final_result", "events", "request_data", "response_data"),
        read_logfire,
    ),
    (_heads("langfuse.observation", "langfuse.trace"), read_langfuse),
)
"""Prefixes of each convention's attributes and their reader, in order of preference."""


def _complete(fields: Fields) -> None:
    """Fill fields that follow from others: the model that answered, the sum of the tokens."""
    config, metadata = fields.config, fields.metadata
    if "response_model" in metadata:
        config.setdefault("model", metadata["response_model"])
    prompt, completion = metadata.get("prompt_tokens"), metadata.get("completion_tokens")
    if type(prompt) is int and type(completion) is int:
        metadata.setdefault("total_tokens", prompt + completion)


def _keep(metadata: dict[str, Any], name: str, value: Any) -> None:
    """Store an attribute under its own name, or beside a field that has the name already."""
    while metadata.setdefault(name, value) != value:
        name = f"otel.{name}"


def _read_surroundings(span: Span, fields: Fields) -> None:
    """Kind, scope, links and resource; project and source from the resource."""
    metadata = fields.metadata
    if span.kind:
        _keep(metadata, "kind", span.kind)
    if span.scope:
        _keep(metadata, "scope", span.scope)
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
    _keep(metadata, "resource", resource)
    _read_names(span, fields)


def _read_names(span: Span, fields: Fields) -> None:
    """Project and source, where no attribute named them, from the service and its environment."""
    resource = span.resource
    if fields.project is None:
        service = resource.get(SERVICE)
        if type(service) is str and service and not service.startswith(UNNAMED):
            fields.project = service
    if fields.source is None:
        sources = [resource.get(name) for name in ENVIRONMENT]
        fields.source = next((s for s in sources if type(s) is str and s), None)
