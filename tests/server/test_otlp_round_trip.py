"""honeytrace → OTLP → `honeytrace serve`: the records that arrive are those that were recorded."""

from __future__ import annotations

from typing import Any

import pytest
from server_running import running

import honeytrace
from honeytrace._record.wire import from_start_session
from honeytrace.otel import OtlpSink
from honeytrace.server import create_app
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore
from honeytrace.testing import capture


@honeytrace.trace_session(config={"model": "bee-1"}, metadata={"tier": "gold"})
def answer(question: str) -> dict[str, Any]:
    """A traced call with everything that a record can have."""
    session = honeytrace.current_session()
    session.update(metrics={"score": 0.5}, feedback={"rating": 5}, user_properties={"user_id": "u"})
    with honeytrace.session(
        "chat", inputs={"chat_history": [{"role": "user", "content": question}]}
    ):
        honeytrace.current_session().outputs = {"role": "assistant", "content": "ultraviolet"}
        honeytrace.current_session().metadata["prompt_tokens"] = 3
    with pytest.raises(ValueError), honeytrace.session("fails", session_id="my own id"):
        raise ValueError("no: bees")
    return {
        "token": "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD",
        "list": [1, None, {"a": 0.1}],
    }


def sessions(store: SQLiteStore) -> dict[str, dict[str, Any]]:
    """The sessions of a store as their users see them, by id."""
    found = honeytrace.lookup.StoreFamily(store)
    return {
        each.session_id: {**each.to_dict(), "parent": each.parent_id, "root": each.root_id}
        | {"status": each.status, "event_type": each.event_type}
        for each in map(found.load, store.list(Query(limit=100)))
    }


def test_the_way_back_is_the_identity(store: SQLiteStore) -> None:
    """Every field of every session of a tree is the same on the other side, a repeat changes
    nothing, and the books balance."""
    with capture() as recorded:
        answer("what do bees see?")
    here = {each.session_id: each for each in recorded}
    bodies = [
        from_start_session({**each.to_dict()}, lambda: "")._replace(event_type=each.event_type)
        for each in here.values()
    ]
    with running(create_app(store)) as url:
        sink = OtlpSink(url)
        for _ in range(2):
            assert sink.deliver(bodies, timeout=20) == ((), [], None, None)
        sink.close()
        there = sessions(store)
    assert there.keys() == here.keys()
    for session_id, each in here.items():
        expected = {**each.to_dict(), "parent": each.parent_id, "root": each.root_id}
        expected |= {"status": each.status, "event_type": each.event_type}
        assert there[session_id] == expected
