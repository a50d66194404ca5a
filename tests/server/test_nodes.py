"""Several nodes over one PostgreSQL, killed while clients send: every session once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from engines import free_port, postgres_server
from honeytrace.store import Query, open_store
from surroundings import environ

pytest.importorskip("psycopg")

CLIENTS, SESSIONS, KILLS = 4, 150, 4

CLIENT = """
import sys, honeytrace
who, count = sys.argv[1], int(sys.argv[2])
ids = []
for n in range(count):
    with honeytrace.session(f"work {who}", session_id=f"{who}-{n}", inputs={"n": n}):
        pass
    honeytrace.update_session(f"{who}-{n}", feedback={"seen": n})
    if n % 10 == 9:
        honeytrace.flush(timeout=20)
sys.exit(0 if honeytrace.flush(timeout=120).complete else 1)
"""


@contextmanager
def node(url: str, port: int, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A node at this port, once it can be reached."""
    command = [sys.executable, "-m", "honeytrace", "serve", "--port", str(port), "--store", url]
    env = environ(HONEYTRACE_SERVER_KEYS="key=team")
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=env, cwd=directory
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "honeytrace serves postgresql://" in line, line
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(300)
def test_nodes_that_are_killed_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Four clients and three nodes, one of which is killed again and again and comes back: each
    session and each update is there once, and a follower sees each session once."""
    with postgres_server() as (url, _), ExitStack() as stack:
        ports = [free_port() for _ in range(3)]
        nodes = [stack.enter_context(node(url, port, tmp_path)) for port in ports]
        clients = []
        for n in range(CLIENTS):
            directory = tmp_path / str(n)
            directory.mkdir()
            env = environ(
                HH_API_KEY="key",
                HH_API_URL=f"http://127.0.0.1:{ports[n % 3]}",
                HONEYTRACE_FLUSH_INTERVAL="0.1",
            )
            command = [sys.executable, "-c", CLIENT, str(n), str(SESSIONS)]
            clients.append(subprocess.Popen(command, env=env, cwd=directory))
        store = open_store(url, tenant="team", readonly=True)
        seen: list[str] = []
        place = store.arrived(None).last
        for kill in range(KILLS):
            goal = (kill + 1) * CLIENTS * SESSIONS // (KILLS + 2)
            while store.count(Query()) < goal and any(each.poll() is None for each in clients):
                news = store.arrived(place, 50)
                place = news.last
                seen += [each.event_id for each in news.records]
            nodes[kill % 3].kill()
            nodes[kill % 3].wait()
            nodes[kill % 3] = stack.enter_context(node(url, ports[kill % 3], tmp_path))
        assert [each.wait(200) for each in clients] == [0] * CLIENTS
        while news := store.arrived(place, 50):
            if not news.records:
                break
            place = news.last
            seen += [each.event_id for each in news.records]
        expected = {f"{who}-{n}" for who in range(CLIENTS) for n in range(SESSIONS)}
        found = store.list(Query(limit=10_000))
        assert {each.event_id for each in found} == expected
        assert len(found) == len(expected)
        assert sorted(seen) == sorted(expected)
        for each in found:
            n = int(each.event_id.partition("-")[2])
            assert orjson.loads(each.feedback or b"{}") == {"seen": n}
        headers = {"authorization": "Bearer key"}
        for port in ports:
            reply = httpx.get(f"http://127.0.0.1:{port}/session/0-0", headers=headers)
            assert reply.status_code == 200
        store.close()
