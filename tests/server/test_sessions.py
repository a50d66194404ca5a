"""Sessions over the wire: started, repeated, read, and sent many at a time."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import orjson
import pytest

from honeytrace._record.record import Record
from honeytrace._record.wire import start_session_body
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

FULL: dict[str, Any] = {
    "project": "p",
    "session_name": "n",
    "source": "s",
    "session_id": "a b/c?d#é",
    "children_ids": ["x", "y"],
    "config": {"k": 1},
    "inputs": {"q": [1, None, {"deep": "☃"}]},
    "outputs": {"result": 1.5},
    "error": "ValueError: no",
    "duration": 1.25,
    "user_properties": {"u": "1"},
    "metrics": {},
    "feedback": {"rating": 5},
    "metadata": {"a.b": True},
    "start_time": 1712025501605.5,
    "end_time": 1712025501607,
}


@pytest.mark.parametrize(
    ("path", "body"), [("/session/start", {"session": FULL}), ("/v1/sessions", FULL)]
)
def test_a_session_reads_back_equal(http: httpx.Client, path: str, body: object) -> None:
    """Every field, with an id that has to be escaped; the reply to the start is the same event."""
    started = http.post(path, json=body)
    found = http.get("/session/a%20b%2Fc%3Fd%23%C3%A9")
    assert (started.status_code, found.status_code) == (200, 200)
    assert started.json() == found.json()
    event = found.json()
    assert {name: event[name] for name in FULL if name != "session_name"} == {
        name: value for name, value in FULL.items() if name != "session_name"
    }
    assert (event["event_name"], event["event_type"]) == ("n", "session")
    assert event["event_id"] == event["session_id"]


def test_a_reply_says_nothing_that_is_not_known(http: httpx.Client) -> None:
    """No null anywhere, since strict clients refuse it; the five ids are always there."""
    event = http.post("/session/start", json={"session": {}}).json()
    assert None not in event.values()
    assert {"event_id", "session_id", "org_id", "workspace_id", "project_id"} <= event.keys()
    assert not {"end_time", "duration", "error", "inputs"} & event.keys()


def test_times_take_the_form_strict_clients_want(http: httpx.Client) -> None:
    """Python clients send whole numbers as floats; `end_time` comes back an integer."""
    sent = b'{"session": {"start_time": 5.0, "end_time": 7.0, "session_id": "i"}}'
    text = http.post("/session/start", content=sent).text
    assert '"start_time":5,' in text
    assert '"end_time":7,' in text


def test_starting_a_session_again_changes_nothing(http: httpx.Client, store: SQLiteStore) -> None:
    """A client that did not hear the reply may repeat the request."""
    first = http.post("/session/start", json={"session": FULL})
    assert http.post("/session/start", json={"session": FULL}).content == first.content
    assert store.size().sessions == 1


def test_an_unknown_session_is_a_404_that_says_so(http: httpx.Client) -> None:
    """Our own client tells it from a missing route by the words."""
    reply = http.get("/session/nope")
    assert reply.status_code == 404
    assert reply.json() == {"message": "no session has this id", "errorCode": "session_not_found"}


def test_a_missing_route_is_a_404_that_names_it(http: httpx.Client) -> None:
    """And a method that a path does not have is a 405 with those it has."""
    assert "/nowhere is not served" in http.get("/nowhere").json()["message"]
    wrong = http.delete("/events")
    assert wrong.status_code == 405
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "PUT"}


def test_a_session_is_updated_as_an_event(http: httpx.Client) -> None:
    """Objects merge, outputs are replaced, and null keeps what there is."""
    http.post("/session/start", json={"session": FULL})
    update = {
        "event_id": FULL["session_id"],
        "metadata": {"more": 1},
        "outputs": {"result": 2},
        "feedback": None,
        "end_time": 1712025501609.0,
        "children_ids": [],
    }
    assert http.put("/events", json=update).json() == {"success": True}
    event = http.get("/session/a%20b%2Fc%3Fd%23%C3%A9").json()
    assert event["metadata"] == {"a.b": True, "more": 1}
    assert event["outputs"] == {"result": 2}
    assert event["feedback"] == FULL["feedback"]
    assert event["end_time"] == 1712025501609
    assert event["children_ids"] == ["x", "y"]


def test_an_update_may_come_before_its_session(http: httpx.Client) -> None:
    """It is kept, and applied when the session arrives."""
    http.put("/events", json={"event_id": "late", "metrics": {"m": 1}})
    http.post("/session/start", json={"session": {"session_id": "late"}})
    assert http.get("/session/late").json()["metrics"] == {"m": 1}


def test_every_reply_announces_the_batch_route(http: httpx.Client) -> None:
    """Refusals too: honeytrace's own sink learns of it from whatever it sees first."""
    for reply in (http.get("/health"), http.get("/nowhere"), http.post("/events", content=b"x")):
        assert reply.headers["honeytrace-batch"] == "/session/start/batch"


def test_a_batch_stores_what_is_right_and_names_what_is_not(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """One wrong session or update costs no other; updates follow the sessions they came with."""
    body = {
        "sessions": [{"session_id": "a"}, {"session_id": "b", "inputs": [1]}, 5, {"project": "q"}],
        "updates": [{"event_id": "a", "outputs": {"x": 1}}, {"outputs": {}}],
    }
    packed = gzip.compress(orjson.dumps(body))
    reply = http.post(
        "/session/start/batch", content=packed, headers={"content-encoding": "gzip"}
    ).json()
    assert reply["accepted"] == 3
    assert [(each["kind"], each["index"], each["reason"]) for each in reply["refused"]] == [
        ("session", 1, "session.inputs must be an object"),
        ("session", 2, "session must be an object"),
        ("update", 1, "event_id is required: the id of the event or session to update"),
    ]
    assert http.get("/session/a").json()["outputs"] == {"x": 1}
    assert store.size().sessions == 2


def test_a_repeated_batch_changes_nothing(http: httpx.Client, store: SQLiteStore) -> None:
    """Delivery is at least once, storage exactly once."""
    body = {"sessions": [{"session_id": str(i), "start_time": i} for i in range(1, 50)]}
    for _ in range(2):
        assert http.post("/session/start/batch", json=body).json()["accepted"] == 49
    assert store.size().sessions == 49


def test_what_our_sink_sends_arrives_as_the_same_record(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """Parent, root, type and status travel in the reserved key of the metadata."""
    record = Record(
        event_id="child",
        session_id="child",
        parent_id="root",
        root_id="root",
        event_type="tool",
        event_name="lookup",
        project="p",
        source="s",
        status="cancelled",
        start_time=1712025501605.25,
        end_time=1712025501607,
        duration=1.75,
        error=None,
        children_ids=b"[]",
        config=None,
        inputs=b'{"q":1}',
        outputs=b'{"result":[1]}',
        metrics=None,
        feedback=None,
        metadata=orjson.dumps(
            {
                "honeytrace": {
                    "parent_id": "root",
                    "root_id": "root",
                    "event_type": "tool",
                    "status": "cancelled",
                }
            }
        ),
        user_properties=None,
    )
    http.post("/session/start", content=start_session_body(record))
    assert list(store.list(Query())) == [record]


def test_a_session_comes_as_a_tree(http: httpx.Client) -> None:
    """Events nest by parent, in order of start, however they arrived."""
    http.post("/session/start", json={"session": {"session_id": "s", "start_time": 1}})
    events = [
        {"event_id": "c", "parent_id": "b", "start_time": 4},
        {"event_id": "b", "start_time": 3},
        {"event_id": "a", "start_time": 2},
    ]
    common = {"event_type": "tool", "session_id": "s"}
    http.post("/events/batch", json={"events": [{**common, **event} for event in events]})

    def shape(node: dict[str, Any]) -> list[Any]:
        return [node["event_id"], *map(shape, node["children"])]

    assert shape(http.get("/v1/sessions/s").json()) == ["s", ["a"], ["b", ["c"]]]


def test_a_tree_deeper_than_the_stack_is_told(http: httpx.Client) -> None:
    """Two thousand levels; and parents in a circle do not hang the server."""
    common = {"event_type": "chain", "session_id": "s"}
    chain = [{**common, "event_id": "0"}]
    chain += [{**common, "event_id": str(i), "parent_id": str(i - 1)} for i in range(1, 2000)]
    circle = [{**common, "event_id": i, "parent_id": p} for i, p in (("x", "y"), ("y", "x"))]
    http.post("/session/start", json={"session": {"session_id": "s"}})
    http.post("/events/batch", json={"events": [*chain, *circle]})
    assert http.get("/v1/sessions/s").text.count('"children":[') == 2001
    assert http.get("/v1/sessions/x").status_code == 200
