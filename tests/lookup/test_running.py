"""Calls under way: found by id, listed and drawn while they run, also in other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import honeytrace
from honeytrace._durability.dead_journals import left
from honeytrace._record.record import Record
from honeytrace.lookup.running import innermost, under_way, with_running
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore
from journalled import die, recording
from running_agent import Agent, agent
from surroundings import clear, environ


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Agent]:
    clear(monkeypatch)
    path = tmp_path / "sessions.db"
    with agent(path) as started:
        honeytrace.configure(store=str(path), journal=str(tmp_path / "journal"))
        yield started


def test_a_run_in_another_process_is_found_while_it_runs(running: Agent) -> None:
    """By id, with its inputs, without an end, and with the calls inside it."""
    running.does("open search")
    found = honeytrace.get_session(running.run_id)
    assert (found.status, found.end_time, found.duration) == ("running", None, None)
    assert found.inputs == {"question": "which flight?"}
    assert [child.session_name for child in found.children] == ["search"]
    assert found.children[0].status == "running"


def test_its_tree_has_what_ended_and_what_runs(running: Agent) -> None:
    """A call that ended keeps its place, whether or not it is stored yet."""
    for command in ("open plan", "open search", "close", "open read"):
        running.does(command)
    walked = honeytrace.get_session(running.run_id).walk()
    assert [(s.session_name, s.status, place.depth) for s, place in walked] == [
        ("agent-run", "running", 0),
        ("plan", "running", 1),
        ("search", "ok", 2),
        ("read", "running", 2),
    ]


def test_runs_under_way_are_listed(running: Agent) -> None:
    """On top of the list, and by their status."""
    running.does("open search")
    ids = [s.session_id for s in honeytrace.list_sessions(roots_only=True)]
    assert ids == [running.run_id]
    listed = honeytrace.list_sessions(status="running")
    assert [s.session_name for s in listed] == ["search", "agent-run"]


def test_a_run_that_ended_is_no_longer_running(running: Agent) -> None:
    """Its record takes the place of what was known before."""
    running.ends()
    found = honeytrace.get_session(running.run_id)
    assert found.status == "ok"
    assert found.end_time is not None
    assert honeytrace.list_sessions(status="running") == []


def test_a_run_whose_process_died_is_not_running(running: Agent, tmp_path: Path) -> None:
    """What it left is for recovery, which calls it interrupted."""
    running.process.kill()
    running.process.wait(60)
    assert under_way(str(tmp_path / "journal")) == []


def test_a_stale_reading_does_not_undo_an_end(running: Agent, tmp_path: Path) -> None:
    """A journal that was read before the end came is laid over the store that has the end."""
    stale = under_way(str(tmp_path / "journal"))
    running.ends()
    with_stale = honeytrace.store.overlay.Overlay(SQLiteStore(tmp_path / "sessions.db"), stale)
    found = with_stale.get(running.run_id)
    assert found is not None
    assert found.status == "ok"


def test_the_innermost_call_of_a_run(running: Agent, tmp_path: Path) -> None:
    """The one that began last, of those that run."""
    for command in ("open plan", "open search", "close"):
        running.does(command)
    found = innermost(under_way(str(tmp_path / "journal")), running.run_id)
    assert found is not None
    assert found.event_name == "plan"
    assert innermost([], running.run_id) is None


def test_sessions_of_this_process_too(alone: None, tmp_path: Path) -> None:
    """Calls that run in other threads or around the caller are found like those of others."""
    honeytrace.configure(store=str(tmp_path / "s.db"), journal=str(tmp_path / "journal"))
    with honeytrace.session("here") as s:
        assert honeytrace.get_session(s.session_id).status == "running"
        (found,) = honeytrace.list_sessions(status="running")
        assert found.session_id == s.session_id
    assert honeytrace.get_session(s.session_id).status == "ok"


def test_nothing_runs_where_nobody_records(tmp_path: Path) -> None:
    """No directory, and nothing laid over the store."""
    store = SQLiteStore(tmp_path / "sessions.db")
    assert with_running(store, str(tmp_path / "nowhere")) is store
    assert store.list(Query()) == []


def test_a_run_whose_process_died_is_found_before_its_recovery(
    running: Agent, tmp_path: Path
) -> None:
    """As interrupted, with the calls inside it; lookup leaves the journal and the store alone."""
    for command in ("open plan", "close", "open search"):
        running.does(command)
    running.process.kill()
    running.process.wait(60)
    (journal,) = tmp_path.glob("journal/*.journal")
    before = journal.read_bytes()
    found = honeytrace.get_session(running.run_id)
    assert found.status == "interrupted"
    assert [(s.session_name, s.status) for s in found.children] == [
        ("plan", "ok"),
        ("search", "interrupted"),
    ]
    listed = honeytrace.list_sessions(status="interrupted", roots_only=True)
    assert [s.session_id for s in listed] == [running.run_id]
    assert journal.read_bytes() == before


ENDS_EARLY = """
import honeytrace
with honeytrace.session("asked", session_id="one"): pass
honeytrace.update_session("one", metadata={"later": 1})
"""


def test_a_process_without_time_to_deliver_leaves_calls_that_are_found(tmp_path: Path) -> None:
    """What a process could not deliver before its exit_timeout is found at once, with updates."""
    env = environ(
        HONEYTRACE_STORE=str(tmp_path / "s.db"),
        HONEYTRACE_JOURNAL=str(tmp_path / "journal"),
        HONEYTRACE_EXIT_TIMEOUT="0",
        HONEYTRACE_FLUSH_INTERVAL="600",
    )
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_EARLY], env=env, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, "2 records were not delivered" in ended.stderr) == (0, True)
    store = SQLiteStore(tmp_path / "s.db")
    found = with_running(store, str(tmp_path / "journal")).get("one")
    assert store.get("one") is None
    store.close()
    assert found is not None
    assert (found.event_name, found.status) == ("asked", "ok")
    assert found.metadata is not None
    assert orjson.loads(found.metadata)["later"] == 1


def test_a_lookup_reads_the_newest_of_what_many_processes_left(tmp_path: Path) -> None:
    """At most so many calls, those of the last process first, and of one process the newest."""
    for name in ("old", "new"):
        with recording(tmp_path) as recorder:
            for number in range(3):
                with recorder.call(f"{name} {number}"):
                    pass
        die(recorder.journal)
        os.utime(recorder.journal.path, (1, 1 if name == "old" else 2))
    names = [item.event_name for item in left(str(tmp_path), 4) if isinstance(item, Record)]
    assert names[:3] == ["new 0", "new 1", "new 2"]
    assert names[3:] == ["old 2"]
