"""Several processes on one store: nothing lost, nothing torn, nothing inherited by mistake."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from store_records import numbered, record

from honeytrace.errors import StoreError
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

PREAMBLE = """
import sys
from store_records import numbered, record
from honeytrace.store.sqlite import SQLiteStore
path, name = sys.argv[1:]
"""


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Python process that waits, before it runs the given code, for `go`."""
    with ExitStack() as started:

        def start(code: str, path: Path, name: str = "") -> subprocess.Popen[str]:
            script = f"{PREAMBLE}\nprint('ready', flush=True)\nsys.stdin.readline()\n{code}"
            process = subprocess.Popen(
                [sys.executable, "-c", script, str(path), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


def go(processes: list[subprocess.Popen[str]]) -> None:
    """Let processes that are all ready go at once."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def finish(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each printed; each must have ended well."""
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def test_four_processes_insert_at_once(tmp_path: Path, start: Start) -> None:
    """Four processes that open a new store together and insert 5,000 sessions each leave 20,000;
    a reader beside them sees whole batches only."""
    path = tmp_path / "new" / "x.db"
    insert = """
store, records = SQLiteStore(path), numbered(5_000, name)
for first in range(0, 5_000, 250):
    store.insert(records[first:first + 250])
store.close()
"""
    processes = [start(insert, path, name) for name in "abcd"]
    go(processes)
    store = SQLiteStore(path)
    seen = [store.size().sessions]
    while any(process.poll() is None for process in processes):
        seen.append(store.size().sessions)
    finish(processes)
    assert store.size().sessions == 20_000
    assert [count for count in seen if count % 250] == []
    assert sorted(seen) == seen
    assert len(store.list(Query(limit=30_000))) == 20_000
    store.close()


def test_a_leaving_process_spares_the_others(tmp_path: Path, start: Start) -> None:
    """A process that closes the store does not count as its last user while another has it open:
    the write-ahead log, which the last one removes, stays."""
    path = tmp_path / "x.db"
    store = SQLiteStore(path)
    store.insert([record("a")])
    assert store.get("a") is not None
    SQLiteStore.open(path)[0].close()
    process = start("store = SQLiteStore(path); store.insert([record('b')]); store.close()", path)
    go([process])
    finish([process])
    assert Path(f"{path}-wal").exists()
    assert store.get("b") is not None
    store.close()
    assert not Path(f"{path}-wal").exists()


def test_processes_race_to_create_a_store(tmp_path: Path, start: Start) -> None:
    """Four processes that open a store that is not there yet all get one and the same."""
    for attempt in range(2):
        path = tmp_path / f"new-{attempt}" / "x.db"
        code = "store = SQLiteStore(path); store.insert([record(name)]); store.close()"
        processes = [start(code, path, str(number)) for number in range(4)]
        go(processes)
        finish(processes)
        store = SQLiteStore(path)
        assert store.size().sessions == 4
        store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_whole_batches(tmp_path: Path, start: Start) -> None:
    """After SIGKILL in mid-insert the store opens, is sound, and holds every batch that had been
    accepted and no part of one that had not."""
    path = tmp_path / "x.db"
    endless = """
store, number = SQLiteStore(path), 0
while True:
    store.insert([r._replace(event_id=f"{number}-{r.event_id}") for r in numbered(50)])
    number += 1
    print(number, flush=True)
"""
    process = start(endless, path)
    go([process])
    assert process.stdout is not None
    while int(process.stdout.readline()) < 20:
        pass
    os.kill(process.pid, signal.SIGKILL)
    accepted = [20, *map(int, process.stdout.read().split())]
    assert process.wait() == -signal.SIGKILL
    store = SQLiteStore(path)
    count = store.size().sessions
    assert count % 50 == 0
    assert count // 50 - accepted[-1] in (0, 1)
    store.insert([record("after")])
    assert store._reader.get().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()


def in_fork(work: Callable[[], None]) -> None:
    """Run `work` in a forked child, which must end well."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@needs_fork
def test_a_store_works_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    """Parent and child go on with a store opened before the fork, each by its own connection."""
    store = SQLiteStore(tmp_path / "x.db")
    store.insert(numbered(100, "before"))
    inherited = store._writer.get()

    def work() -> None:
        store.insert(numbered(100, "child"))
        assert store.get("before00000") is not None
        assert store._writer.get() is not inherited
        store.close()

    in_fork(work)
    store.insert(numbered(100, "parent"))
    assert store.size().sessions == 300
    store.close()


@needs_fork
def test_a_fork_during_a_transaction_is_harmless(tmp_path: Path) -> None:
    """A child forked amid a transaction of its parent neither waits for its lock nor commits or
    undoes its work: SQLite would believe the parent's locks to be the child's, so it stays away."""
    store = SQLiteStore(tmp_path / "x.db", busy_timeout=0.01)
    store.insert([record("a")])
    with store._transaction() as conn:
        conn.execute("DELETE FROM events")

        def work() -> None:
            with pytest.raises(StoreError, match="forked while the store was being written"):
                store.insert([record("b")])
            store.close()

        in_fork(work)
        assert conn.in_transaction
    assert store.get("a") is None
    store.close()
    check = sqlite3.connect(tmp_path / "x.db")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
