"""OTLP messages to send, and what became of them."""

from __future__ import annotations

from typing import Any

import httpx

ROUTE = "/v1/traces"
TRACE = "0af7651916cd43dd8448eb211c80319c"
MS = 1_000_000
SESSION = "traceloop.association.properties.session_id"


def attribute(key: str, value: Any) -> dict[str, Any]:
    """A pair as OTLP's JSON has it."""
    kind = {str: "stringValue", int: "intValue", bool: "boolValue", float: "doubleValue"}
    return {"key": key, "value": {kind[type(value)]: str(value) if type(value) is int else value}}


def span(
    name: str,
    span_id: str,
    parent: str | None = None,
    start: float = 2,
    end: float = 5,
    *,
    trace: str = TRACE,
    attributes: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A span of a trace; times are milliseconds, ids short."""
    return {
        "traceId": trace,
        "spanId": span_id.rjust(16, "0"),
        "parentSpanId": None if parent is None else parent.rjust(16, "0"),
        "name": name,
        "startTimeUnixNano": str(round(start * MS)),
        "endTimeUnixNano": str(round(end * MS)),
        "attributes": [attribute(key, value) for key, value in (attributes or {}).items()],
        **more,
    }


def export(
    *spans: Any, resource: dict[str, Any] | None = None, scope: dict[str, Any] | None = None
) -> dict[str, Any]:
    """An ExportTraceServiceRequest in JSON."""
    pairs = [attribute(key, value) for key, value in (resource or {}).items()]
    scoped = {"spans": list(spans), **({"scope": scope} if scope else {})}
    return {"resourceSpans": [{"resource": {"attributes": pairs}, "scopeSpans": [scoped]}]}


def runs(http: httpx.Client) -> list[dict[str, Any]]:
    """The records at the top, newest first."""
    events = http.get("/v1/events").json()["events"]
    return [each for each in events if "parent_id" not in each]


def names(http: httpx.Client, session_id: str) -> list[Any]:
    """A tree as nested names: `[name, child, …]`."""

    def nested(node: dict[str, Any]) -> list[Any]:
        return [node["event_name"], *map(nested, node["children"])]

    return nested(http.get(f"/v1/sessions/{session_id}").json())


def rejected(reply: httpx.Response) -> tuple[int, str]:
    """How many items an export's reply in JSON says were rejected, and why."""
    assert reply.status_code == 200
    partial = reply.json().get("partialSuccess", {})
    count = next((int(v) for k, v in partial.items() if k.startswith("rejected")), 0)
    return count, partial.get("errorMessage", "")
