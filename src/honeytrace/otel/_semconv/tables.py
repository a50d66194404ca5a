"""Attribute name -> field, one table per convention; an earlier table wins over a later one.

Sources: opentelemetry semantic-conventions-genai (gen-ai-spans, gen-ai-agent-spans) and their
predecessors up to 1.36; OpenInference, spec/semantic_conventions; OpenLLMetry,
opentelemetry-semantic-conventions-ai; spans recorded from logfire and pydantic-ai; the table of
attributes in HoneyHive's documentation (semconv-alignment).
"""

from __future__ import annotations

GEN_AI = {
    "gen_ai.request.model": "config.model",
    "gen_ai.provider.name": "config.provider",
    "gen_ai.system": "config.provider",
    "gen_ai.tool.definitions": "config.tools",
    "gen_ai.usage.input_tokens": "metadata.prompt_tokens",
    "gen_ai.usage.prompt_tokens": "metadata.prompt_tokens",
    "gen_ai.usage.output_tokens": "metadata.completion_tokens",
    "gen_ai.usage.completion_tokens": "metadata.completion_tokens",
    "gen_ai.usage.total_tokens": "metadata.total_tokens",
    "gen_ai.usage.cache_read.input_tokens": "metadata.cached_tokens",
    "gen_ai.usage.cache_read_input_tokens": "metadata.cached_tokens",
    "gen_ai.usage.cache_write.input_tokens": "metadata.cache_write_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "metadata.cache_write_tokens",
    "gen_ai.usage.cache_creation_input_tokens": "metadata.cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "metadata.reasoning_tokens",
    "gen_ai.usage.reasoning_tokens": "metadata.reasoning_tokens",
    "gen_ai.usage.cost": "metadata.cost",
    "gen_ai.response.model": "metadata.response_model",
    "gen_ai.response.id": "metadata.response_id",
    "gen_ai.response.finish_reasons": "metadata.finish_reasons",
    "gen_ai.response.time_to_first_chunk": "metrics.time_to_first_token",
    "gen_ai.server.time_to_first_token": "metrics.time_to_first_token",
    "user.id": "user_properties.user_id",
    "enduser.id": "user_properties.user_id",
}

OPENINFERENCE = {
    "llm.model_name": "config.model",
    "embedding.model_name": "config.model",
    "reranker.model_name": "config.model",
    "llm.request.model_name": "config.model",
    "llm.provider": "config.provider",
    "llm.system": "config.provider",
    "llm.prompt_template.template": "config.template",
    "llm.prompt_template.variables": "config.template_variables",
    "llm.prompt_template.version": "config.template_version",
    "llm.response.model_name": "metadata.response_model",
    "llm.finish_reason": "metadata.finish_reason",
    "llm.token_count.prompt": "metadata.prompt_tokens",
    "llm.token_count.completion": "metadata.completion_tokens",
    "llm.token_count.total": "metadata.total_tokens",
    "llm.token_count.prompt_details.cache_read": "metadata.cached_tokens",
    "llm.token_count.prompt_details.cache_write": "metadata.cache_write_tokens",
    "llm.token_count.completion_details.reasoning": "metadata.reasoning_tokens",
    "llm.cost.total": "metadata.cost",
    "tag.tags": "metadata.tags",
}

OPENLLMETRY = {
    "llm.request.model": "config.model",
    "llm.vendor": "config.provider",
    "llm.usage.prompt_tokens": "metadata.prompt_tokens",
    "llm.usage.completion_tokens": "metadata.completion_tokens",
    "llm.usage.total_tokens": "metadata.total_tokens",
    "llm.usage.cache_read_input_tokens": "metadata.cached_tokens",
    "llm.usage.cache_creation_input_tokens": "metadata.cache_write_tokens",
    "llm.usage.reasoning_tokens": "metadata.reasoning_tokens",
    "llm.response.model": "metadata.response_model",
    "llm.response.id": "metadata.response_id",
    "llm.response.finish_reason": "metadata.finish_reason",
    "llm.user": "user_properties.user_id",
    "traceloop.association.properties.user_id": "user_properties.user_id",
    "traceloop.prompt.template": "config.template",
    "traceloop.prompt.template_variables": "config.template_variables",
    "traceloop.prompt.version": "config.template_version",
}

LOGFIRE = {
    "operation.cost": "metadata.cost",
    "gen_ai.usage.details.reasoning_tokens": "metadata.reasoning_tokens",
    "gen_ai.usage.details.cache_read_tokens": "metadata.cached_tokens",
    "gen_ai.usage.details.cache_write_tokens": "metadata.cache_write_tokens",
    "model_name": "config.model",
    "logfire.tags": "metadata.tags",
}

LANGFUSE = {
    "langfuse.observation.model.name": "config.model",
    "langfuse.user.id": "user_properties.user_id",
}

TABLES = (GEN_AI, OPENINFERENCE, OPENLLMETRY, LOGFIRE, LANGFUSE)

_SECONDS = ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
"""Attributes in seconds; records keep milliseconds."""

_JSON = ("config.tools", "config.template_variables", "metadata.finish_reasons")
"""Fields whose attribute may be the JSON of its value."""


def _rule(rank: int, name: str, target: str) -> tuple[int, str, str, str]:
    bucket, key = target.split(".", 1)
    return rank, bucket, key, "s" if name in _SECONDS else "json" if target in _JSON else ""


RULES = {
    name: _rule(rank, name, target)
    for rank, (name, target) in enumerate(
        (name, target) for table in TABLES for name, target in table.items()
    )
}
"""Attribute -> (rank, bucket, key, how its value is written); of two attributes for one key, the
lower rank wins."""

HYPERPARAMETERS = ("gen_ai.request.", "llm.request.")
"""Unused attributes below these prefixes go to `config.hyperparameters`."""

CONVERSATION = (
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.session.id",
    "traceloop.association.properties.conversation_id",
)
"""Ids that group traces, in order of preference; they stay in metadata, too."""

SERVICE = "service.name"
ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
UNNAMED = "unknown_service"
"""The SDKs' name of a service without a name; a suffix may follow."""
