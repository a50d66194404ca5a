"""Events over the wire: created one by one and in batches, updated, found by filter."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from honeytrace.store.sqlite import SQLiteStore

EVENT: dict[str, Any] = {
    "project": "p",
    "source": "s",
    "event_name": "step",
    "event_type": "tool",
    "event_id": "e",
    "session_id": "root",
    "config": {},
    "inputs": {"a": 1},
    "outputs": {"b": 2},
    "start_time": 1000,
    "end_time": 1012,
    "duration": 12.5,
}


@pytest.mark.parametrize(("path", "body"), [("/events", {"event": EVENT}), ("/v1/events", EVENT)])
def test_an_event_reads_back_equal(http: httpx.Client, path: str, body: object) -> None:
    """Under its session by default; the legacy route wraps it, the newer one does not."""
    assert http.post(path, json=body).json() == {"event_id": "e", "success": True}
    event = http.get("/v1/events/e").json()["event"]
    assert {name: event[name] for name in EVENT} == EVENT
    assert event["parent_id"] == "root"


def test_what_is_absent_of_the_times_follows_from_the_others(http: httpx.Client) -> None:
    """The official logger, for one, sends no end."""
    event = {key: value for key, value in EVENT.items() if key != "end_time"}
    http.post("/events", json={"event": event})
    assert http.get("/v1/events/e").json()["event"]["end_time"] == 1012


def test_an_event_that_was_interrupted_has_no_end(http: httpx.Client) -> None:
    """Of a call that was running when its process died we send a duration of 0, which the API
    requires; it was none."""
    event = {key: value for key, value in EVENT.items() if key != "end_time"}
    own = {"metadata": {"honeytrace": {"status": "interrupted"}}, "duration": 0}
    http.post("/events/batch", json={"events": [event | own]})
    assert not {"end_time", "duration"} & http.get("/v1/events/e").json()["event"].keys()


def test_an_event_without_a_session_gets_one(http: httpx.Client) -> None:
    """So that it can be found from the list of sessions."""
    event = {key: value for key, value in EVENT.items() if key != "session_id"}
    http.post("/events", json={"event": event})
    session_id = http.get("/v1/events/e").json()["event"]["session_id"]
    session = http.get(f"/session/{session_id}").json()
    assert (session["event_type"], session["event_name"]) == ("session", "step")


def test_an_event_that_names_no_project_is_of_that_of_its_session(http: httpx.Client) -> None:
    """The newer routes leave the project to the API key, of which there is none here."""
    http.post("/session/start", json={"session": {"session_id": "root", "project": "mine"}})
    http.post("/v1/events", json={"event_id": "e", "session_id": "root", "event_type": "tool"})
    assert http.get("/v1/events/e").json()["event"]["project"] == "mine"


def test_a_batch_of_a_single_session_starts_it(http: httpx.Client) -> None:
    """All events belong to it, and its properties are those given."""
    body = {
        "events": [{**EVENT, "event_id": i, "session_id": None} for i in ("x", "y")],
        "is_single_session": True,
        "session_properties": {"session_name": "whole", "metadata": {"m": 1}},
    }
    reply = http.post("/events/batch", json=body).json()
    assert (reply["event_ids"], reply["success"]) == (["x", "y"], True)
    tree = http.get(f"/v1/sessions/{reply['session_id']}").json()
    assert (tree["event_name"], tree["metadata"]) == ("whole", {"m": 1})
    assert [child["event_id"] for child in tree["children"]] == ["x", "y"]


def test_a_batch_is_stored_whole_or_not_at_all(http: httpx.Client, store: SQLiteStore) -> None:
    """And the refusal says which event it was for."""
    events = [EVENT, {**EVENT, "event_id": "f", "event_type": "thought"}]
    reply = http.post("/events/batch", json={"events": events})
    assert reply.status_code == 400
    assert reply.json()["message"] == (
        "nothing was stored, for event 1: event_type must be one of session, model, tool, chain"
    )
    assert store.size().sessions == 0


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/sessions/one/two/events/batch", "events"),
        ("/session/one/two/traces", "events"),
        ("/session/one/two/traces", "logs"),
    ],
)
def test_the_session_of_the_path_wins(http: httpx.Client, path: str, key: str) -> None:
    """Ids with a slash included, as one official client does not escape them."""
    assert http.post(path, json={key: [EVENT]}).json() == {"success": True}
    assert http.get("/v1/events/e").json()["event"]["session_id"] == "one/two"


@pytest.mark.parametrize("body", [{}, {"events": [], "logs": []}])
def test_traces_come_as_either_logs_or_events(http: httpx.Client, body: object) -> None:
    """Neither and both are refused, as by HoneyHive."""
    assert http.post("/session/s/traces", json=body).status_code == 400


def test_a_model_event_is_folded_into_an_event(http: httpx.Client) -> None:
    """By HoneyHive's conventions: chat history, response, config, usage and cost."""
    model_event = {
        "project": "p",
        "model": "gpt-4o",
        "provider": "openai",
        "messages": [{"role": "user", "content": "hi"}],
        "response": {"role": "assistant", "content": "ho"},
        "duration": 42,
        "usage": {"total_tokens": 20},
        "cost": 0.5,
        "hyperparameters": {"temperature": 0},
        "template_inputs": {"name": "world"},
    }
    batch = {"model_events": [model_event]}
    (event_id,) = http.post("/events/model/batch", json=batch).json()["event_ids"]
    event = http.get(f"/v1/events/{event_id}").json()["event"]
    assert event["event_type"] == "model"
    assert event["inputs"] == {"name": "world", "chat_history": model_event["messages"]}
    assert event["outputs"] == model_event["response"]
    assert event["config"] == {
        "model": "gpt-4o",
        "provider": "openai",
        "hyperparameters": {"temperature": 0},
    }
    assert event["metadata"] == {"total_tokens": 20, "cost": 0.5}
    single = http.post("/events/model", json={"model_event": model_event})
    assert single.json()["success"] is True


def test_an_event_is_updated_by_either_route(http: httpx.Client) -> None:
    """The id stands in the body, or in the path."""
    http.post("/events", json={"event": EVENT})
    http.put("/events", json={"event_id": "e", "metadata": {"a": 1}})
    http.put("/v1/events/e", json={"metadata": {"b": 2}, "unknown": "ignored"})
    assert http.get("/v1/events/e").json()["event"]["metadata"] == {"a": 1, "b": 2}


@pytest.fixture
def three(http: httpx.Client) -> httpx.Client:
    """A server with a session and two events of it, and one of another project."""
    http.post("/session/start", json={"session": {"session_id": "s", "start_time": 1}})
    for i, cost in ((2, 0.5), (3, 2)):
        event = {
            **EVENT,
            "event_id": f"e{i}",
            "session_id": "s",
            "start_time": i,
            "metadata": {"cost": cost, "gen_ai.model": "m", "ok": True},
        }
        http.post("/events", json={"event": event})
    other = {**EVENT, "event_id": "other", "project": "q", "session_id": "t", "start_time": 4}
    http.post("/events", json={"event": other})
    return http


def where(field: str, operator: str, value: object = None, type: str = "string") -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value, "type": type}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["other", "e3", "e2", "s"]),
        ({"project": "q"}, ["other"]),
        ({"filters": [where("session_id", "is", "s")]}, ["e3", "e2", "s"]),
        ({"filters": [where("event_type", "is", "session")]}, ["s"]),
        ({"filters": [where("event_type", "is not", "session")]}, ["other", "e3", "e2"]),
        ({"filters": [where("event_name", "contains", "te")]}, ["other", "e3", "e2"]),
        ({"filters": [where("event_name", "not contains", "te")]}, ["s"]),
        ({"filters": [where("metadata.cost", "greater than", "1", "number")]}, ["e3"]),
        ({"filters": [where("metadata.cost", "less than", 1, "number")]}, ["e2"]),
        ({"filters": [where("metadata.gen_ai.model", "is", "m")]}, ["e3", "e2"]),
        ({"filters": [where("metadata.ok", "is", "true", "boolean")]}, ["e3", "e2"]),
        ({"filters": [where("metadata.cost", "exists")]}, ["e3", "e2"]),
        ({"filters": [where("metadata.cost", "not exists")]}, ["other", "s"]),
        ({"filters": [where("start_time", "after", "1970-01-01T00:00:00.002Z")]}, ["other", "e3"]),
        ({"dateRange": {"$gte": "1970-01-01T00:00:00.002Z", "$lte": 3}}, ["e3", "e2"]),
        ({"limit": 2, "page": 2}, ["e2", "s"]),
        ({"limit": 2.0, "page": 3}, []),
    ],
)
@pytest.mark.parametrize("path", ["/events/export", "/v1/events/search"])
def test_events_are_found_by_filter(
    three: httpx.Client, path: str, query: dict[str, Any], found: list[str]
) -> None:
    """Newest first, in pages; the total counts every match under its older and newer name."""
    reply = three.post(path, json={"filters": [], **query}).json()
    assert [event["event_id"] for event in reply["events"]] == found
    assert reply["totalEvents"] == reply["count"]
    assert reply["count"] == (4 if "limit" in query else len(found))


def test_a_projection_leaves_the_fields_it_names(three: httpx.Client) -> None:
    """Those of them that an event has."""
    query = {"filters": [where("event_id", "is", "e2")], "projections": ["event_id", "error"]}
    assert three.post("/v1/events/export", json=query).json()["events"] == [{"event_id": "e2"}]


def test_events_are_listed_by_get(three: httpx.Client) -> None:
    """Filters are JSON in the query."""
    query = {"filters": '[{"field":"project","operator":"is","value":"q"}]', "limit": "5"}
    reply = three.get("/v1/events", params=query).json()
    assert [event["event_id"] for event in reply["events"]] == ["other"]


def test_more_events_than_one_read_of_the_store(http: httpx.Client) -> None:
    """Nothing is counted twice or left out between its chunks."""
    common = {"event_type": "tool", "session_id": "s", "start_time": 5}
    events = [{**common, "event_id": f"{i:05}"} for i in range(2500)]
    http.post("/events/batch", json={"events": events})
    query = {"filters": [where("session_id", "is", "s")], "limit": 100, "page": 25}
    reply = http.post("/v1/events/search", json=query).json()
    assert reply["count"] == 2500
    assert [event["event_id"] for event in reply["events"]] == [
        f"{i:05}" for i in range(99, -1, -1)
    ]


def session(name: str, parent: str | None = None) -> dict[str, Any]:
    """A startSession payload of the default layout, where every call is a session."""
    own = {} if parent is None else {"parent_id": parent, "root_id": "run"}
    return {"session_id": name, "session_name": name, "metadata": {"honeytrace": own}}


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("first", ["session", "event"])
def test_an_event_of_a_nested_session_is_in_its_tree(
    http: httpx.Client, first: str, batch: bool
) -> None:
    """What is sent to `current_session().session_id` is found from the root, whenever it came."""
    nested = [session("run"), session("inner", "run")]

    def start() -> None:
        if batch:
            http.post("/session/start/batch", json={"sessions": nested})
        else:
            for each in nested:
                http.post("/session/start", json={"session": each})

    if first == "session":
        start()
    event = {"event_type": "tool", "event_name": "elsewhere", "session_id": "inner"}
    assert http.post("/events", json={"event": event}).status_code == 200
    if first == "event":
        start()
    root = http.get("/v1/sessions/run").json()
    (inner,) = root["children"]
    assert [each["event_name"] for each in inner["children"]] == ["elsewhere"]
    inner = http.get("/v1/sessions/inner").json()
    assert [each["event_name"] for each in inner["children"]] == ["elsewhere"]
    assert inner["children_ids"] == [inner["children"][0]["event_id"]]


def test_both_names_of_a_batch_s_session_are_checked(http: httpx.Client) -> None:
    """An invalid one is refused although the other one counts."""
    body = {"events": [EVENT], "session_properties": {"source": "s"}, "session": {"end_time": []}}
    reply = http.post("/events/batch", json=body)
    assert reply.status_code == 400
    assert "session.end_time" in reply.json()["message"]


def test_times_that_add_up_beyond_the_limit_are_taken(http: httpx.Client) -> None:
    """Each is valid; the start that follows from them stays within the limits."""
    event = {**EVENT, "end_time": -(2**53), "duration": 2**53, "session_id": None}
    assert http.post("/events", json={"event": event}).status_code == 200
