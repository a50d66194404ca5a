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
from .remembered import Last, Remembered
from .shape import Attributes, Reader, Shape
from .span import Fields, Span
from .span_events import read_error, read_events
from .tables import ENVIRONMENT, HYPERPARAMETERS, RULES, SERVICE, UNNAMED


def event_fields(span: Span) -> Fields:
    """The event that a span stands for, without ids and times.

    Every attribute ends up in a field: under HoneyHive's names where a table or a reader knows
    it, else in `metadata` under its own name. Nothing here raises for the content of a span.
    """
    left = Attributes(span.attributes)
    if not _REWRITTEN.isdisjoint(set(map(type, left.values()))):
        _rewrite(left)
    fields = Fields(event_type(left, span.kind), _name(span))
    if OWN_ID in left:
        return _own(span, left, fields)
    first_token = read_events(span, left, fields) if span.events else None
    shape = left.shape = _shapes(left)
    if shape.conversation:
        fields.conversation = _conversation(left)
    for read in shape.readers:
        read(left, fields)
    if first_token is not None:
        fields.metrics.setdefault("time_to_first_token", first_token)
    if span.failed or span.events or fields.error is not None:
        read_error(span, fields)
    _complete(fields)
    _keep_all(fields.metadata, left)
    _keep_all(fields.metadata, _surroundings(span))
    if span.resource:
        _read_names(span, fields)
    return fields


_REWRITTEN = frozenset((tuple, type(None)))
"""Types of values that are not kept as they are."""


def _rewrite(left: Attributes) -> None:
    """Make lists of tuples, and leave None out: the SDK keeps sequences as tuples, OTLP brings
    lists."""
    for name, value in list(left.items()):
        if type(value) is tuple:
            left[name] = list(value)
        elif value is None:
            del left[name]


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


def _conversation(attributes: Attributes) -> str | None:
    for name in attributes.shape.conversation:
        value = attributes[name]
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

_READ = frozenset().union(*(wanted for wanted, _ in READERS))


def is_read(name: str) -> bool:
    """Return whether a reader may look into the value of an attribute; others stay as they are."""
    return name[:_HEAD] in _READ


_shapes = Remembered(lambda names: Shape(names, _readers(names)))


def _complete(fields: Fields) -> None:
    """Fill fields that follow from others: the model that answered, the sum of the tokens."""
    config, metadata = fields.config, fields.metadata
    if "response_model" in metadata:
        config.setdefault("model", metadata["response_model"])
    prompt, completion = metadata.get("prompt_tokens"), metadata.get("completion_tokens")
    if type(prompt) is int and type(completion) is int:
        metadata.setdefault("total_tokens", prompt + completion)


def _keep_all(metadata: dict[str, Any], values: dict[str, Any]) -> None:
    """Store values under their names; see `_keep` for a name that is taken."""
    if metadata.keys().isdisjoint(values.keys()):  # of two views, the shorter one is looked up
        metadata.update(values)
    else:
        for name, value in values.items():
            _keep(metadata, name, value)


def _keep(metadata: dict[str, Any], name: str, value: Any) -> None:
    """Store an attribute under its own name, or beside a field that has the name already."""
    while metadata.setdefault(name, value) != value:
        name = f"otel.{name}"


def _surroundings(span: Span) -> dict[str, Any]:
    """Return what is known of a span besides its attributes."""
    found: dict[str, Any] = {}
    if span.kind:
        found["kind"] = span.kind
    if span.scope:
        found["scope"] = span.scope
    if span.links:
        found["links"] = [
            {"trace_id": link.trace_id, "span_id": link.span_id}
            | ({"attributes": dict(link.attributes)} if link.attributes else {})
            for link in span.links
        ]
    if span.trace_state:
        found["trace_state"] = span.trace_state
    if span.dropped:
        found["dropped"] = dict(span.dropped)
    if span.message and not span.failed:
        found["status_message"] = span.message
    if span.resource:
        found["resource"] = span.resource
    return found


def _read_names(span: Span, fields: Fields) -> None:
    """Project and source, where no attribute named them, from the service and its environment."""
    project, source = _names_in(span.resource)
    if fields.project is None:
        fields.project = project
    if fields.source is None:
        fields.source = source


def _names_of(resource: Mapping[str, Any]) -> tuple[str | None, str | None]:
    service = resource.get(SERVICE)
    named = type(service) is str and service and not service.startswith(UNNAMED)
    sources = [resource.get(name) for name in ENVIRONMENT]
    source = next((s for s in sources if type(s) is str and s), None)
    return service if named else None, source


_names_in = Last(_names_of)
