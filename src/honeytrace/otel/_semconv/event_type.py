"""The type of an event, and the spans that are only traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .remembered import Remembered
from .span import Span

OPERATION, SPAN_KIND = "gen_ai.operation.name", "openinference.span.kind"

_OPERATIONS = {
    **dict.fromkeys(("chat", "text_completion", "generate_content", "embeddings"), "model"),
    **dict.fromkeys(("execute_tool", "retrieval"), "tool"),
    **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "plan"), "chain"),
}
"""`gen_ai.operation.name` -> event type."""

_OPENINFERENCE = {
    **dict.fromkeys(("LLM", "EMBEDDING"), "model"),
    **dict.fromkeys(("TOOL", "RETRIEVER", "RERANKER"), "tool"),
}
"""`openinference.span.kind` -> event type; every other kind is a chain."""

_LANGFUSE = {
    **dict.fromkeys(("generation", "embedding"), "model"),
    **dict.fromkeys(("tool", "retriever"), "tool"),
}
"""`langfuse.observation.type` -> event type; every other type is a chain."""

EVENT_TYPES = ("model", "tool", "chain")

_LLM = frozenset(
    ("gen_ai", "llm", "openinference", "traceloop", "honeyhive", "honeytrace", "langfuse")
)
_TRAFFIC = frozenset(("http", "db", "rpc", "messaging", "net", "url", "network"))
"""Prefixes of the attributes of a model's call, and of those of traffic."""
TRAFFIC = frozenset(
    """
    aio_pika aiohttp_client aiohttp_server aiokafka aiopg asgi asyncpg boto botocore cassandra
    celery confluent_kafka dbapi django elasticsearch falcon fastapi flask grpc httpx jinja2
    kafka mysql mysqlclient pika psycopg psycopg2 pymemcache pymongo pymssql pymysql pyramid
    redis remoulade requests sqlalchemy sqlite3 starlette tornado tortoiseorm urllib urllib3
    wsgi
    """.split()  # noqa: SIM905 - forty lines as a list
)
"""Instrumentations of transports and databases, without `opentelemetry.instrumentation.`."""
_TRAFFIC_SCOPES = frozenset(f"opentelemetry.instrumentation.{name}" for name in TRAFFIC)


def event_type(attributes: Mapping[str, Any], kind: str = "") -> str:
    """`model`, `tool` or `chain`, from a span's attributes and kind; the first match decides."""
    own = attributes.get("honeyhive_event_type")
    if own in EVENT_TYPES:
        return str(own)
    operation = attributes.get(OPERATION)
    if operation is not None:
        known = _OPERATIONS.get(operation) if type(operation) is str else None
        if known is None:
            known = "tool" if "memory" in str(operation) else None
        if known is not None:
            return known
    span_kind = attributes.get(SPAN_KIND)
    if span_kind is not None:
        return _OPENINFERENCE.get(str(span_kind).upper(), "chain")
    span_kind = attributes.get("traceloop.span.kind")
    if span_kind is not None:
        return "tool" if span_kind == "tool" else "chain"
    span_kind = attributes.get("langfuse.observation.type")
    if span_kind is not None:
        return _LANGFUSE.get(str(span_kind), "chain")
    for name in ("llm.request.type", "gen_ai.request.model", "llm.model_name", "llm.request.model"):
        if name in attributes:
            return "model"
    if "gen_ai.tool.name" in attributes:
        return "tool"
    return "tool" if kind == "CLIENT" else "chain"


def is_infrastructure(
    attributes: Mapping[str, Any], scope_name: str | None, *, kind: str = ""
) -> bool:
    """True if a span is HTTP, database, RPC or messaging traffic and says nothing of a model.

    An application's own spans and every span with an LLM attribute are not traffic.
    """
    traffic = scope_name in _TRAFFIC_SCOPES
    if kind == "INTERNAL" and not traffic:
        return False
    is_llm, is_traffic = _subjects(attributes)
    return not is_llm and (traffic or is_traffic)


def _subjects_of(names: Iterable[str]) -> tuple[bool, bool]:
    """Return whether names are about a model's call, and whether about traffic."""
    heads = {name.partition(".")[0] for name in names}
    is_llm = not _LLM.isdisjoint(heads) or any(head.startswith("honeyhive_") for head in heads)
    return is_llm, not _TRAFFIC.isdisjoint(heads)


_subjects = Remembered(_subjects_of)


def is_pending(span: Span) -> bool:
    """True if a span is a placeholder that logfire sends when the real span starts."""
    return span.attributes.get("logfire.span_type") == "pending_span"
