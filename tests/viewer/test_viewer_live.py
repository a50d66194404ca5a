"""What arrives is told to the pages that follow it, over real sockets."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from viewer_site import call, many, serving

from honeytrace._record.record import Record, Update
from honeytrace.errors import StoreError
from honeytrace.server import Limits
from honeytrace.server.viewer import _poller
from honeytrace.server.viewer._running import Running
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore


@contextmanager
def following(
    client: httpx.Client, path: str = "/live", **headers: str
) -> Iterator[Iterator[dict[str, str]]]:
    """The events of a stream; the first one says that it has begun."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with client.stream("GET", path, headers=headers, timeout=30) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        yield events(reply)


def events(reply: httpx.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in reply.iter_lines():
        if line:
            name, _, value = line.partition(":")
            event[name] = value.strip()
        elif event:
            yield event
            event = {}


def arrivals(event: dict[str, str]) -> list[str]:
    return [each["id"] for each in orjson.loads(event["data"])]


def begin(stream: Iterator[dict[str, str]]) -> str:
    """The place at which the stream begins."""
    assert "retry" in next(stream)
    place = next(stream)
    assert place["event"] == "place"
    return place["id"]


def test_what_arrives_is_told(http: httpx.Client, store: SQLiteStore) -> None:
    """As the rows that a list shows; what was there before is not repeated."""
    store.insert([call("old")])
    with following(http) as stream:
        begin(stream)
        store.insert([call("new", session_name="<b>")])
        event = next(stream)
    assert arrivals(event) == ["new"]
    row = orjson.loads(event["data"])[0]["html"]
    assert 'data-id="new"' in row
    assert "&lt;b&gt;" in row


CONDITIONS = [
    "project=mine",
    "q=because+special",
    "since=2023-01-01&until=0s&project=mine",
    "scope=calls&name=step",
]


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_only_what_meets_the_conditions_is_told(
    conditions: str, http: httpx.Client, store: SQLiteStore
) -> None:
    """The stream is that of the list at the same address."""
    with following(http, f"/live?{conditions}") as stream:
        begin(stream)
        store.insert([call("other"), call("inside", "root", project="elsewhere")])
        wanted = call(
            "wanted", project="mine", session_name="step", outputs={"result": "because special"}
        )
        store.insert([wanted])
        assert arrivals(next(stream)) == ["wanted"]


def test_a_page_that_comes_back_misses_nothing(http: httpx.Client, store: SQLiteStore) -> None:
    """It names the place it had reached, as browsers do by themselves, or in the address."""
    with following(http) as stream:
        place = begin(stream)
    store.insert([call("meanwhile")])
    with following(http, last_event_id=place) as stream:
        assert "retry" in next(stream)
        assert arrivals(next(stream)) == ["meanwhile"]
    with following(http, f"/live?after={place}") as stream:
        assert "retry" in next(stream)
        assert arrivals(next(stream)) == ["meanwhile"]


def test_what_changes_is_told(http: httpx.Client, store: SQLiteStore) -> None:
    """Feedback, and the end of a call that was running: the row as it is now, by any writer."""
    store.insert([call("s"), call("t", source="elsewhere"), call("u")._replace(status="running")])
    with following(http, "/live?source=test") as stream:
        begin(stream)
        with closing(SQLiteStore(store.path)) as other:
            feedback = b'{"rating":2,"comment":"slow"}'
            other.update([Update(name, {"feedback": feedback}) for name in "ts"])
        gone, row = orjson.loads(next(stream)["data"])
        assert (gone["id"], gone["html"]) == ("t", "")
        assert 'title="Feedback: rating: 2 comment: slow">★ 2<' in row["html"]
        store.update([Update("u", {"status": b'"ok"'})])
        (row,) = orjson.loads(next(stream)["data"])
        assert (row["id"], "status ok" in row["html"]) == ("u", True)


def test_what_meets_the_conditions_no_more_is_told(http: httpx.Client, store: SQLiteStore) -> None:
    """So that a list of what is running loses what has ended."""
    store.insert([call("s")._replace(status="running")])
    with following(http, "/live?status=running") as stream:
        begin(stream)
        store.update([Update("s", {"status": b'"ok"'})])
        (row,) = orjson.loads(next(stream)["data"])
        assert (row["id"], row["html"]) == ("s", "")


def test_a_page_misses_nothing_while_it_is_made(http: httpx.Client, store: SQLiteStore) -> None:
    """Its stream begins where the page was, however late the browser opens it."""
    store.insert([call("s"), call("first", "run", "run")])
    for page in ("/?scope=calls&project=support", "/sessions/first"):
        address = re.search(r'data-live="([^"]+)"', http.get(page).text)
        assert address is not None
        store.insert([call(f"after {page}", "run", "run")])
        store.update([Update("first", {"feedback": orjson.dumps({"on": page})})])
        with following(http, address[1].replace("&amp;", "&")) as stream:
            next(stream)
            told = orjson.loads(next(stream)["data"])
        if page.startswith("/?"):
            assert {each["id"] for each in told} == {f"after {page}", "first"}
        else:
            assert told == {"arrived": 1, "changed": 1}


def test_a_run_that_has_not_ended_is_told_of(http: httpx.Client, store: SQLiteStore) -> None:
    """How many of its calls arrived; others do not count, and an ended run is not followed."""
    store.insert([call("first", "a/b", "a/b")])
    page = http.get("/sessions/first").text
    assert 'data-live="/live/a%2Fb?after=1-0"' in page
    with following(http, "/live/a%2Fb") as stream:
        begin(stream)
        store.insert([call("other"), call("second", "a/b", "a/b"), call("a/b")])
        assert orjson.loads(next(stream)["data"]) == {"arrived": 2, "changed": 0}
    assert "data-live" not in http.get("/sessions/first").text


def test_a_flood_is_not_streamed(http: httpx.Client, store: SQLiteStore) -> None:
    """More than anyone could read is said in one event, and the stream goes on from there."""
    with following(http) as stream:
        begin(stream)
        store.insert(many(_poller._BATCH))
        assert next(stream)["event"] == "gap"
        store.insert([call("after")])
        assert arrivals(next(stream)) == ["after"]


def test_there_is_an_end_to_streams(store: SQLiteStore) -> None:
    """One too many is refused, so that pages left open cannot keep programs out; one that its
    reader left makes room."""
    limits = Limits(streams=1)
    with serving(store, limits=limits) as url, httpx.Client(base_url=url) as client:
        with following(client) as stream:
            begin(stream)
            refused = client.get("/live")
            assert refused.status_code == 503
            assert "retry-after" in refused.headers
            assert client.get("/health").status_code == 200
        free = False
        while not free:  # until the server has noticed
            with client.stream("GET", "/live") as reply:
                free = reply.status_code == 200


def test_streams_that_are_asked_for_at_once_are_counted(store: SQLiteStore) -> None:
    """Forty readers that ask at the same moment get the ten streams there are."""
    with (
        serving(store, limits=Limits(streams=10)) as url,
        httpx.Client(base_url=url, limits=httpx.Limits(max_connections=50)) as client,
        ExitStack() as opened,
        ThreadPoolExecutor(40) as pool,
    ):
        ask = partial(client.stream, "GET", "/live")
        replies = list(pool.map(lambda _: opened.enter_context(ask()).status_code, range(40)))
        assert sorted(replies) == [200] * 10 + [503] * 30


def test_lists_with_the_same_conditions_are_rendered_once(store: SQLiteStore) -> None:
    """Five streams of one page cost one rendering, and each is sent it."""
    shown: list[list[str]] = []

    def show(arrived: Sequence[Record], changed: Sequence[Record]) -> list[str]:
        shown.append([each.event_id for each in arrived])
        return shown[-1]

    async def follow() -> list[bytes]:
        poller = _poller.Poller(store, Running(""))
        followers = [_poller.Follower("list", show, "") for _ in range(5)]
        with ExitStack() as opened:
            for each in followers:
                opened.enter_context(poller.following(each))
            for each in followers:
                assert b"event: place" in await told(each)
            store.insert([call("new")])
            return [await told(each) for each in followers]

    async def told(follower: _poller.Follower) -> bytes:
        while not (events := follower.take()):
            await asyncio.wait_for(follower.wait(), 30)
        return b"".join(events)

    assert [b'data: ["new"]' in each for each in asyncio.run(follow())] == [True] * 5
    assert shown == [["new"]]


@pytest.mark.parametrize("how", ["signal", "flag"])
def test_an_ordinary_uvicorn_is_not_held_up(how: str, tmp_path: Path) -> None:
    """Whoever serves the application needs to stop nothing: streams end when the server does."""
    program = """
import sys, threading, uvicorn
from honeytrace.server import create_app
from honeytrace.store.memory import MemoryStore
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)
server = Server(uvicorn.Config(create_app(MemoryStore()), port=0, log_level="error"))
threading.Thread(target=lambda: (sys.stdin.readline(), setattr(server, "should_exit", True)),
                 daemon=True).start()
server.run()
"""
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": tmp_path}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload] - as it says
        port = process.stdout.readline().strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client, following(client) as told:
            begin(told)
            if how == "signal":
                process.send_signal(signal.SIGTERM)
            else:
                process.stdin.write("\n")
                process.stdin.flush()
            assert list(told) == []
        process.wait(30)


def test_a_stream_does_not_hold_up_the_end(store: SQLiteStore) -> None:
    """A server that is told to stop ends its streams, well before it would cut them off."""
    ended: list[Any] = []
    with httpx.Client(timeout=30) as client:
        with serving(store) as url:
            begun = threading.Event()

            def read() -> None:
                with following(client, f"{url}/live") as stream:
                    begin(stream)
                    begun.set()
                    ended.append(list(stream))

            reader = threading.Thread(target=read)
            reader.start()
            assert begun.wait(30)
        reader.join(30)
    assert ended == [[]]  # ended in order: a connection that was cut would have raised


def test_a_store_that_fails_ends_the_stream(store: SQLiteStore) -> None:
    """In order, so that the browser comes back by itself."""

    class Failing(MemoryStore):
        def arrived(self, after: int | None, limit: int = 100) -> Any:
            raise StoreError("gone")

    with (
        serving(Failing()) as url,
        httpx.Client(base_url=url) as client,
        following(client) as stream,
    ):
        assert len(list(stream)) == 1
