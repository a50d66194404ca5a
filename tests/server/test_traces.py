"""Traces: each is one session, named by its root, in whatever order its spans come."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from otlp_messages import ROUTE, SESSION, TRACE, attribute, export, names, runs, span
from server_running import running

from honeytrace.otel._semconv import event_id, session_id
from honeytrace.server import create_app
from honeytrace.store.sqlite import SQLiteStore

TREE = [
    span("answer", "a1", None, 100, 160, attributes={"input.value": "why?", "output.value": "so"}),
    span("retrieve", "b2", "a1", 105, 110),
    span("embed", "c3", "b2", 106, 107),
    span("chat", "d4", "a1", 120, 170),
]
SID = session_id(TRACE)


def send(http: httpx.Client, *spans: dict[str, Any], **more: Any) -> None:
    """Each export as a request of its own."""
    reply = http.post(ROUTE, json=export(*spans, **more))
    assert (reply.status_code, reply.json()) == (200, {})


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_trace_is_its_root_in_any_order(http: httpx.Client, order: tuple[int, ...]) -> None:
    """One row with name, times, inputs and outputs of the root; the tree is the same."""
    for index in order:
        send(http, TREE[index])
    (run,) = runs(http)
    assert (run["event_id"], run["session_id"], run["event_type"]) == (SID, SID, "session")
    assert (run["event_name"], run["start_time"], run["end_time"]) == ("answer", 100, 160)
    assert run["duration"] == 60
    assert (run["inputs"], run["outputs"]) == ({"value": "why?"}, {"result": "so"})
    assert names(http, SID) == ["answer", ["retrieve", ["embed"]], ["chat"]]
    assert http.get("/v1/events").json()["count"] == 4


def test_together_or_apart_is_the_same(http: httpx.Client) -> None:
    """One request with all spans gives the tree that four requests give."""
    for each in reversed(TREE):
        send(http, each)
    send(http, *({**each, "traceId": "e" * 32} for each in TREE))
    apart, together = (
        http.get(f"/v1/sessions/{session_id(trace)}").json() for trace in (TRACE, "e" * 32)
    )
    assert without_ids(apart) == without_ids(together)


def without_ids(node: dict[str, Any]) -> dict[str, Any]:
    """A tree without what names the trace or tells when it was complete."""
    kept = {k: v for k, v in node.items() if not k.endswith("_id") and k != "metadata"}
    return {**kept, "children": [without_ids(child) for child in node["children"]]}


def test_until_the_root_comes_the_session_is_provisional(http: httpx.Client) -> None:
    """It has the name and start of the earliest span and the end of the latest."""
    send(http, TREE[2])
    send(http, TREE[1])
    send(http, TREE[3])
    (run,) = runs(http)
    assert (run["event_name"], run["start_time"], run["end_time"]) == ("retrieve", 105, 170)
    assert run["metadata"]["honeytrace"]["provisional"] is True
    send(http, TREE[0])
    assert runs(http)[0]["metadata"]["honeytrace"]["provisional"] is False


def test_a_repeated_export_changes_nothing(http: httpx.Client) -> None:
    """Exporters repeat what they heard no answer to."""
    send(http, *TREE)
    before = http.get("/v1/events").json()
    send(http, *TREE)
    send(http, TREE[0])
    assert http.get("/v1/events").json() == before


def test_what_was_said_of_the_session_stays(http: httpx.Client) -> None:
    """Feedback given before the root came is the session's afterwards."""
    send(http, TREE[1])
    http.put("/events", json={"event_id": SID, "feedback": {"rating": 5}})
    send(http, TREE[0])
    assert runs(http)[0]["feedback"] == {"rating": 5}


def test_requests_at_the_same_time_make_one_session(http: httpx.Client) -> None:
    """Eight senders with a span each: one row, named by the root."""
    spans = [TREE[0], *(span(f"s{n}", f"{n:x}f", "a1", 101 + n, 103 + n) for n in range(7))]
    threads = [threading.Thread(target=send, args=(http, each)) for each in spans]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    (run,) = runs(http)
    assert (run["event_name"], run["duration"]) == ("answer", 60)
    assert len(names(http, SID)) == 8


def test_a_root_of_a_model_call_stays_one(http: httpx.Client) -> None:
    """A trace of a single call is a session and a model event at once."""
    send(http, span("chat m", "a1", attributes={"gen_ai.operation.name": "chat"}))
    (run,) = runs(http)
    assert run["event_type"] == "model"


def test_a_second_root_is_inside_the_first(http: httpx.Client) -> None:
    """Instrumentation that lost the context sends two roots in one trace."""
    send(http, TREE[0])
    send(http, span("stray", "e5", None, 130, 131))
    assert names(http, SID) == ["answer", ["stray"]]


def test_project_and_source_come_from_the_resource(http: httpx.Client) -> None:
    """`service.name` and the deployment's environment."""
    resource = {"service.name": "bot", "deployment.environment": "prod"}
    send(http, TREE[1], resource=resource)
    send(http, TREE[0], resource={**resource, "service.name": "front"})
    (run,) = runs(http)
    assert (run["project"], run["source"]) == ("front", "prod")


# sessions that a HoneyHive tracer names


def test_spans_join_the_session_that_was_started(http: httpx.Client) -> None:
    """Ids are lower-cased; the tracers never end a session: it lasts until its last event."""
    http.post("/session/start", json={"session": {"session_id": "s", "start_time": 1}})
    for each in reversed(TREE[:3]):
        send(http, {**each, "attributes": [attribute(SESSION, "S")]})
    assert names(http, "s") == ["unknown", ["answer", ["retrieve", ["embed"]]]]
    session = http.get("/session/s").json()
    assert (session["end_time"], session["duration"]) == (160, 159)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_session_nobody_started_is_named_by_its_root(
    http: httpx.Client, order: tuple[int, int]
) -> None:
    """The tracers go on under an id of their own when the start failed."""
    for index in order:
        send(http, {**TREE[index], "attributes": [attribute(SESSION, "s")]})
    (run,) = runs(http)
    assert (run["event_id"], run["event_type"], run["event_name"]) == ("s", "session", "answer")
    assert (run["start_time"], run["end_time"]) == (100, 160)
    assert names(http, "s") == ["answer", ["answer", ["retrieve"]]]


def test_what_is_sent_to_a_nested_session_is_in_its_tree(http: httpx.Client) -> None:
    """The root is that of the session, which need not be a root itself."""
    for name, own in (("run", {}), ("inner", {"parent_id": "run", "root_id": "run"})):
        session = {"session_id": name, "session_name": name, "metadata": {"honeytrace": own}}
        http.post("/session/start", json={"session": session})
    send(http, span("elsewhere", "a1", attributes={SESSION: "inner"}))
    assert names(http, "run") == ["run", ["inner", ["elsewhere"]]]
    assert names(http, "inner") == ["inner", ["elsewhere"]]
    assert len(http.get("/session/inner").json()["children_ids"]) == 1


# conversations


@pytest.mark.parametrize("key", ["session.id", "gen_ai.conversation.id"])
def test_the_traces_of_a_conversation_are_one_session(http: httpx.Client, key: str) -> None:
    """Named after its first trace, with the first inputs and the last outputs."""
    for turn in (1, 0, 2):  # the first turn arrives second
        trace = f"{turn + 1:032x}"
        start = 100 + turn * 50
        values = {key: "chat-42", "input.value": f"q{turn}", "output.value": f"a{turn}"}
        send(http, span("step", "b2", "a1", start + 1, start + 2, trace=trace))
        send(http, span("turn", "a1", None, start, start + 10, trace=trace, attributes=values))
    (run,) = runs(http)
    assert names(http, run["event_id"]) == ["turn conversation", *[["turn", ["step"]]] * 3]
    assert (run["start_time"], run["end_time"]) == (100, 210)
    assert (run["inputs"], run["outputs"]) == ({"value": "q0"}, {"result": "a2"})
    assert run["metadata"]["conversation_id"] == "chat-42"
    events = http.get("/v1/events").json()["events"]
    assert {each["session_id"] for each in events} == {run["event_id"]}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_span_that_names_the_conversation_is_enough(
    http: httpx.Client, order: tuple[int, int]
) -> None:
    """Some conventions name it on agent spans alone, inside an HTTP request."""
    agent = span("agent", "b2", "a1", 105, 110, attributes={"gen_ai.conversation.id": "c"})
    spans = [span("POST /chat", "a1", None, 100, 160), agent]
    for index in order:
        send(http, spans[index])
    (run,) = runs(http)
    assert names(http, run["event_id"]) == ["POST /chat conversation", ["POST /chat", ["agent"]]]


# HTTP and database spans


@pytest.fixture
def llm(store: SQLiteStore) -> Iterator[httpx.Client]:
    """A client of a server that leaves out traffic."""
    with running(create_app(store, spans="llm")) as url, httpx.Client(base_url=url) as client:
        yield client


TRAFFIC = [
    span("agent", "a1", None, 100, 160, attributes={"gen_ai.operation.name": "invoke_agent"}),
    span("POST", "b2", "a1", 105, 150, kind=3, attributes={"http.request.method": "POST"}),
    span("SELECT", "c3", "b2", 106, 140, kind=3, attributes={"db.system.name": "postgresql"}),
    span("chat", "d4", "c3", 107, 130, attributes={"gen_ai.operation.name": "chat"}),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_what_is_inside_traffic_moves_up(llm: httpx.Client, order: tuple[int, ...]) -> None:
    """To the nearest span that is kept; what was left out is counted."""
    for index in order:
        send(llm, TRAFFIC[index])
    assert names(llm, SID) == ["agent", ["chat"]]
    assert llm.get("/stats").json()["spans left out"] == 2


def test_together_what_is_inside_traffic_moves_up(llm: httpx.Client) -> None:
    """In one request as well."""
    send(llm, *TRAFFIC)
    assert names(llm, SID) == ["agent", ["chat"]]


def test_a_request_that_is_only_traffic_is_left_out(llm: httpx.Client) -> None:
    """A root names the trace if there is more of it, and is nothing otherwise."""
    attributes = {"http.request.method": "GET"}
    send(llm, span("GET /health", "a1", kind=2, attributes=attributes, trace="e" * 32))
    assert runs(llm) == []
    send(llm, TRAFFIC[3])
    send(llm, span("POST /chat", "c3", None, 100, 160, kind=2, attributes=attributes))
    assert names(llm, SID) == ["POST /chat", ["chat"]]


def test_circles_of_traffic_end(llm: httpx.Client) -> None:
    """Spans that say they are inside each other cost nothing."""
    attributes = {"http.request.method": "GET"}
    send(llm, span("x", "a1", "b2", kind=3, attributes=attributes), TRAFFIC[3])
    send(llm, span("y", "b2", "a1", kind=3, attributes=attributes))
    send(llm, span("chat", "e5", "a1", attributes={"gen_ai.operation.name": "chat"}))
    assert len(runs(llm)) == 1


def test_traffic_is_kept_by_default(http: httpx.Client) -> None:
    """Nothing is left out that nobody asked to leave out."""
    send(http, *TRAFFIC)
    assert names(http, SID) == ["agent", ["POST", ["SELECT", ["chat"]]]]


# other processes


def test_a_trace_that_honeytrace_began_goes_on(http: httpx.Client) -> None:
    """The service's first span is a child of the session that passed the trace on."""
    root, parent = uuid.uuid4(), uuid.uuid4()
    for name, own in (
        (root, {}),
        (parent, {"parent_id": str(root), "root_id": str(root)}),
    ):
        session = {"session_id": str(name), "metadata": {"honeytrace": own}}
        http.post("/session/start", json={"session": session})
    state = f"other=1,ht={parent.hex}"
    first = span("serve", "a1", parent.hex[16:], trace=root.hex, traceState=state)
    send(http, span("inner", "b2", "a1", trace=root.hex, traceState=state))
    send(http, first)
    assert names(http, str(root)) == ["unknown", ["unknown", ["serve", ["inner"]]]]


def test_a_session_inside_a_span_is_in_its_tree(http: httpx.Client) -> None:
    """`honeytrace.continue_from` names the span as parent, whatever comes first."""
    own = {"parent_id": event_id(TRACE, "a1".rjust(16, "0")), "root_id": SID}
    session = {"session_id": "s", "session_name": "mine", "metadata": {"honeytrace": own}}
    http.post("/session/start", json={"session": session})
    send(http, *TREE[:2])
    assert names(http, SID) == ["answer", ["retrieve"], ["mine"]]


def test_a_span_that_is_known_keeps_its_place(http: httpx.Client) -> None:
    """It came through the bridge of another process, inside a session of honeytrace."""
    known = event_id(TRACE, "a1".rjust(16, "0"))
    own = {"parent_id": "run", "root_id": "run", "otel": [TRACE, "a1".rjust(16, "0"), None]}
    for name, details in (("run", {}), (known, own)):
        session = {"session_id": name, "session_name": name, "start_time": 1, "end_time": 2}
        session["metadata"] = {"honeytrace": details}
        http.post("/session/start", json={"session": session})
    send(http, *TREE)
    assert [each["event_id"] for each in runs(http)] == ["run"]
    assert len(http.get("/v1/events").json()["events"]) == 5


def test_a_span_that_honeytrace_exported_is_the_record_it_was(http: httpx.Client) -> None:
    """Its own ids, times and status win."""
    attributes = {
        "honeytrace.event_id": "r",
        "honeytrace.root_id": "r",
        "honeytrace.event_type": "session",
        "honeytrace.status": "cancelled",
        "honeytrace.duration": 2.5,
    }
    inside = {"honeytrace.event_id": "c", "honeytrace.root_id": "r", "honeytrace.parent_id": "r"}
    send(http, span("in", "b2", "a1", attributes=inside), span("out", "a1", attributes=attributes))
    (run,) = runs(http)
    assert (run["event_id"], run["event_type"], run["duration"]) == ("r", "session", 2.5)
    assert names(http, "r") == ["out", ["in"]]


# logs


def log(name: str, span_id: str, **attributes: Any) -> dict[str, Any]:
    """An ExportLogsServiceRequest in JSON with one event."""
    record = {
        "eventName": name,
        "traceId": TRACE,
        "spanId": span_id.rjust(16, "0"),
        "attributes": [attribute(k.replace("__", "."), v) for k, v in attributes.items()],
    }
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


@pytest.mark.parametrize("first", ["span", "log"])
@pytest.mark.parametrize("which", [0, 1])
def test_evaluations_in_logs_become_metrics(http: httpx.Client, first: str, which: int) -> None:
    """Of the span whose ids they carry, the root or another, whichever comes first."""
    body = log(
        "gen_ai.evaluation.result",
        ("a1", "b2")[which],
        gen_ai__evaluation__name="relevance",
        gen_ai__evaluation__score__value=0.5,
    )
    if first == "span":
        send(http, *TREE[:2])
    assert http.post("/v1/logs", json=body).json() == {}
    if first == "log":
        send(http, *TREE[:2])
    found = http.get(f"/session/{(SID, event_id(TRACE, 'b2'.rjust(16, '0')))[which]}").json()
    assert found["metrics"]["relevance"] == 0.5


def test_other_logs_are_left_out(http: httpx.Client) -> None:
    """They are part of no session; `/stats` counts them."""
    assert http.post("/opentelemetry/v1/logs", json=log("app.started", "a1")).json() == {}
    assert http.get("/stats").json()["log records left out"] == 1
