"""A batch as requests: what is in their bodies, however large."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from honeyhive_server import BATCH, TAKEN, HoneyHiveServer, Reply
from hypothesis import example, given
from hypothesis import strategies as st

from honeytrace._config import Config
from honeytrace._record.record import Item, Record, Update
from honeytrace._record.wire import from_start_session, pieces
from honeytrace.api import Streamed
from honeytrace.sinks._body import CHUNK, WHOLE
from honeytrace.sinks._requests import Request, fold, requests
from honeytrace.sinks.api import ApiSink


def record(event_id: str, inputs: str, outputs: str, parent_id: str | None) -> Record:
    payload: dict[str, Any] = {
        "session_id": event_id,
        "inputs": {"q": inputs},
        "outputs": {"a": outputs},
    }
    if parent_id is not None:
        payload["metadata"] = {"honeytrace": {"parent_id": parent_id, "root_id": "r"}}
    return from_start_session(payload, str)


Text = tuple[str, int]
texts = st.tuples(
    st.sampled_from(["x", "é", '"', "\\"]),
    st.sampled_from([0, 1, 30, 900, 1_100, 5_000, CHUNK - 40, CHUNK, 3 * CHUNK]),
)
plans = st.lists(
    st.tuples(st.sampled_from(["root", "nested", "update"]), texts, texts), min_size=1, max_size=12
)


def planned(number: int, kind: str, one: Text, two: Text) -> Item:
    event_id, first, second = f"e{number}", one[0] * one[1], two[0] * two[1]
    if kind == "update":
        return Update(event_id, {"feedback": orjson.dumps({"note": first})})
    return record(event_id, first, second, "p" if kind == "nested" else None)


def sent(request: Request) -> Any:
    """The body as it goes over the wire, its announced length verified."""
    body = request.body
    if not isinstance(body, Streamed):
        return orjson.loads(body)
    once, twice = b"".join(body.chunks), b"".join(body.chunks)
    assert once == twice
    assert len(once) == body.size
    assert max(map(len, body.chunks)) <= WHOLE + CHUNK
    return orjson.loads(once)


@given(plans, st.sampled_from(["sessions", "tree"]), st.sampled_from([None, BATCH]))
@example([("root", ("x", CHUNK - 40), ("x", CHUNK - 40))], "sessions", None)
@example([("root", ("x", WHOLE + 10), ("x", 10))], "tree", None)
def test_bodies_say_what_the_batch_says(
    plan: list[tuple[str, Text, Text]], layout: str, batch_path: str | None
) -> None:
    """Every item is in exactly one body, whole, in whatever chunks that is sent."""
    batch = [planned(number, *each) for number, each in enumerate(plan)]
    ids: list[str] = []
    for step in requests(batch, layout, batch_path):
        for request in step:
            body = sent(request)
            parts = body.get("events") or body.get("sessions", []) + body.get("updates", [])
            for part in parts or [body.get("session") or body]:
                ids.append(part.get("event_id") or part["session_id"])
                item = next(item for item in batch if item.event_id == ids[-1])
                if isinstance(item, Record):
                    assert part["inputs"] == orjson.loads(item.inputs or b"null")
                    assert part["outputs"] == orjson.loads(item.outputs or b"null")
                else:
                    assert part["feedback"] == orjson.loads(item.fields["feedback"])
    assert sorted(ids) == sorted(item.event_id for item in batch)


def test_what_belongs_together_is_folded_into_one() -> None:
    """A session and its updates travel as one item, which knows what it was made of."""
    first, other = record("a", "q", "", None), record("b", "", "", None)
    later = Update("a", {"feedback": b'{"rating":5}'})
    folded, origins = fold([first, other, later])
    assert [item.event_id for item in folded] == ["a", "b"]
    assert folded[0].feedback == b'{"rating":5}'  # type: ignore[union-attr]
    assert origins[id(folded[0])] == [first, later]


@pytest.mark.parametrize("size", [10, 3 * CHUNK])
def test_a_body_is_sent_again_where_a_server_redirects(size: int) -> None:
    """A redirect that keeps the method gets the whole body once more, in chunks or not."""
    with HoneyHiveServer() as server:
        elsewhere = (("location", f"{server.url}/moved"),)
        server.answer = lambda request: (
            Reply(307, headers=elsewhere)
            if request.path == "/session/start"
            else Reply(body={"session_id": "a"})
        )
        sink = ApiSink(Config(api_key="k", server_url=server.url))
        try:
            assert sink.deliver([record("a", "x" * size, "", None)], timeout=30) == TAKEN
        finally:
            sink.close()
        bodies = [request.json for request in server.requests]
    assert bodies == bodies[:1] * 3  # the redirect, then httpx, which follows it
    assert bodies[0]["session"]["inputs"] == {"q": "x" * size}


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, WHOLE, WHOLE + 1])
def test_an_object_as_long_as_a_chunk_stands_in_its_place(size: int) -> None:
    """What comes before an object is sent before it, also where that is sent as it is."""
    bare = record("a", "", "", None)
    long = bare._replace(error="x" * (size - len(pieces(bare._replace(error="")))))
    ((request,), _) = requests([long], "sessions", None)
    assert request.size == size
    assert sent(request)["session"]["error"] == long.error
