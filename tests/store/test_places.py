"""The store in difficult places: full disks, network shares, directories that are not writable."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_records import record

from honeytrace._record.record import Update
from honeytrace.store import Query, _causes
from honeytrace.store._causes import store_error
from honeytrace.store._connection import uri_of
from honeytrace.store.sqlite import SQLiteStore


def can_mount() -> bool:
    """Whether this user may mount a file system in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


TMPFS = can_mount()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(path)
    yield store
    store.close()


def ids(records: object) -> list[str]:
    return [r.event_id for r in records]  # type: ignore[attr-defined]


def test_the_log_is_cut_after_a_long_reader(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stays makes the write-ahead log grow; once it has gone the log is cut back."""
    store._writer.get().execute("PRAGMA journal_size_limit = 2000000")
    store._writer.get().execute("PRAGMA wal_autocheckpoint = 20")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    big = orjson.dumps({"text": "x" * 500_000})
    for number in range(10):
        store.insert([record(f"a{number}", inputs=big)])
    log = Path(f"{path}-wal")
    assert log.stat().st_size > 4_000_000
    reader.execute("COMMIT")
    reader.close()
    for number in range(3):
        store.insert([record(f"b{number}")])
    assert log.stat().st_size <= 2_000_000


def test_the_log_has_a_limit(store: SQLiteStore) -> None:
    """The limit is set for every writer, at about the size that the log grows to by itself."""
    assert store._writer.get().execute("PRAGMA journal_size_limit").fetchone() == (16_000_000,)


def test_a_file_system_without_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where SQLite cannot share memory, as on a network share, the store works, with one warning
    and with durable commits."""
    connect = sqlite3.connect

    def without(name: str, **options: Any) -> sqlite3.Connection:
        return connect(f"{name}&vfs=unix-dotfile" if "?" in name else name, **options)

    monkeypatch.setattr(sqlite3, "connect", without)
    stores = [SQLiteStore(tmp_path / "x.db") for _ in range(2)]
    for number, each in enumerate(stores):
        each.insert([record(f"a{number}")])
        each.update([Update("a0", {"feedback": b'{"rating":5}'})])
    assert ids(stores[0].list(Query(text="why"))) == ids(stores[1].list(Query())) == ["a1", "a0"]
    assert stores[0]._writer.get().execute("PRAGMA synchronous").fetchone() == (2,)
    for each in stores:
        each.close()
    assert [r.message for r in caplog.records if "shared memory" in r.message] == [
        caplog.records[0].message
    ]


class NoSharedMemory(sqlite3.Connection):
    """A connection to a file beside which memory cannot be mapped, as SQLite reports that."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "PRAGMA journal_mode = WAL":
            raise sqlite3.OperationalError("disk I/O error")
        if sql.startswith("SELECT"):
            (locking,) = super().execute("PRAGMA locking_mode").fetchone()
            # such a connection itself may ask in WAL mode only when it is exclusive
            is_wal = Path(f"{self.path}-wal").exists()
            if locking == "normal" and is_wal:
                raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


def test_a_store_that_comes_to_such_a_file_system(
    path: Path, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store with a write-ahead log keeps all it holds and goes on with a rollback journal."""
    store.insert([record("a")])
    left = [(name, Path(f"{path}{name}").read_bytes()) for name in ("", "-wal")]
    moved = path.with_name("moved.db")
    for name, data in left:
        Path(f"{moved}{name}").write_bytes(data)
    connect = sqlite3.connect
    monkeypatch.setattr(NoSharedMemory, "path", moved, raising=False)
    monkeypatch.setattr(
        sqlite3, "connect", lambda *uri, **given: connect(*uri, **given, factory=NoSharedMemory)
    )
    there = SQLiteStore(moved)
    there.insert([record("b")])
    assert ids(there.list(Query())) == ["b", "a"]
    assert there._writer.get().execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    there.close()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "it is a directory: name a file in it"),
        ("file/x.db", "file is not a directory"),
        ("sealed/x.db", "sealed is not writable for this user"),
        ("sealed/deep/x.db", "sealed is not writable for this user"),
        ("readonly/x.db", "readonly is on a read-only file system"),
    ],
)
def test_an_unusable_place_is_named_with_its_cure(
    tmp_path: Path, path: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says which directory is in the way, why, and what to do."""
    (tmp_path / "file").write_text("")
    for name in ("sealed", "readonly"):
        (tmp_path / name).mkdir()
    # root may write anywhere, so the answers of the system are given here
    sealed = {str(tmp_path / "sealed"), str(tmp_path / "readonly")}
    monkeypatch.setattr(_causes.os, "access", lambda place, mode: str(place) not in sealed)
    monkeypatch.setattr(_causes, "_is_readonly", lambda place: place.endswith("readonly"))
    error = store_error(sqlite3.OperationalError("unable to open database file"), tmp_path / path)
    assert words in str(error)
    assert "choose another path" in str(error)


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "#1?.db", "bücher.db", "\udcff.db"])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_path_has_one_uri(name: str) -> None:
    """The URI of a store's file is the one that pathlib gives, whatever the name."""
    assert uri_of(f"/tmp/some where/{name}") == Path(f"/tmp/some where/{name}").as_uri()


@pytest.mark.skipif(not TMPFS, reason="needs the rights to mount a read-only file system")
def test_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    """On a mount that is read-only for everybody the store says so."""
    code = "import sys; from honeytrace.store.sqlite import SQLiteStore; SQLiteStore(sys.argv[1])"
    mounted = 'mount -t tmpfs -o ro small "$0" && exec "$@"'
    inside = [sys.executable, "-c", code, tmp_path / "deep" / "x.db"]
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, tmp_path, *inside],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"{tmp_path} is on a read-only file system: choose another path" in ran.stderr


@pytest.mark.skipif(not TMPFS, reason="needs the rights to mount a small tmpfs")
def test_deleting_on_a_full_disk(tmp_path: Path) -> None:
    """Without any room `delete` says how much it needs, and with so much it deletes half."""
    script = Path(__file__).with_name("full_disk.py")
    mounted = 'mount -t tmpfs -o size=48m small "$0" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mounted, tmp_path, sys.executable, script, tmp_path]
    paths = os.pathsep.join(each for each in sys.path if each)
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert ran.returncode == 0, ran.stderr
    refusal, half = ran.stdout.splitlines()
    assert re.search(r"no room to delete sessions from .*x\.db either: free \d+ MB", refusal)
    assert half == "True"
