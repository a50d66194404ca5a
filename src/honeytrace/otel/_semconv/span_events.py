"""The events of a span: evaluations become metrics, exceptions the error, marks a latency."""

from __future__ import annotations

from typing import Any

from .content import is_message_event, read_message_events
from .nesting import parsed
from .span import Fields, Span, SpanEvent

_DETAILS = (
    "gen_ai.client.inference.operation.details",
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
)
"""Events whose attributes are those of the span, where it does not have them itself."""

_FIRST_TOKEN = (
    "First Token Stream Event",
    "gen_ai.content.completion.chunk",
    "llm.content.completion.chunk",
    "new_token",
)
"""Events that mark a token of a streamed answer; the first one counts."""

_EVALUATION = "gen_ai.evaluation.result"
_EXCEPTION = frozenset(("exception.type", "exception.message", "exception.stacktrace"))


def read_events(span: Span, left: dict[str, Any], fields: Fields) -> float | None:
    """Fill fields from a span's events; the others are listed in `metadata.events`.

    Return the milliseconds from the span's start to the first token, where an event marks it.
    """
    if not span.events:
        return None
    first_token: float | None = None
    rest: list[dict[str, Any]] = []
    messages: list[tuple[str, dict[str, Any]]] = []
    exception: dict[str, Any] = {}
    for event in span.events:
        name, attributes = event.name, event.attributes
        if name == _EVALUATION and _read_evaluation(dict(attributes), fields):
            continue
        if name in _DETAILS:
            unused = {k: v for k, v in attributes.items() if left.setdefault(k, v) != v}
            rest += [_as_json(event, unused)] if unused else []
        elif is_message_event(name):
            messages.append((name, dict(attributes)))
        elif name == "exception":
            rest += [_as_json(event, exception)] if exception else []
            exception = dict(attributes)
        else:
            if first_token is None and name in _FIRST_TOKEN:
                first_token = (event.time - span.start) / 1e6
            _append(rest, event)
    if messages:
        read_message_events(messages, fields)
    unused = {k: v for k, v in exception.items() if k not in _EXCEPTION}
    if unused:
        rest.append({"name": "exception", "attributes": unused})
    if rest:
        fields.metadata["events"] = rest
    return first_token


def _as_json(event: SpanEvent, attributes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"name": event.name, "time": event.time / 1e6}
    if attributes:
        made["attributes"] = dict(attributes)
    return made


def _append(rest: list[dict[str, Any]], event: SpanEvent) -> None:
    """Append an event; marks without attributes that repeat are one entry with a count.

    OpenLLMetry writes one such mark per chunk of an answer.
    """
    last = rest[-1] if rest and not event.attributes else {}
    if last.get("name") == event.name and "attributes" not in last:
        last["count"] = last.get("count", 1) + 1
        last["last"] = event.time / 1e6
        return
    rest.append(_as_json(event, event.attributes))


def _read_evaluation(attributes: dict[str, Any], fields: Fields) -> bool:
    """An evaluation as a metric and its explanation; False for one without name or result."""
    name = attributes.pop("gen_ai.evaluation.name", None)
    score = attributes.pop("gen_ai.evaluation.score.value", None)
    label = attributes.pop("gen_ai.evaluation.score.label", None)
    if not name or (score is None and label is None):
        return False
    name = str(name)
    fields.metrics[name] = label if score is None else score
    if score is not None and label is not None:
        fields.metrics[f"{name}_label"] = label
    explanation = attributes.pop("gen_ai.evaluation.explanation", None)
    if explanation is not None:
        fields.metrics[f"{name}_explanation"] = explanation
    for key, value in attributes.items():
        fields.metrics[f"{name}.{key}"] = parsed(value)
    return True


def read_error(span: Span, fields: Fields) -> None:
    """`Type: message`, as far as the span says so much; None for a span that succeeded."""
    own = fields.error
    exceptions = [event.attributes for event in span.events if event.name == "exception"]
    exception = exceptions[-1] if exceptions else {}
    if own is None and not span.failed and not exception:
        return
    kind = exception.get("exception.type")
    message = exception.get("exception.message") or own or span.message
    if kind:
        fields.error = f"{kind}: {message}"
    else:
        fields.error = str(message or span.attributes.get("error.type") or "error")
    for name, text in (("error", own), ("status_message", span.message)):
        if text and text not in fields.error:
            fields.metadata[name] = text
    stack = exception.get("exception.stacktrace")
    fields.traceback = None if stack is None else str(stack)
