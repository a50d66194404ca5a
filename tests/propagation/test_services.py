"""Two FastAPI services and a Celery worker, each a process: one tree, also when one is killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import honeytrace
from honeytrace.lookup.recorded import RecordedSession

pytest.importorskip("celery")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

SERVICE = str(Path(__file__).with_name("service.py"))
DEADLINE = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Application:
    """The three processes, which share a store."""

    def __init__(self, directory: Path) -> None:
        self.store = str(directory / "sessions.db")
        broker = directory / "broker"
        for folder in (broker, directory / "broker-control"):
            folder.mkdir()
        self.environ = {
            **os.environ,
            "HONEYTRACE_STORE": self.store,
            "HONEYTRACE_JOURNAL": str(directory / "journal"),
            "HONEYTRACE_FLUSH_INTERVAL": "0.05",
            "TEST_BROKER": str(broker),
        }
        self.directory = directory
        self.front, self.back = free_port(), free_port()
        self.arguments = {
            "back": [str(self.back)],
            "front": [str(self.front), f"http://127.0.0.1:{self.back}"],
            "worker": [],
        }
        self.processes = {role: self.start(role) for role in self.arguments}

    def start(self, role: str) -> subprocess.Popen[bytes]:
        """Start one of the programs."""
        return subprocess.Popen(
            [sys.executable, SERVICE, role, *self.arguments[role]],
            cwd=self.directory,
            env=self.environ,
        )

    def restart(self, role: str) -> None:
        """Start the program of a killed process again, and have it record something.

        The next process of the journal's directory delivers what the dead one left.
        """
        self.processes[role] = self.start(role)
        while self.ask("bees") != '"BEES"':
            pass

    def ask(self, word: str) -> str:
        """The front service's answer, once it listens."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                answer = httpx.get(f"http://127.0.0.1:{self.front}/{word}", timeout=30)
            except httpx.ConnectError:  # noqa: PERF203 - it may still be starting
                assert time.monotonic() < deadline, "the service does not start"
            else:
                return str(answer.json())

    def tree(self, word: str, *names: str) -> dict[str, RecordedSession]:
        """The sessions of a request by name, as soon as those named are stored."""
        honeytrace.configure(store=self.store, journal=":none:")
        deadline = time.monotonic() + DEADLINE
        while True:
            roots = honeytrace.list_sessions(session_name="front_handler")
            for root in roots:
                if root.inputs == {"word": word}:
                    found = {each.session_name: each for each, _ in root.walk()}
                    if found.keys() >= {*names}:
                        return found
            assert time.monotonic() < deadline, [root.tree() for root in roots]

    def stop(self) -> None:
        """End what still runs."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """Three running processes."""
    running = Application(tmp_path)
    try:
        yield running
    finally:
        running.stop()
        honeytrace.configure(store=None, journal=None)


def test_services_and_a_worker_are_one_tree(application: Application) -> None:
    """A request is one run: the service behind and the task are inside the service in front."""
    while application.ask("bees") != '"BEES"':
        pass  # the service behind is still starting
    found = application.tree("bees", "front_handler", "back_handler", "look up", "worker_task")
    root = found["front_handler"]
    assert found["back_handler"].parent_id == root.session_id
    assert found["worker_task"].parent_id == root.session_id
    assert found["look up"].parent_id == found["back_handler"].session_id
    assert {each.root_id for each in found.values()} == {root.session_id}
    assert found["worker_task"].outputs == {"result": "seeb"}


def test_the_tree_is_whole_when_a_service_is_killed(application: Application) -> None:
    """What a killed service had recorded, and what it was doing, is where it belongs."""
    while application.ask("bees") != '"BEES"':
        pass
    assert "Error" in application.ask("die")
    assert application.processes["back"].wait(20) == -9
    application.restart("back")
    found = application.tree("die", "front_handler", "back_handler", "look up", "worker_task")
    root = found["front_handler"]
    assert found["back_handler"].parent_id == root.session_id
    assert found["back_handler"].status == "interrupted"
    assert found["look up"].parent_id == found["back_handler"].session_id
    assert found["look up"].inputs == {"word": "die"}


def test_the_tree_is_whole_when_the_front_is_killed(application: Application) -> None:
    """A root that was killed in mid-request is the root of what others did for it."""
    while application.ask("bees") != '"BEES"':
        pass
    with pytest.raises(httpx.RemoteProtocolError):
        application.ask("die-in-front")
    assert application.processes["front"].wait(20) == -9
    application.restart("front")
    found = application.tree(
        "die-in-front", "front_handler", "back_handler", "look up", "worker_task", "spell"
    )
    root = found["front_handler"]
    assert (root.status, root.parent_id) == ("interrupted", None)
    assert {each.root_id for each in found.values()} == {root.session_id}
    assert found["back_handler"].parent_id == root.session_id
    assert found["back_handler"].outputs == {"result": "DIE-IN-FRONT"}
    assert found["worker_task"].parent_id == root.session_id


def test_the_tree_is_whole_when_the_worker_is_killed(application: Application) -> None:
    """A task whose worker was killed is interrupted, below the request that sent it."""
    while application.ask("bees") != '"BEES"':
        pass
    assert application.ask("die-in-worker") == '"DIE-IN-WORKER"'
    assert application.processes["worker"].wait(DEADLINE) == -9
    application.restart("worker")
    found = application.tree(
        "die-in-worker", "front_handler", "back_handler", "look up", "worker_task", "spell"
    )
    root = found["front_handler"]
    assert root.status == "ok"
    assert found["worker_task"].parent_id == root.session_id
    assert found["worker_task"].status == "interrupted"
    assert found["spell"].parent_id == found["worker_task"].session_id
    assert {each.root_id for each in found.values()} == {root.session_id}
