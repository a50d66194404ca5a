"""The black box on the command line: what runs, and what ran when a process died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_running import Cli, Terminal, record, stored

from honeytrace.store.sqlite import SQLiteStore
from running_agent import Agent, agent


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Agent]:
    with agent(tmp_path / "sessions.db") as started:
        started.does("open search")
        yield started


def test_ps_shows_open_calls(running: Agent, cli: Cli, tmp_path: Path) -> None:
    """A line for each process and each call, with its inputs; whole ones when asked."""
    journal = str(tmp_path / "journal")
    shown = cli("ps", "--journal", journal).out
    head, run, call = shown.splitlines()
    assert head.startswith(str(running.process.pid))
    assert "2 open calls" in head
    assert "agent-run" in run
    assert '{"question":"which flight?"}' in run
    assert "  search" in call
    assert "which flight?" in cli("ps", "--journal", journal, "--full").out


def test_ps_as_json(running: Agent, cli: Cli, tmp_path: Path) -> None:
    """One document for each process."""
    (document,) = cli("ps", "--json", "--journal", str(tmp_path / "journal")).documents
    assert document["pid"] == running.process.pid
    assert [(c["session_name"], c["depth"]) for c in document["calls"]] == [
        ("agent-run", 0),
        ("search", 1),
    ]
    assert document["calls"][1]["age"] >= 0


def test_ps_where_nobody_records(cli: Cli, tmp_path: Path) -> None:
    """A line says where it looked."""
    ran = cli("ps", "--journal", str(tmp_path))
    assert (ran.status, ran.out) == (0, "")
    assert str(tmp_path) in ran.err


def test_ps_watches_until_it_is_interrupted(running: Agent, tmp_path: Path) -> None:
    """What changes is shown at the next look."""
    with Terminal("ps", "--watch", "--journal", str(tmp_path / "journal")) as terminal:
        terminal.until("search")
        running.does("open read")
        terminal.until("read")
        terminal.interrupt()
        status, _ = terminal.end()
    assert status == 130


def test_postmortem_of_a_killed_agent(running: Agent, cli: Cli, tmp_path: Path) -> None:
    """By process, by run, and of the last death; text, JSON and one page."""
    where = ("--store", str(tmp_path / "sessions.db"), "--journal", str(tmp_path / "journal"))
    pid = str(running.process.pid)
    alive = cli("postmortem", pid, *where[2:])
    assert alive.status == 1
    assert "is alive: `honeytrace ps`" in alive.err
    running.process.kill()
    running.process.wait(60)
    for wanted in ([], [pid], [running.run_id], [running.run_id[:30]]):
        ran = cli("postmortem", *wanted, *where[2:])
        assert ran.status == 0, ran.err
        assert "search" in ran.out
        assert f"process  {pid}" in ran.out
        assert "the last 1 calls" not in ran.out
    SQLiteStore(tmp_path / "sessions.db").close()
    ran = cli("postmortem", "@last", *where)
    assert f"process  {pid}" in ran.out
    assert "still runs" not in ran.err
    (document,) = cli("postmortem", "--json", *where[2:]).documents
    assert [each["session_name"] for each in document["open"]] == ["agent-run", "search"]
    page = tmp_path / "end.html"
    assert cli("postmortem", "--html", str(page), *where[2:]).status == 0
    assert "which flight?" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0


def test_postmortem_where_nothing_died(cli: Cli, tmp_path: Path) -> None:
    """An error names where it looked."""
    ran = cli("postmortem", "--journal", str(tmp_path))
    assert ran.status == 1
    assert str(tmp_path) in ran.err


def test_show_writes_one_file(cli: Cli, tmp_path: Path) -> None:
    """Any session as a page that holds everything; `-` is standard output."""
    path = str(stored(tmp_path / "s.db", record("one", outputs={"result": "<b>bold</b>"})))
    page = tmp_path / "one.html"
    assert cli("show", "one", "--html", str(page), "--store", path).status == 0
    assert "&lt;b&gt;bold" in page.read_text()
    assert "&lt;b&gt;bold" in cli("show", "one", "--html", "-", "--store", path).out
    missing = str(tmp_path / "nowhere" / "x.html")
    assert cli("show", "one", "--html", missing, "--store", path).status == 1
