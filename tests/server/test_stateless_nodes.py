"""Parts of a run that came through different nodes are found together, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from otlp_messages import TRACE, span
from server_running import running
from test_events import session
from test_traces import SID, log, send

from honeytrace.otel._semconv import event_id
from honeytrace.server import create_app
from honeytrace.store import open_store

WHEN = ("before", "between", "after")
"""When the other node stores its part: before a node reads, between its reading and its writing, or
after its writing. A node that is killed in between is the first of these, for its client repeats
the request."""


class Node:
    """A client of a node, whose store calls `meanwhile` once before it writes."""

    def __init__(self, path: Path) -> None:
        self._store = open_store(str(path))
        self.meanwhile: Callable[[], object] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def for_tenant(self, tenant: str) -> Node:
        return self

    def insert(self, *arguments: Any) -> None:
        self._met()
        self._store.insert(*arguments)

    def update(self, *arguments: Any) -> None:
        self._met()
        self._store.update(*arguments)

    def _met(self) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()


@contextmanager
def two_nodes(path: Path) -> Iterator[tuple[Node, httpx.Client, httpx.Client]]:
    """Two nodes over one store; the first is given with its store."""
    stores = Node(path), Node(path)
    with (
        running(create_app(stores[0])) as first,
        running(create_app(stores[1])) as second,
        httpx.Client(base_url=first, timeout=60) as one,
        httpx.Client(base_url=second, timeout=60) as other,
    ):
        yield stores[0], one, other
    for each in stores:
        each.close()


def in_order(
    when: str, node: Node, mine: Callable[[], object], theirs: Callable[[], object]
) -> None:
    """Send both parts, theirs before, between or after mine."""
    if when == "before":
        theirs()
    if when == "between":
        node.meanwhile = theirs
    mine()
    assert node.meanwhile is None
    if when == "after":
        theirs()


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("first", ["event", "session"])
def test_an_event_and_its_session_at_two_nodes(
    tmp_path: Path, first: str, batch: bool, when: str
) -> None:
    """The event is in the tree of the run that its session is inside."""
    with two_nodes(tmp_path / "x.db") as (node, one, other):
        clients = (one, other) if first == "event" else (other, one)

        def send_event() -> None:
            event = {"event_type": "tool", "event_name": "elsewhere", "session_id": "inner"}
            reply = clients[0].post("/events/batch", json={"events": [event]})
            assert reply.status_code == 200

        def start() -> None:
            sessions = [session("run"), session("inner", "run")]
            if batch:
                clients[1].post("/session/start/batch", json={"sessions": sessions})
            else:
                for each in sessions:
                    clients[1].post("/session/start", json={"session": each})

        parts = (send_event, start) if first == "event" else (start, send_event)
        in_order(when, node, *parts)
        for client in (one, other):
            (inner,) = client.get("/v1/sessions/run").json()["children"]
            assert [each["event_name"] for each in inner["children"]] == ["elsewhere"]
            assert inner["children_ids"] == [inner["children"][0]["event_id"]]


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("first", ["log", "span"])
@pytest.mark.parametrize("repeated", [True, False])
def test_a_log_event_and_its_root_span_at_two_nodes(
    tmp_path: Path, first: str, when: str, repeated: bool
) -> None:
    """The root takes the evaluation; later ones of the same name are not undone when the exporter
    repeats the span."""
    with two_nodes(tmp_path / "x.db") as (node, one, other):
        clients = (one, other) if first == "log" else (other, one)

        def evaluate(score: float = 0.5) -> None:
            body = log(
                "gen_ai.evaluation.result",
                "a1",
                gen_ai__evaluation__name="relevance",
                gen_ai__evaluation__score__value=score,
            )
            assert clients[0].post("/v1/logs", json=body).json() == {}

        def end() -> None:
            send(clients[1], span("root", "a1"))

        parts = (evaluate, end) if first == "log" else (end, evaluate)
        in_order(when, node, *parts)
        score = 0.5
        if repeated:
            evaluate(score := 0.75)
            end()
        found = other.get(f"/session/{SID}").json()
        assert found["metrics"] == {"relevance": score}
        alone = other.get(f"/session/{event_id(TRACE, 'a1'.rjust(16, '0'))}")
        assert alone.status_code == 404


@pytest.mark.parametrize("when", WHEN)
def test_a_span_and_the_session_that_its_tracer_names_at_two_nodes(
    tmp_path: Path, when: str
) -> None:
    """The span is in the tree of the run that the session is inside."""
    with two_nodes(tmp_path / "x.db") as (node, one, other):

        def end() -> None:
            named = {"honeyhive.session_id": "inner"}
            send(one, span("elsewhere", "a1", attributes=named))

        def start() -> None:
            sessions = [session("run"), session("inner", "run")]
            other.post("/session/start/batch", json={"sessions": sessions})

        in_order(when, node, end, start)
        (inner,) = other.get("/v1/sessions/run").json()["children"]
        assert [each["event_name"] for each in inner["children"]] == ["elsewhere"]
