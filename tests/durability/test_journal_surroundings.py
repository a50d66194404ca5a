"""Journals and recovery in difficult places: no home, no working directory, other versions."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from honeytrace._config import load
from honeytrace._durability import journal_format, segment_file
from honeytrace._durability import recovery as _recovery
from honeytrace._durability.directories import candidates
from honeytrace._durability.disk_queue import DiskQueue
from honeytrace._durability.journal_format import HEADER, LARGEST, MAGIC
from honeytrace._durability.journal_reader import Reader
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Update
from honeytrace.errors import ConfigurationError
from honeytrace.sinks import Delivery
from journalled import die, recording, recovered


def test_no_directory_is_called_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home gets no directory of the name `~`, wherever the program runs."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    places = candidates("/configured")
    assert places[0] == "/configured"
    assert not any("~" in place for place in places)
    with pytest.raises(ConfigurationError, match="~ is unknown; set HOME"):
        load({"store": "~/x.db"})


def test_a_relative_state_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The XDG specification has relative paths ignored; the working directory may change."""
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert all(os.path.isabs(place) for place in candidates("/configured"))


def test_candidates_without_a_working_or_temporary_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Directories that cannot be named are left out, and nothing raises."""

    def gone(*args: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(os.path, "abspath", gone)
    monkeypatch.setattr("tempfile.gettempdir", gone)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    (place,) = candidates("relative")
    assert place.startswith("/state/honeytrace/journal/")


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EINTR, errno.EIO],
)
def test_what_cannot_be_opened_now_stays(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lack of descriptors or of memory proves nothing about a journal: it may be a living one's.

    It stays where it is, and a later recovery delivers it.
    """
    with recording(tmp_path) as recorder:
        recorder.call("kept").__enter__()
        die(recorder.journal)
    real = os.open

    def failing(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith(".journal"):
            raise OSError(number, os.strerror(number), path)
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(_recovery.os, "open", failing)
        if number in (errno.EACCES, errno.EPERM):  # no later attempt would mend that
            recover(str(tmp_path), lambda batch: Delivery())
        else:
            with pytest.raises(OSError, match=os.strerror(number)):
                recover(str(tmp_path), lambda batch: Delivery())
    assert [path.suffix for path in tmp_path.iterdir()] == [".journal"]
    items, found = recovered(tmp_path)
    assert (len(items), found.damaged) == (1, 0)


def test_a_descriptor_that_runs_out_amid_reading_stays(tmp_path: Path, monkeypatch: Any) -> None:
    """An error of the disk or of memory while a journal is read does not make it damaged."""
    with recording(tmp_path) as recorder:
        recorder.call("kept").__enter__()
        die(recorder.journal)

    def failing(*args: Any) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", failing)
        with pytest.raises(OSError, match="input/output error"):
            recover(str(tmp_path), lambda batch: Delivery())
    assert len(recovered(tmp_path)[0]) == 1


@pytest.mark.parametrize("name", ["1-a.journal", "1-a-00000001.spill"])
def test_a_newer_format_stays_and_is_said_once(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of a newer version stays as it is, with one line that says to upgrade."""
    kind = b"journal" if name.endswith("journal") else b"spill"
    data = b"honeytrace %b 99\n\0\0\0 whatever a later version writes" % kind
    os.chmod(tmp_path, 0o700)
    (tmp_path / name).write_bytes(data)
    for _ in range(3):
        assert recover(str(tmp_path), lambda batch: Delivery()).damaged == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: data}
    (said,) = [record.getMessage() for record in caplog.records]
    assert "format 99" in said
    assert said.endswith("upgrade")


@pytest.mark.parametrize(
    "head", [b"honeytrace journal x\n", b"honeytrace journal 99", b"other 9\n"]
)
def test_what_is_no_version_is_damaged(head: bytes, tmp_path: Path) -> None:
    """Only a number above ours, in the place where we write ours, says a newer version."""
    os.chmod(tmp_path, 0o700)
    (tmp_path / "1-a.journal").write_bytes(head + bytes(100))
    assert recovered(tmp_path)[1].damaged == 1
    assert (tmp_path / "damaged" / "1-a.journal").exists()


@pytest.mark.parametrize("magic", [journal_format.MAGIC, segment_file.MAGIC])
def test_our_own_format_is_not_newer(magic: bytes) -> None:
    """The check of the version passes what this version writes."""
    journal_format.check_version(magic, magic)


def sparse(path: Path, size: int) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, size)
    return fd


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="the system does not tell of holes")
@pytest.mark.parametrize("begun", [False, True])
def test_a_sparse_gigabyte_is_not_read(begun: bool, tmp_path: Path, monkeypatch: Any) -> None:
    """Holes are skipped, both before a journal was begun and between its slots."""
    fd = sparse(tmp_path / "1-a.journal", LARGEST)
    if begun:
        head = HEADER.pack(MAGIC, LARGEST, LARGEST, 0)[:-4]
        os.pwrite(fd, head + checksum(head), 0)
    read, real = [], os.pread

    def counting(fd: int, length: int, at: int) -> bytes:
        data = real(fd, length, at)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counting)
    assert list(Reader(fd).items()) == []
    os.close(fd)
    assert sum(read) < 8 << 20


def checksum(head: bytes) -> bytes:
    return crc32(head).to_bytes(4, "little")


def test_a_disk_queue_of_ours_is_recovered_beside_a_newer_one(tmp_path: Path) -> None:
    """A file of a newer version does not cost those beside it."""
    queue = DiskQueue(str(tmp_path / "j"), 10**9)
    queue.append([Update("id", {"metrics": b"{}"})])
    queue.forget()
    (tmp_path / "j" / "0-new.journal").write_bytes(b"honeytrace journal 3\n" + bytes(80))
    items: list[Any] = []
    found = recover(str(tmp_path / "j"), lambda batch: items.extend(batch))
    assert ([item.event_id for item in items], found.damaged) == (["id"], 0)


PROGRAM = """
import logging, os, sys, tempfile
logging.basicConfig(format="%(message)s")
directory = tempfile.mkdtemp()
os.chdir(directory)
if sys.argv[1] == "before import":
    os.rmdir(directory)
import honeytrace
if sys.argv[1] == "before the first call":
    os.rmdir(directory)
honeytrace.configure(store=sys.argv[2])
@honeytrace.trace_session
def f(x): return x
f(1)
if sys.argv[1] == "after the first call":
    honeytrace.flush()
    __import__("shutil").rmtree(directory)
f(2)
print(*honeytrace.flush(10), len(honeytrace.list_sessions()))
"""


@pytest.mark.parametrize("when", ["before import", "before the first call", "after the first call"])
def test_a_deleted_working_directory_costs_nothing(when: str, tmp_path: Path) -> None:
    """With a store elsewhere, every call arrives.

    Nothing is said of it, unless the journal was deleted while a call waited to be delivered.
    """
    command = [sys.executable, "-c", PROGRAM, when, str(tmp_path / "s.db")]
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    lines = done.stderr.splitlines()
    deleted = [line for line in lines if when == "after the first call" and "was deleted" in line]
    assert (done.stdout, lines) == ("True 2 0 0 0 2\n", deleted[:1])
