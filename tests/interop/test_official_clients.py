"""HoneyHive's own clients against `honeytrace serve`, and our client against theirs."""

from __future__ import annotations

from typing import Any

import pytest
from interop_recorder import Client, Recorder

from honeytrace.api import HoneyHive

SESSION: dict[str, Any] = {
    "project": "Simple RAG Project",
    "session_name": "Playground Session",
    "source": "playground",
    "session_id": "caf77ace-3417-4da4-944d-f4a0688f3c23",
    "children_ids": ["7f22137a-6911-4ed3-bc36-110f1dde6b66"],
    "config": {"k": 1},
    "inputs": {"question": "What is in the context?", "history": [{"role": "system", "n": None}]},
    "outputs": {"content": "Hello wörld ☃", "role": "assistant"},
    "error": "<value>",
    "duration": 824.8056,
    "user_properties": {"user": "google-oauth2|111840237613341303366"},
    "metrics": {},
    "feedback": {},
    "metadata": {"a.b": {"c": [1.5, True]}},
    "start_time": 1712025501605,
    "end_time": 1712025499832,
}
"""Every field; as in the API's own example, this session ends before it starts."""

TRACERS = ("python_0_2", "python_1", "node_1")


def stored_tree(server_url: str, session_id: str) -> dict[str, Any]:
    """The session with its events nested under `children`."""
    with HoneyHive(bearer_auth="t", server_url=server_url) as hive:
        tree: dict[str, Any] = hive.send_json("GET", f"/v1/sessions/{session_id}").json()
    return tree


def shape(node: dict[str, Any]) -> tuple[Any, ...]:
    """A tree as `(name, type, children…)`, children by name: some start in the same millisecond."""
    name = node["event_name"].removeprefix("__main__.")
    return (name, node["event_type"], *sorted(map(shape, node["children"])))


def find(node: dict[str, Any], name: str) -> dict[str, Any]:
    """The node of a tree with this name."""
    for child in node["children"]:
        if child["event_name"].removeprefix("__main__.") == name:
            return dict(child)
        if child["children"]:
            return find(child, name)
    raise LookupError(name)


@pytest.mark.parametrize("client", TRACERS, indirect=True)
def test_a_session_started_by_an_official_client_reads_back_equal_in_every_field(
    client: Client, served: str
) -> None:
    """What was sent is what the official client itself then gets."""
    event = client(served, SESSION)["event"]
    expected = {**SESSION, "event_name": SESSION["session_name"], "event_type": "session"}
    del expected["session_name"], expected["project"]  # an Event has neither
    assert {name: event[name] for name in expected} == expected
    assert event["event_id"] == SESSION["session_id"]
    assert event["project_id"] == SESSION["project"]


@pytest.mark.parametrize("client", TRACERS, indirect=True)
def test_the_spans_of_an_official_tracer_arrive_as_a_tree(client: Client, served: str) -> None:
    """Names, nesting, types, inputs, outputs, errors and session metrics, as the tracer means."""
    traced = client(served, SESSION)["traced"]
    tree = stored_tree(served, traced)

    generate, fail = ("generate", "model"), ("fail", "tool")
    # the tracers of 1.x add a span for the error itself
    extra = [("fail_error", "tool")] if len(find(tree, "answer")["children"]) == 3 else []
    assert shape(tree) == ("traced", "session", ("answer", "chain", fail, *extra, generate))
    assert tree["metrics"] == {"score": 1}
    answer, generated = find(tree, "answer"), find(tree, "generate")
    assert answer["inputs"] == {"question": "why?"}
    assert answer["outputs"] == {"result": "WHY?"}
    assert generated["inputs"] == {
        "prompt": "why?",
        "options": {"temperature": 0, "stop": ["a", "b"]},
    }
    assert generated["outputs"] == {"result": {"role": "assistant", "content": "WHY?"}}
    assert "no luck" in find(tree, "fail")["error"]
    assert all(node["duration"] >= 0 for node in (tree, answer, generated))


@pytest.mark.parametrize("client", ["python_logger"], indirect=True)
def test_the_official_logger_starts_logs_and_updates(client: Client, served: str) -> None:
    """Its event is in its session, with what it said later."""
    printed = client(served, {})
    tree = stored_tree(served, printed["traced"])
    assert shape(tree) == ("logged", "session", ("step", "tool"))
    (step,) = tree["children"]
    assert step["event_id"] == printed["event_id"]
    assert (step["outputs"], step["metadata"], step["duration"]) == ({"b": 3}, {"done": True}, 12)


@pytest.mark.parametrize("client", TRACERS, indirect=True)
def test_our_client_asks_what_the_official_client_asks(client: Client, recorder: Recorder) -> None:
    """The same routes, the same key and, as JSON, the same bodies."""
    client(recorder.url, SESSION)
    theirs = recorder.asked("POST", "/session/start")[0]
    read = recorder.asked("GET", f"/session/{SESSION['session_id']}")

    recorder.requests.clear()
    with HoneyHive(bearer_auth="t", server_url=recorder.url) as ours:
        ours.session.start_session(SESSION)
        ours.session.get_session(SESSION["session_id"])
    assert recorder.asked("POST", "/session/start") == [theirs]
    # the 1.x client has no route for a session
    assert read in ([], recorder.asked("GET", f"/session/{SESSION['session_id']}"))
