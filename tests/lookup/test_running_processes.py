"""Living processes and their open calls, beside the processes that write them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import honeytrace
from honeytrace.lookup.processes import processes, program
from journalled import recording
from running_agent import Agent, agent
from surroundings import clear

BUSY = """
import sys, honeytrace
@honeytrace.trace_session
def tick(number, text):
    return number
@honeytrace.trace_session
def around(number):
    return tick(number, f"{number}:" + "x" * (number % 5 * 400))
with honeytrace.session("agent", inputs={"q": 1}), honeytrace.session("loop", inputs={"q": 2}):
    print("ready", flush=True)
    number = 0
    while True:
        around(number)
        number += 1
"""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    clear(monkeypatch)
    with agent(tmp_path / "sessions.db") as started:
        yield started


def stacks(journal: Path) -> list[list[tuple[str, int]]]:
    return [
        [(call.session.session_name, call.depth) for call in each.calls]
        for each in processes(str(journal))
    ]


def test_a_process_with_its_open_calls(running: Agent, tmp_path: Path) -> None:
    """Each call after the one around it, with its age and its inputs."""
    for command in ("open plan", "open search", "close", "open read"):
        running.does(command)
    (found,) = honeytrace.running(str(tmp_path / "journal"))
    assert found.pid == running.process.pid
    assert [(c.session.session_name, c.depth) for c in found.calls] == [
        ("agent-run", 0),
        ("plan", 1),
        ("read", 2),
    ]
    assert found.calls[2].session.inputs == {"step": "read"}
    assert found.calls[0].age >= found.calls[1].age >= found.calls[2].age >= 0
    assert found.tree().split()[0] == "agent-run"
    document = found.to_dict()
    assert document["calls"][2]["inputs"] == {"step": "read"}
    assert document["calls"][1]["parent_id"] == running.run_id
    if sys.platform == "linux":
        assert found.program.endswith("step_agent.py")


def test_a_process_in_which_nothing_runs_is_there_too(tmp_path: Path) -> None:
    """It records here, and has no open call."""
    with recording(tmp_path) as recorder:
        with recorder.call("call"):
            assert stacks(tmp_path) == [[("call", 0)]]
        (found,) = processes(str(tmp_path))
        assert (found.pid, found.calls) == (os.getpid(), [])
        assert "0 open calls" in repr(found)


def test_a_dead_process_is_not_there(running: Agent, tmp_path: Path) -> None:
    """Its journal is for recovery."""
    running.process.kill()
    running.process.wait(60)
    assert stacks(tmp_path / "journal") == []
    assert processes(":none:") == []


def test_a_call_whose_parent_ended_stands_alone(tmp_path: Path) -> None:
    """Its parent is no open call, so it begins a stack of its own."""
    with recording(tmp_path) as recorder:
        outer, inner = recorder.call("outer"), recorder.call("inner")
        outer.__enter__()
        inner.__enter__()
        assert stacks(tmp_path) == [[("outer", 0), ("inner", 1)]]
        recorder.journal.release(next(iter(recorder.places.values())))
        assert stacks(tmp_path) == [[("inner", 0)]]
        inner.__exit__(None, None, None)
        recorder.places.clear()
        outer.__exit__(None, None, None)


def test_a_stack_read_beside_a_busy_writer(tmp_path: Path) -> None:
    """Calls that begin and end all the time are shown whole, below the calls around them, or not
    at all; and the calls that run all the while are always there."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("HONEYTRACE", "PYTEST"))}
    settings |= {
        "HONEYTRACE_JOURNAL": str(tmp_path / "journal"),
        "HONEYTRACE_STORE": str(tmp_path / "sessions.db"),
    }
    writer = subprocess.Popen(
        [sys.executable, "-c", BUSY], env=settings, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(15):
            (found,) = processes(str(tmp_path / "journal"))
            names = [call.session.session_name for call in found.calls]
            assert names[:2] == ["agent", "loop"]
            assert names[2:] in ([], ["around"], ["around", "tick"])
            for depth, call in enumerate(found.calls):
                assert call.depth == depth
                inputs = call.session.inputs
                assert set(inputs) in ({"q"}, {"number"}, {"number", "text"})
                if "text" in inputs:
                    number = inputs["number"]
                    assert inputs["text"] == f"{number}:" + "x" * (number % 5 * 400)
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait(60)
        writer.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_program_without_its_arguments() -> None:
    """Arguments may hold secrets: only interpreter, module or script are shown."""
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "--token=sk-secret"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        shown = program(child.pid)
        assert child.stdin is not None
        child.stdin.close()
        child.wait(60)
    assert shown == f"{Path(sys.executable).name} -c …"
    assert program(2**30) == ""
