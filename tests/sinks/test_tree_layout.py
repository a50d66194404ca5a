"""The tree layout: the outermost call is the session, what ran inside it its events."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import orjson
import pytest
from honeyhive_server import TAKEN, HoneyHiveServer, Reply, Request

from honeytrace._config import Config
from honeytrace._record.record import Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace.sinks import Delivery
from honeytrace.sinks.api import ApiSink


def root(event_id: str = "root") -> Record:
    session = {"session_id": event_id, "session_name": "answer", "start_time": 1.5, "end_time": 3}
    return from_start_session({**session, "project": "p", "source": "s", "duration": 1.5}, str)


def nested(event_id: str, parent_id: str = "root", inputs: object = None) -> Record:
    own = {"parent_id": parent_id, "root_id": "root"}
    payload = {
        "session_id": event_id,
        "session_name": "retrieve",
        "project": "p",
        "source": "s",
        "start_time": 2.0,
        "inputs": inputs,
        "metadata": {"honeytrace": own},
    }
    return from_start_session(payload, str)


@pytest.fixture
def server() -> Iterator[HoneyHiveServer]:
    """The server; whatever reached it must be allowed by the published document."""
    with HoneyHiveServer() as server:
        yield server
    server.validate()


@pytest.fixture
def sink(server: HoneyHiveServer) -> Iterator[ApiSink]:
    sink = ApiSink(Config(api_key="k", server_url=server.url, layout="tree"))
    sink.deliver([root("warm")], timeout=30)
    server.requests.clear()
    yield sink
    sink.close()


def test_a_tree_is_two_requests(server: HoneyHiveServer, sink: ApiSink) -> None:
    """The session is started first, though it ends last, and its events follow in one request."""
    tree = [nested("leaf", "mid", {"q": 1}), nested("mid"), root()]
    assert sink.deliver(tree, timeout=30) == TAKEN
    assert server.paths() == ["POST /session/start", "POST /events/batch"]
    assert server.sessions["root"]["session_name"] == "answer"
    assert server.events["leaf"] == {
        "project": "p",
        "source": "s",
        "event_name": "retrieve",
        "event_type": "chain",
        "event_id": "leaf",
        "session_id": "root",
        "parent_id": "mid",
        "start_time": 2.0,
        "duration": 0,
        "children_ids": [],
        "config": {},
        "inputs": {"q": 1},
        "metadata": {"honeytrace": {"parent_id": "mid", "root_id": "root"}},
    }


def test_events_do_not_wait_for_their_session(server: HoneyHiveServer, sink: ApiSink) -> None:
    """Events of a session that still runs are sent: ids tie them together whenever it ends."""
    assert sink.deliver([nested("leaf")], timeout=30) == TAKEN
    assert sink.deliver([root()], timeout=30) == TAKEN
    assert server.paths() == ["POST /events/batch", "POST /session/start"]


def test_an_update_follows_the_sessions_of_its_batch(
    server: HoneyHiveServer, sink: ApiSink
) -> None:
    """An update goes after the sessions that are started in the same delivery."""
    sink.deliver([Update("warm", {"feedback": b'{"rating":5}'}), root()], timeout=30)
    assert server.paths() == ["POST /session/start", "PUT /events"]
    assert server.updates == [{"event_id": "warm", "feedback": {"rating": 5}}]


def test_a_batch_stored_in_part(server: HoneyHiveServer, sink: ApiSink) -> None:
    """Of a batch that was stored in part, only what was not stored is tried again."""
    partial = {"event_ids": ["b", "c"], "errors": ["a: later"], "success": True}
    server.answer = lambda request: Reply(500, partial)
    sent = [nested("a"), nested("b"), nested("c")]
    assert sink.deliver(sent, timeout=30) == Delivery([sent[0]], [])
    server.answer = lambda request: None
    sink.deliver([sent[0]], timeout=30)
    assert server.stored["a"] == 1


def test_batches_stay_below_the_limit(server: HoneyHiveServer, sink: ApiSink) -> None:
    """Events are divided into requests of less than 5 MB and at most 5,000 events."""
    large = [nested(f"large{n}", inputs={"q": "x" * 2_000_000}) for n in range(3)]
    assert sink.deliver(large, timeout=30) == TAKEN
    assert sorted(len(request.json["events"]) for request in server.requests) == [1, 2]
    assert max(len(request.body) for request in server.requests) < 5_000_000
    server.requests.clear()
    assert sink.deliver([nested(f"e{n}") for n in range(5_001)], timeout=30) == TAKEN
    assert sorted(len(request.json["events"]) for request in server.requests) == [1, 5_000]


def test_one_bad_event(server: HoneyHiveServer, sink: ApiSink) -> None:
    """An event that makes the server refuse its whole batch is found, and refused alone."""

    def answer(request: Request) -> Reply | None:
        return Reply(400) if b'"event_id":"e3"' in request.body else None

    server.answer = answer
    sent = [nested(f"e{n}") for n in range(8)]
    assert sink.deliver(sent, timeout=30).refused == [(sent[3], "400 Bad Request")]
    assert sorted(server.events) == [f"e{n}" for n in range(8) if n != 3]


PROGRAM = """
import sys
import honeytrace

@honeytrace.trace_session(event_type="tool")
def retrieve(question):
    return ["chunk"]

@honeytrace.trace_session
def answer(question):
    return retrieve(question)

honeytrace.configure(layout=sys.argv[1], store=sys.argv[2])
with honeytrace.session("root") as session:
    answer("why?")
assert honeytrace.flush(), honeytrace.stats()
honeytrace.update_session(session.session_id, feedback={"rating": 5}, inputs={"late": 1})
found = honeytrace.get_session(session.session_id)
print([(line.split()[-3]) for line in found.tree().splitlines()])
print([child.session_name for child in found.children], found.children[0].children[0].event_type)
try:
    honeytrace.get_session("nowhere")
except honeytrace.SessionNotFound as error:
    print(error)
"""


@pytest.mark.parametrize("layout", ["sessions", "tree"])
def test_a_program_reads_its_tree_from_the_api(
    server: HoneyHiveServer, layout: str, tmp_path: object
) -> None:
    """With a key and a URL in the environment, `get_session` finds the whole tree at the API."""
    environ = {"HH_API_KEY": "k", "HH_API_URL": server.url, "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, layout, f"{tmp_path}/none.db"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr == ""
    tree, children, missing = ran.stdout.splitlines()
    assert tree == "['root', 'answer', 'retrieve']"
    assert children == "['answer'] tool"
    assert server.url in missing
    assert [update["feedback"] for update in server.updates] == [{"rating": 5}]
    assert len(server.sessions) == (3 if layout == "sessions" else 1)
    assert orjson.dumps(server.updates).count(b"honeytrace_update") == 1
