"""Whatever is sent, the answer is a refusal with a reason, and the server goes on."""

from __future__ import annotations

import httpx
import pytest

DEEP = b'{"session": {"inputs": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}}"

BODIES = {
    "empty": b"",
    "broken": b"{",
    "no object": b"[]",
    "not text": b"\xff\xfe",
    "byte order mark": b"\xef\xbb\xbf{}",
    "nesting bomb": b"[" * 1_000_000,
    "nested beyond the encoder": DEEP,
    "NaN": b'{"session": {"duration": NaN}}',
    "infinity": b'{"session": {"duration": 1e999}}',
    "endless digits": b'{"session": {"duration": ' + b"9" * 5000 + b"}}",
    "a time no clock shows": b'{"session": {"end_time": 1e300}}',
    "no session": b"{}",
    "a session of text": b'{"session": "x"}',
    "a list of inputs": b'{"session": {"inputs": []}}',
    "a number as name": b'{"session": {"session_name": 5}}',
    "a number as error": b'{"session": {"error": 5}}',
    "true as a time": b'{"session": {"start_time": true}}',
    "text as a time": b'{"session": {"start_time": "2024-04-01"}}',
    "children that are no ids": b'{"session": {"children_ids": [1]}}',
    "an endless id": b'{"session": {"session_id": "' + b"x" * 100_000 + b'"}}',
    "a parent that is no id": b'{"session": {"metadata": {"honeytrace": {"parent_id": {}}}}}',
    "an event type that is none": b'{"session": {"metadata": {"honeytrace": {"event_type": "x"}}}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_a_400(http: httpx.Client, body: bytes) -> None:
    """With a message and a code, as official clients read them."""
    reply = http.post("/session/start", content=body)
    assert reply.status_code == 400
    assert reply.json().keys() == {"message", "errorCode"}
    assert len(reply.content) < 500


@pytest.mark.parametrize(
    "body",
    [
        b'{"session": {"session_id": "s", "inputs": {"a": 1, "a": 2}}}',
        b'{"session": {"session_id": "s", "inputs": {"a": 123456789012345678901234567890}}}',
        b'{"session": {"session_id": "s", "inputs": {"\\u0000": "\\u0000"}}}',
        b'{"session": {"session_id": "s", "error": null, "end_time": null, "unknown": 1}}',
        b'{"session": {"session_id": "s", "error": "\\ud800", "inputs": {"\\ude00": "\\ud83d"}}}',
        b'{"session": {"session_id": "s", "session_name": "\xed\xa0\x80"}}',
    ],
    ids=["a key twice", "integer beyond 64 bit", "NUL", "null", "half a pair", "its bytes"],
)
def test_what_json_allows_is_taken(http: httpx.Client, body: bytes) -> None:
    """The last of a key, the nearest double, NUL in a text, null as absent, half a surrogate
    pair as U+FFFD."""
    assert http.post("/session/start", content=body).status_code == 200
    assert http.get("/session/s").status_code == 200


def test_what_is_stored_can_always_be_read(http: httpx.Client) -> None:
    """The deepest value that is taken comes back, alone and inside a tree."""
    deep = b'{"a":' * 250 + b"1" + b"}" * 250
    body = b'{"session": {"session_id": "s", "inputs": ' + deep + b"}}"
    assert http.post("/session/start", content=body).status_code == 200
    for path in ("/session/s", "/v1/sessions/s", "/v1/events/s", "/v1/events"):
        assert deep in http.get(path).content


@pytest.mark.parametrize(
    "query",
    [
        {"filters": 1},
        {"filters": [1]},
        {"filters": [{}]},
        {"filters": [{"field": "a", "operator": "like", "value": "x"}]},
        {"filters": [{"field": "a", "value": "x", "type": "regex"}]},
        {"filters": [{"field": "a", "value": None}]},
        {"filters": [{"field": "duration", "operator": "greater than", "value": "much"}]},
        {"filters": [{"field": "a", "operator": ["is"], "value": "x"}]},
        {"limit": 0},
        {"limit": 7501},
        {"limit": 1.5},
        {"page": 0},
        {"page": "1"},
        {"dateRange": []},
        {"dateRange": {"$gte": "yesterday"}},
        {"projections": [1]},
        {"project": 1},
    ],
)
def test_a_query_that_means_nothing_is_a_400(http: httpx.Client, query: object) -> None:
    """Rather than an empty answer, or all of them."""
    assert http.post("/v1/events/search", json=query).status_code == 400
