"""Clients that send to nodes, one of which is killed again and again, and the check of the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import orjson

from engines import free_port
from honeytrace.store import Store, open_store
from loopback_proxy import proxied
from surroundings import environ

__all__ = ["Shown", "check_nodes", "node"]

CLIENT = """
import sys, honeytrace
who, count = sys.argv[1], int(sys.argv[2])
for n in range(count):
    with honeytrace.session(f"work {who}", session_id=f"{who}-{n}", inputs={"n": n}):
        pass
    honeytrace.update_session(f"{who}-{n}", feedback={"seen": n})
    if n % max(10, count // 50) == 0:
        honeytrace.flush(timeout=60)
        sys.stdin.readline()  # waits for the test, unless it has let everything go
sys.exit(0 if honeytrace.flush(timeout=600).complete else 1)
"""
NODES, CLIENTS = 3, 4


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
        assert "honeytrace serves " in line, line
        try:
            yield process
        finally:
            process.kill()


Client = subprocess.Popen[str]


class Shown:
    """The ids of the sessions that a follower has printed."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.ids: list[str] = []
        self._ended = False
        self._more = threading.Condition()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def wait(self, count: int, seconds: float = 120) -> None:
        """Wait until there are so many, the follower ends, or the time is up."""
        with self._more:
            self._more.wait_for(lambda: len(self.ids) >= count or self._ended, seconds)

    def _read(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            with self._more:
                self.ids.append(orjson.loads(line)["session_id"])
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()


def check_nodes(
    url: str,
    directory: Path,
    sessions: int,
    until_kill: Callable[[int, list[Client], Shown], bool],
) -> int:
    """Send `sessions` from each of four clients through a balancer over three nodes.

    `until_kill` is called with the number of kills so far, the clients, which wait for a line of
    input between parts of their sessions, or for its end, and what `tail` has shown; it waits, and
    returns False to kill no more. Every session must be there once and with its update, and `tail`
    beside a fourth node must have shown each once. Returns the number of kills.
    """
    with ExitStack() as stack:
        ports = [free_port() for _ in range(NODES + 1)]
        nodes = [stack.enter_context(node(url, port, directory)) for port in ports]
        balancer = stack.enter_context(proxied(*ports[:NODES]))
        tail = stack.enter_context(_tail(url, directory))
        clients = [
            stack.enter_context(_client(n, sessions, balancer.port, directory))
            for n in range(CLIENTS)
        ]
        done = threading.Thread(target=lambda: [each.wait() for each in clients])
        done.start()
        kills = 0
        while done.is_alive() and until_kill(kills, clients, tail):
            at = kills % NODES
            nodes[at].kill()
            nodes[at].wait()
            nodes[at] = stack.enter_context(node(url, ports[at], directory))
            kills += 1
        for each in clients:
            assert each.stdin is not None
            each.stdin.close()
        done.join()
        assert [each.returncode for each in clients] == [0] * CLIENTS
        store = open_store(url, tenant="team", readonly=True)
        expected = {f"{who}-{n}" for who in range(CLIENTS) for n in range(sessions)}
        _check_stored(store, expected)
        store.close()
        _check_shown(tail, expected)
        headers = {"authorization": "Bearer key"}
        for port in ports:
            reply = httpx.get(f"http://127.0.0.1:{port}/session/0-0", headers=headers)
            assert reply.status_code == 200
        return kills


@contextmanager
def _client(number: int, sessions: int, port: int, directory: Path) -> Iterator[Client]:
    place = directory / f"client{number}"
    place.mkdir()
    env = environ(
        HH_API_KEY="key",
        HH_API_URL=f"http://127.0.0.1:{port}",
        HONEYTRACE_FLUSH_INTERVAL="0.1",
    )
    command = [sys.executable, "-c", CLIENT, str(number), str(sessions)]
    with subprocess.Popen(command, env=env, cwd=place, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _tail(url: str, directory: Path) -> Iterator[Shown]:
    """What `honeytrace tail` prints."""
    address = f"{url}{'&' if '?' in url else '?'}tenant=team"
    command = [sys.executable, "-m", "honeytrace", "tail", "--json", "-n", "0", "--store", address]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ(),
        cwd=directory,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert b"waiting for sessions" in process.stderr.readline()
        try:
            yield Shown(process.stdout)
        finally:
            process.terminate()


def _check_stored(store: Store, expected: set[str]) -> None:
    found: Counter[str] = Counter()
    place = 0
    while (page := store.arrived(place, 2_000)).records:
        place = page.last
        for each in page.records:
            found[each.event_id] += 1
            n = int(each.event_id.partition("-")[2])
            assert orjson.loads(each.feedback or b"{}") == {"seen": n}
    assert set(found) == expected
    assert max(found.values()) == 1
    assert store.size().sessions == len(expected)


def _check_shown(shown: Shown, expected: set[str]) -> None:
    """Wait until the follower has caught up; it must show each session once."""
    shown.wait(len(expected))
    ids = Counter(shown.ids)
    assert set(ids) == expected
    assert max(ids.values()) == 1
