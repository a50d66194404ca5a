"""Records on disk: in order, bounded and private; damage costs the records that cannot be read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from honeytrace._durability import disk_queue as _disk_queue
from honeytrace._durability import quarantine as _aside
from honeytrace._durability import segment_file as _segment
from honeytrace._durability.disk_queue import DiskQueue, DiskQueueFullError
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Item, Record, Update
from honeytrace._record.wire import from_start_session


def record(name: str, size: int = 0) -> Record:
    return from_start_session({"session_id": name, "inputs": {"x": "i" * size}}, str)


def ids(items: Any) -> list[str]:
    return [item.event_id for item in items]


def test_items_come_back_as_they_were(tmp_path: Path) -> None:
    """In order, through any number of segments, records and updates alike."""
    spill = DiskQueue(str(tmp_path / "j"), 10**9)
    items: list[Item] = [record(f"r{n}", n) for n in range(300)]
    items.append(Update("r1", {"feedback": b'{"rating":5}'}))
    for at in range(0, len(items), 7):
        spill.append(items[at : at + 7])
    assert spill.waiting == len(items)
    found: list[Item] = []
    while spill.waiting:
        found += spill.take(50, 10**9)[0]
        spill.settle()
    assert found == items
    assert list((tmp_path / "j").iterdir()) == []


def test_segments_go_as_they_are_delivered(tmp_path: Path, monkeypatch: Any) -> None:
    """The disk is given back from the front; what was taken and not settled stays."""
    monkeypatch.setattr(_disk_queue, "SEGMENT", 1_000)
    spill = DiskQueue(str(tmp_path), 10**9)
    for n in range(20):
        spill.append([record(f"r{n}", 400)])
    files = len(list(tmp_path.iterdir()))
    spill.take(10, 10**9)
    assert len(list(tmp_path.iterdir())) == files
    spill.settle()
    assert len(list(tmp_path.iterdir())) < files


def test_bound_and_oldest(tmp_path: Path, monkeypatch: Any) -> None:
    """Beyond its bound it takes nothing, and says so; the oldest segment can be given up."""
    monkeypatch.setattr(_disk_queue, "SEGMENT", 1_000)
    spill = DiskQueue(str(tmp_path), 5_000)
    taken = 0
    while spill.bytes < 4_000:
        spill.append([record(f"r{taken}", 400)])
        taken += 1
    with pytest.raises(DiskQueueFullError):
        spill.append([record("too much", 1_500)])
    lost = spill.drop_oldest()
    assert 0 < lost < taken
    assert spill.waiting == taken - lost
    assert ids(spill.take(100, 10**9)[0]) == [f"r{n}" for n in range(lost, taken)]
    spill.settle()


def test_what_was_taken_is_not_given_up(tmp_path: Path, monkeypatch: Any) -> None:
    """It is still on its way, and nothing but memory has it otherwise; what is behind it goes."""
    monkeypatch.setattr(_disk_queue, "SEGMENT", 1_000)
    spill = DiskQueue(str(tmp_path), 10**9)
    for n in range(8):
        spill.append([record(f"r{n}", 400)])
    taken, _ = spill.take(1, 10**9)
    lost = 0
    while dropped := spill.drop_oldest():
        lost += dropped
    assert (ids(taken), lost, spill.waiting) == (["r0"], 7, 0)
    spill.append([record("after")])
    spill.forget()
    found: list[Item] = []
    recover(str(tmp_path), found.extend)
    assert ids(found) == ["r0", "after"]


def test_a_damaged_segment_costs_what_cannot_be_read(tmp_path: Path) -> None:
    """The other items are delivered, what is lost is counted, and the file is kept."""
    spill = DiskQueue(str(tmp_path), 10**9)
    spill.append([record(f"r{n}") for n in range(10)])
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found, lost = spill.take(100, 10**9)
    assert (len(found), lost) == (9, 1)
    assert set(ids(found)) < {f"r{n}" for n in range(10)}
    assert spill.waiting == 0
    spill.settle()
    assert (tmp_path / "damaged" / path.name).read_bytes() == data


def test_items_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    """Whole, and so are those around them."""
    spill = DiskQueue(str(tmp_path), 10**9)
    items = [record("before"), record("large", 3 * _segment._PIECE), record("after", 10)]
    spill.append(items)
    assert spill.take(10, 10**9) == (items, 0)
    spill.settle()


def test_a_disk_that_cannot_be_read_costs_one_segment(tmp_path: Path, monkeypatch: Any) -> None:
    """What is in it is counted as lost, the next segment is delivered, and the file is kept."""
    monkeypatch.setattr(_disk_queue, "SEGMENT", 100)
    spill = DiskQueue(str(tmp_path), 10**9)
    for name in ("first", "second"):
        spill.append([record(name), record(name)])
    first, _ = sorted(tmp_path.iterdir())
    read = os.pread

    def failing(fd: int, size: int, at: int) -> bytes:
        if os.path.samestat(os.fstat(fd), first.stat()):
            raise OSError(errno.EIO, "input/output error")
        return read(fd, size, at)

    monkeypatch.setattr(_segment.os, "pread", failing)
    assert spill.take(100, 10**9) == ([], 2)
    assert ids(spill.take(100, 10**9)[0]) == ["second", "second"]
    assert spill.waiting == 0
    spill.settle()
    assert [path.name for path in tmp_path.rglob("*.spill")] == [first.name]


def test_a_segment_that_a_recovery_came_across_takes_nothing(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Before it is locked it looks like one of the dead; the next has the records, at once."""
    monkeypatch.setattr(_segment, "lock", lambda fd: False)
    spill = DiskQueue(str(tmp_path), 10**9)
    with pytest.raises(OSError, match="a recovery was faster"):
        spill.append([record("r")])
    assert (spill.waiting, spill.bytes, list(tmp_path.iterdir())) == (0, 0, [])
    locked = iter([False, False])
    monkeypatch.setattr(_segment, "lock", lambda fd: next(locked, True))
    spill.append([record("r")])
    assert len(list(tmp_path.iterdir())) == 1
    assert ids(spill.take(1, 10**9)[0]) == ["r"]
    spill.settle()


def test_recovery_delivers_what_the_dead_have_spilled(tmp_path: Path) -> None:
    """From where it had come, though its last write was cut; a live owner's is left alone."""
    spill = DiskQueue(str(tmp_path), 10**9)
    items = [record(f"r{n}", 100) for n in range(1_200)]
    spill.append(items)
    spill.take(200, 10**9)
    spill.settle()
    found: list[Item] = []
    assert recover(str(tmp_path), found.extend).records == 0
    spill.forget()
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - 5)
    assert recover(str(tmp_path), found.extend).records == 999
    assert found == items[200:-1]
    assert list(tmp_path.iterdir()) == []


def test_recovery_that_fails_goes_on_where_it_was(tmp_path: Path) -> None:
    """What one attempt delivered is not delivered by the next."""
    spill = DiskQueue(str(tmp_path), 10**9)
    spill.append([record(f"r{n}") for n in range(1_200)])
    spill.forget()
    found: list[Item] = []

    def deliver(batch: list[Item]) -> None:
        if len(found) >= 500:
            raise ConnectionError("away")
        found.extend(batch)

    with pytest.raises(ConnectionError):
        recover(str(tmp_path), deliver)
    recover(str(tmp_path), found.extend)
    assert ids(found) == [f"r{n}" for n in range(1_200)]


BEGIN = _segment.HEADER.pack(_segment.MAGIC, _segment.HEADER.size)


@pytest.mark.parametrize("size", [0, 1 << 40], ids=["as it is", "a terabyte of zeros"])
@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"x" * 100,
        _segment.HEADER.pack(_segment.MAGIC, 2**63) + b"x",
        _segment.HEADER.pack(_segment.MAGIC, 0) + b"x",
        BEGIN + bytes(100_000),
        BEGIN + _segment.FRAME.pack(1, 0) * 100,
    ],
)
def test_hostile_segments_are_set_aside(data: bytes, size: int, tmp_path: Path) -> None:
    """Whatever stands in it: recovery ends, delivers nothing of it, and keeps it."""
    (tmp_path / "1-a.spill").write_bytes(data)
    if size:
        os.truncate(tmp_path / "1-a.spill", size)
    found: list[Item] = []
    assert recover(str(tmp_path), found.extend).damaged == 1
    assert found == []
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == ["1-a.spill"]
    assert not (tmp_path / "1-a.spill").exists()


def test_what_a_disk_lost_of_a_segment_costs_that_alone(tmp_path: Path) -> None:
    """Behind what was written there are zeros; what comes before is delivered."""
    spill = DiskQueue(str(tmp_path), 10**9)
    spill.append([record("r")])
    spill.forget()
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size + 5_000)
    found: list[Item] = []
    assert recover(str(tmp_path), found.extend).damaged == 1
    assert ids(found) == ["r"]


def test_private(tmp_path: Path) -> None:
    """Nobody else reads what is on disk."""
    spill = DiskQueue(str(tmp_path / "j"), 10**9)
    spill.append([record("r")])
    _aside.set_aside(str(tmp_path / "j"), record("bad"), "because")
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    for path in (tmp_path / "j").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    spill.take(1, 10**9)
    spill.settle()
