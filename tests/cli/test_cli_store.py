"""`store migrate`, `check` and `copy`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_running import COMMAND, Cli, ids, record, stored

from engines import postgres_server
from honeytrace._record.record import Update
from honeytrace.store import Query, open_store
from honeytrace.store.sqlite import SQLiteStore


def test_migrate_and_check(cli: Cli, tmp_path: Path) -> None:
    """The first makes a store, the second says how much it holds; without one it is an error."""
    path = tmp_path / "new.db"
    assert cli("store", "check", str(path)).status == 1
    assert not path.exists()
    made = cli("store", "migrate", f"sqlite://{path}", "--json")
    assert made.documents == [{"store": str(path), "ready": True}]
    stored(path, record("a"), record("b"))
    (found,) = cli("store", "check", str(path), "--json").documents
    assert (found["sessions"], found["store"]) == (2, str(path))
    assert "2 sessions" in cli("store", "check", str(path)).err


def test_a_copy_goes_on_where_it_was(cli: Cli, tmp_path: Path) -> None:
    """A second copy takes what is new and what was changed; --again repeats all, harmlessly."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    stored(old, record("a"), record("b"))
    said = cli("store", "copy", str(old), str(new), "--json")
    assert said.documents == [{"copied": 2, "changed": 0, "from": str(old), "to": str(new)}]
    store = SQLiteStore(old)
    store.insert([record("c")])
    store.update([Update("a", {"feedback": b'{"rating":5}', "error": b'"E: late"'})])
    everything = store.list(Query())
    store.close()
    (second,) = cli("store", "copy", str(old), str(new), "--json").documents
    assert (second["copied"], second["changed"]) == (1, 1)
    (third,) = cli("store", "copy", str(old), str(new), "--again", "--json").documents
    assert third["copied"] == 3
    copied = open_store(str(new))
    assert copied.list(Query()) == everything
    copied.close()


def test_a_copy_that_is_killed(cli: Cli, tmp_path: Path) -> None:
    """Killed in the middle, it is finished by the next one, with every session once."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    stored(old, *(record(f"s{n:05}", inputs={"q": "x" * 2_000}) for n in range(8_000)))
    running = subprocess.Popen([*COMMAND, "store", "copy", str(old), str(new)])
    marks = Path(f"{old}.copied.json")
    deadline = time.monotonic() + 60
    while not marks.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    (rest,) = cli("store", "copy", str(old), str(new), "--json").documents
    assert rest["copied"] < 8_000
    assert len(ids(new)) == 8_000


def test_a_copy_into_postgresql(cli: Cli, tmp_path: Path) -> None:
    """From a file into an engine and back, the sessions are the same; no password is shown."""
    pytest.importorskip("psycopg")
    old, back = tmp_path / "old.db", tmp_path / "back.db"
    stored(old, *(record(f"s{n}", metrics={"n": n}) for n in range(30)))
    with postgres_server() as (url, _):
        there = url.replace("honey@", "honey:hunter2@") + "?tenant=acme"
        assert cli("store", "migrate", there).status == 0
        first = cli("store", "copy", str(old), there)
        assert first.status == 0, first.err
        shown = cli("store", "check", there)
        assert "30 sessions" in shown.err
        listed = cli("list", "--store", there, "--json")
        assert len(listed.documents) == 20
        second = cli("store", "copy", there, str(back))
        assert second.status == 0, second.err
        for ran in (first, shown, second):
            assert "hunter2" not in ran.err + ran.out
    assert ids(back) == ids(old)


def test_what_cannot_be_copied(cli: Cli, tmp_path: Path) -> None:
    """A store onto itself, one that is not there, one in memory, and no engine: one line each."""
    path = str(stored(tmp_path / "x.db", record("a")))
    for source, target, words in (
        (path, f"sqlite://{path}", "the same store"),
        (str(tmp_path / "missing.db"), path, "no store at"),
        (path, ":memory:", "in memory"),
        (path, "mysql://u:hunter2@h/x", "mysql://u@h/x"),
    ):
        ran = cli("store", "copy", source, target)
        assert ran.status == 1
        assert words in ran.err
        assert "hunter2" not in ran.err
    assert ids(Path(path)) == {"a"}
