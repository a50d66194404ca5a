"""`tail` follows a store that other processes write, replace and spoil."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_running import COMMAND, OTHER, record, stored

from answered import START
from honeytrace.store.sqlite import SQLiteStore


def test_tail_follows_until_it_is_interrupted(store: str) -> None:
    """The newest first of all, then each as it arrives; Ctrl-C ends it without a word."""
    command = [*COMMAND, "tail", "-n", "1", "--json", "--store", store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert OTHER.encode() in process.stdout.readline()
        writer = SQLiteStore(store)
        nested = record("nested", parent_id="fresh", root_id="fresh")
        writer.insert([nested, record("fresh", start_time=START - 5)])
        writer.close()
        assert b'"session_id":"fresh"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b""


def test_tail_tells_of_starts_and_ends(store: str, tmp_path: Path) -> None:
    """A run of another process is shown when it starts, and again when it has ended."""
    program = (
        "import sys, honeytrace\nwith honeytrace.session('slow-run'):\n    sys.stdin.readline()\n"
    )
    environment = {**os.environ, "HONEYTRACE_STORE": store, "HONEYTRACE_JOURNAL": str(tmp_path)}
    command = [*COMMAND, "tail", "-n", "0"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process,
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, env=environment
        ) as running,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "slow-run" in line
        assert "(running)" in line
        running.communicate(b"\n")
        ended = process.stdout.readline().decode()
        assert "slow-run" in ended
        assert "✓" in ended
        process.terminate()


def test_tail_may_be_there_first(tmp_path: Path) -> None:
    """It waits for the program that will record."""
    path = tmp_path / "later" / "sessions.db"
    command = [*COMMAND, "tail", "--json", "--store", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().decode().strip() == f"waiting for sessions in {path}"
        stored(path, record("first"))
        assert b'"session_id":"first"' in process.stdout.readline()
        process.terminate()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def spoilt(path: Path) -> None:
    path.write_bytes(b"no store" * 1_000)


def turned_into_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("way", [emptied, spoilt, turned_into_a_directory])
def test_tail_survives_a_store_that_cannot_be_read(
    store: str, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """It reports the store in one line, and follows the next store of that name."""
    path = Path(store)
    with subprocess.Popen(
        [*COMMAND, "tail", "-n", "1", "--json", "--store", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert OTHER.encode() in process.stdout.readline()
        way(path)
        assert b"cannot be used" in process.stderr.readline()
        for name in tmp_path.glob("sessions.db*"):
            (name.rmdir if name.is_dir() else name.unlink)()
        stored(tmp_path / "new" / "sessions.db", record("first"), record("second"))
        os.replace(tmp_path / "new" / "sessions.db", path)
        assert b'"session_id":"first"' in process.stdout.readline()
        assert b'"session_id":"second"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_tail_follows_the_store_that_replaces_another(store: str, tmp_path: Path) -> None:
    """The sessions of the new store are shown, however many it has, and none twice."""
    copy = [record(OTHER), *(record(f"new-{n}", start_time=START + n) for n in range(5))]
    with subprocess.Popen(
        [*COMMAND, "tail", "-n", "1", "--json", "--store", store], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert OTHER.encode() in process.stdout.readline()
        stored(tmp_path / "new" / "sessions.db", *copy)
        os.replace(tmp_path / "new" / "sessions.db", store)
        for n in range(5):
            assert f'"session_id":"new-{n}"'.encode() in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b""
