"""Mutated OTLP bodies: never a 5xx, and no good span is lost, however odd the one beside it is.

`--otlp-bodies 10000` sends more of them, with other seeds.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_messages import ROUTE, attribute, export, span
from server_running import running

from honeytrace.otel._semconv import event_id, session_id
from honeytrace.server import create_app
from honeytrace.server._openapi import document
from honeytrace.store.memory import MemoryStore

BODIES = 1_000
"""Bodies that are sent unless more are asked for."""

ODD: list[Any] = [
    *(None, True, -1, 0, 1.5, 1e300, 2**63, 2**64, 10**30, "", "x", "0", "-1", "9" * 400),
    *([], [None], {}, {"a": 1}, [[[]]], "\ud83d", "\0", "é" * 300, "NaN", "0" * 32, "f" * 32),
    *({"stringValue": 1}, {"intValue": "x"}, {"arrayValue": 5}, {"kvlistValue": {"values": 1}}),
    *({"arrayValue": {"values": [{"intValue": {}}]}}, {"doubleValue": "Infinity"}),
]


def model_call(number: int) -> dict[str, Any]:
    """A span with something of everything."""
    return span(
        "chat",
        f"{number:x}b",
        f"{number:x}a",
        trace=f"{number + 1:032x}",
        kind=3,
        status={"code": 2, "message": "bad"},
        traceState="a=b",
        events=[
            {"name": "exception", "attributes": [attribute("exception.type", "E")]},
            {
                "name": "gen_ai.evaluation.result",
                "timeUnixNano": "5",
                "attributes": [
                    attribute("gen_ai.evaluation.name", "n"),
                    attribute("gen_ai.evaluation.score.value", 0.5),
                ],
            },
        ],
        links=[{"traceId": "a" * 32, "spanId": "b" * 16}],
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
            "gen_ai.usage.input_tokens": 5,
            "llm.input_messages.0.message.role": "user",
            "input.value": '{"q": 1}',
            "session.id": f"c{number}",
            "traceloop.entity.input": "{",
            "honeyhive_metrics.score": 0.5,
        },
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a value: its holder and its key."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = holder if type(holder) is dict else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if type(holder[key]) in (dict, list):
                waiting.append(holder[key])
    return found


def mutated(original: dict[str, Any], random: Random) -> dict[str, Any]:
    """The span with one to three values replaced, removed, doubled or renamed."""
    changed = copy.deepcopy(original)
    for _ in range(random.randint(1, 3)):
        holder, key = random.choice(places(changed))
        how = random.choice(("replace", "replace", "replace", "remove", "double", "rename"))
        if how == "replace" or type(holder) is list:
            holder[key] = copy.deepcopy(random.choice(ODD))
        elif how == "remove":
            del holder[key]
        elif how == "double":
            holder[key] = [holder[key], holder[key]]
        else:
            holder[random.choice(("", "x", "value", "name", "stringValue"))] = holder.pop(key)
    return changed


def in_json(number: int, random: Random) -> tuple[bytes, str]:
    """A good span around a mutated one."""
    good = span(f"good {number}", f"{number + 1:x}a", trace=f"{number + 1:032x}")
    body = export(good, mutated(model_call(number), random))
    if random.random() < 0.2:
        body["resourceSpans"].insert(0, random.choice(ODD))
    # escapes half a surrogate pair, as JavaScript does
    return json.dumps(body).encode(), "application/json"


def in_protobuf(number: int, random: Random) -> tuple[bytes, str]:
    """A good span beside one whose bytes are mutated within their frame."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for span_id, name in ((b"\1", f"good {number}"), (b"\2", "odd")):
        sent = spans.add(
            trace_id=(number + 1).to_bytes(16, "big"),
            span_id=span_id.rjust(8, b"\0"),
            name=name,
            start_time_unix_nano=10**15,
            end_time_unix_nano=2 * 10**15,
        )
        if name == "odd":
            sent.parent_span_id = b"\1".rjust(8, b"\0")
            sent.attributes.add(key="gen_ai.request.model").value.string_value = "m" * 9
            sent.attributes.add(key="list").value.array_value.values.add().int_value = 7
            sent.events.add(name="exception")
    body = bytearray(request.SerializeToString())
    size = len(spans[1].SerializeToString())
    for _ in range(random.randint(1, 4)):
        body[len(body) - random.randint(1, size)] = random.randrange(256)
    return bytes(body), "application/x-protobuf"


def good_span(number: int, media_type: str) -> str:
    """The id of the good span of a body."""
    return (f"{number + 1:x}a" if media_type == "application/json" else "01").rjust(16, "0")


@pytest.mark.timeout(1800)  # ten thousand bodies take minutes
@pytest.mark.parametrize("mutate", [in_json, in_protobuf])
def test_no_mutated_body_costs_a_good_span(
    mutate: Callable[[int, Random], tuple[bytes, str]], pytestconfig: pytest.Config
) -> None:
    """The answer is a 200, the good span is there, and what was rejected is counted with why."""
    count = pytestconfig.getoption("--otlp-bodies", default=BODIES) // 2
    store = MemoryStore(limit=10 * count + 100)
    random = Random(count)
    lost = []
    with running(create_app(store)) as url, httpx.Client(base_url=url, timeout=30) as client:
        for number in range(count):
            body, media_type = mutate(number, random)
            reply = client.post(ROUTE, content=body, headers={"content-type": media_type})
            assert reply.status_code == 200, (number, reply.text, body)
            trace = f"{number + 1:032x}"
            ids = [session_id(trace), event_id(trace, good_span(number, media_type))]
            if not any(each.event_name == f"good {number}" for each in store.get_many(ids)):
                lost.append((number, body))
            _check_reply(reply, media_type)
    assert lost == []


def _check_reply(reply: httpx.Response, media_type: str) -> None:
    if media_type == "application/json":
        partial = reply.json().get("partialSuccess")
        assert partial is None or (int(partial["rejectedSpans"]) > 0 and partial["errorMessage"])
    else:
        message = ExportTraceServiceResponse.FromString(reply.content).partial_success
        assert bool(message.rejected_spans) == bool(message.error_message)


def test_every_refusal_is_as_described(pytestconfig: pytest.Config) -> None:
    """Bodies with bytes changed anywhere are answered with a 200 or a 400 of the schema."""
    described = orjson.loads(document())["components"]["schemas"]["Error"]
    random = Random(1)
    whole = export(*(model_call(number) for number in range(3)))
    with running(create_app(MemoryStore())) as url, httpx.Client(base_url=url) as client:
        for _ in range(pytestconfig.getoption("--otlp-bodies", default=BODIES) // 5):
            body = bytearray(orjson.dumps(whole))
            for _ in range(random.randint(1, 5)):
                at = random.randrange(len(body))
                body[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
            headers = {"content-type": "application/json"}
            reply = client.post(ROUTE, content=bytes(body), headers=headers)
            assert reply.status_code in (200, 400), reply.text
            if reply.status_code == 400:
                jsonschema.validate(reply.json(), described)
