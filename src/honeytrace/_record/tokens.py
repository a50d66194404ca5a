"""Token counts, cost and model in the shapes in which providers and programs record them.

Sources: the `usage` objects of OpenAI (chat completions and responses), Anthropic (messages),
Google (`usageMetadata`), Amazon Bedrock (converse) and LangChain (`usage_metadata`), and the
names that HoneyHive documents for `metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")

_NAMES = {
    "prompt_tokens": (
        *("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount"),
        *("prompt_token_count", "tokens_in", "gen_ai.usage.input_tokens", "llm.token_count.prompt"),
        "gen_ai.usage.prompt_tokens",
    ),
    "completion_tokens": (
        *("completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
        *("candidatesTokenCount", "candidates_token_count", "tokens_out"),
        *("gen_ai.usage.output_tokens", "llm.token_count.completion"),
        "gen_ai.usage.completion_tokens",
    ),
    "total_tokens": (
        *("total_tokens", "totalTokens", "totalTokenCount", "total_token_count", "tokens"),
        *("llm.usage.total_tokens", "llm.token_count.total", "gen_ai.usage.total_tokens"),
    ),
    "cached_tokens": (
        *("cached_tokens", "cache_read_tokens", "cachedContentTokenCount"),
        *("cached_content_token_count", "gen_ai.usage.cache_read.input_tokens"),
        "llm.token_count.prompt_details.cache_read",
    ),
}
_ANY_COUNT = frozenset(name for names in _NAMES.values() for name in names)
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_CACHED = ("cached_tokens", "cache_read", "cached")
_BESIDE = (
    ("cache_read_input_tokens", "cacheReadInputTokens"),
    ("cache_creation_input_tokens", "cacheWriteInputTokens"),
)
"""Counts that Anthropic and Bedrock leave out of the input tokens: cache reads, cache writes."""

_USAGE = ("usage", "token_usage", "tokenUsage", "usage_metadata", "usageMetadata", "llm_usage")
"""Keys of an object that holds counts."""

_COST = ("cost", "total_cost", "cost_usd", "total_cost_usd", "operation.cost", "llm.cost.total")
_ANY_COST = frozenset(_COST)
_MODEL = ("model", "model_name", "modelId", "model_id", "gen_ai.request.model")
_ANSWERED = ("response_model", "gen_ai.response.model", "llm.model_name", *_MODEL)
_PROVIDER = ("provider", "gen_ai.provider.name", "gen_ai.system", "llm.provider")


ANSWERED_FROM = "answered_from"
"""The note of a call that a replay answered: the id of the recorded call, or a line of a file."""


class Recorded(Protocol):
    """The objects of a session that may hold token counts."""

    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def metrics(self) -> dict[str, Any]: ...
    @property
    def outputs(self) -> dict[str, Any]: ...


class Noted(Recorded, Protocol):
    """A session whose notes say if it spent what it recorded."""

    @property
    def details(self) -> Mapping[str, Any]: ...


def spending_of(session: Noted) -> tuple[dict[str, int], float | None]:
    """Return the counts and the cost in US dollars that a session spent.

    A call that a replay answered has the figures of the recorded call and spent nothing.
    """
    if ANSWERED_FROM in session.details:
        return {}, None
    return tokens_of(session), recorded_cost(session)


def tokens_of(session: Recorded) -> dict[str, int]:
    """Return the counts that a session recorded: in metadata, metrics, or the `usage` it returned.

    Counts of the first place that has any are not mixed with others.
    """
    for place in _places(session):
        counts = _counts(place)
        if counts:
            return counts
    return {}


def recorded_cost(session: Recorded) -> float | None:
    """US dollars that a session recorded, None where it recorded none."""
    for place in (session.metadata, session.metrics, *_places(session)):
        for name in () if _ANY_COST.isdisjoint(place) else _COST:
            cost = place.get(name)
            if isinstance(cost, (int, float)) and not isinstance(cost, bool) and cost >= 0:
                return float(cost)
    return None


def model_of(session: Recorded) -> tuple[str | None, str | None]:
    """Model and provider of a session, as far as they are recorded."""
    model = _text(session.config, _MODEL) or _text(session.metadata, _ANSWERED)
    model = model or _text(session.metrics, _MODEL) or _text(session.outputs, _MODEL)
    provider = _text(session.config, _PROVIDER) or _text(session.metadata, _PROVIDER)
    return model, provider


def _places(session: Recorded) -> Iterator[Mapping[str, Any]]:
    """Objects in which counts may stand, in order of preference."""
    for outer in (session.metadata, session.metrics):
        yield outer
        yield from _inside(outer)
    yield from _inside(session.outputs)
    result = session.outputs.get("result")
    if type(result) is dict:
        yield from _inside(result)


def _inside(outer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in _USAGE:
        usage = outer.get(name)
        if type(usage) is dict:
            yield usage


def _counts(place: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    if _ANY_COUNT.isdisjoint(place):  # most places; looking for each name takes ten times as long
        return counts
    for count, names in _NAMES.items():
        value = _count(place, names)
        if value is not None:
            counts[count] = value
    for name in _DETAILS:
        details = place.get(name)
        if "cached_tokens" not in counts and type(details) is dict:
            cached = _count(details, _CACHED)
            if cached is not None:
                counts["cached_tokens"] = cached
    _add_beside(place, counts)
    if counts.keys() == {"cached_tokens"}:
        return {}
    halves = [counts[half] for half in COUNTS[:2] if half in counts]
    if halves:
        counts.setdefault("total_tokens", sum(halves))
    return counts


def _add_beside(place: Mapping[str, Any], counts: dict[str, int]) -> None:
    """Add the counts that a provider lists beside the prompt's, so that every prompt is whole."""
    if "prompt_tokens" not in counts or "prompt_tokens" in place:
        return
    read, written = (_count(place, names) for names in _BESIDE)
    if read is not None:
        counts.setdefault("cached_tokens", read)
    counts["prompt_tokens"] += (read or 0) + (written or 0)


def _count(place: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = place.get(name)
        if type(value) is int and value >= 0:
            return value
        if type(value) is float and value >= 0 and value.is_integer():
            return int(value)
    return None


def _text(place: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = place.get(name)
        if type(value) is str and value:
            return value
    return None
