"""Runs in groups: by conversation, and by user."""

from __future__ import annotations

import re

import httpx
import pytest
from viewer_site import START, call

from honeytrace.server.viewer._conversations import conversation_of
from honeytrace.store.sqlite import SQLiteStore


def groups(html: str) -> list[str]:
    found = html.split('<li class="issue">')[1:]
    return [" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in found]


def test_runs_of_one_conversation_stand_together(http: httpx.Client, store: SQLiteStore) -> None:
    """The latest conversation first, its runs in order; those without one are counted."""
    store.insert([
        call("a1", metadata={"conversation_id": "trip"}, inputs={"q": "first"}),
        call("b1", metadata={"thread_id": "other"}, start_time=START + 1),
        call("a2", metadata={"conversation_id": "trip"}, start_time=START + 2, error="E: bad",
             user_properties={"name": "ada"}, inputs={"q": "second"}),
        call("alone", start_time=START + 3),
    ])  # fmt: skip
    html = http.get("/conversations").text
    first, second = groups(html)
    assert first.startswith("trip ada 2 runs, 1 failed")
    assert first.index("first") < first.index("second")
    assert second.startswith("other 1 run")
    assert "1 of them without a conversation" in html


def test_runs_of_one_user_stand_together(http: httpx.Client, store: SQLiteStore) -> None:
    """With the way to their list."""
    store.insert([call("a", user_properties={"email": "ada@example.com"}), call("b")])
    html = http.get("/conversations?by=user").text
    (only,) = groups(html)
    assert only.startswith("ada@example.com 1 run")
    assert 'href="/?user=ada%40example.com"' in html


def test_nothing_to_group_says_how(http: httpx.Client, store: SQLiteStore) -> None:
    """A line of code that would name a conversation; nonsense is refused."""
    store.insert([call("a")])
    assert "conversation_id" in http.get("/conversations").text
    assert http.get("/conversations?since=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"metadata": {"session.id": "s"}}, "s"),
        ({"inputs": {"thread_id": 7}}, "7"),
        ({"metadata": {"conversation_id": {"not": "an id"}}}, ""),
        ({}, ""),
    ],
)
def test_where_a_conversation_is_named(fields: dict[str, object], name: str) -> None:
    """In metadata or inputs, as text or a number."""
    assert conversation_of(call("s", **fields)) == name
