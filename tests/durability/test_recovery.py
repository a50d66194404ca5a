"""Recovery: all that a killed process had recorded, once, whatever its journal looks like."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from honeytrace._capture.hooks import hooks
from honeytrace._durability import recovery
from honeytrace._durability.journal_format import (
    SMALLEST,
)
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Record, Update
from honeytrace.store.memory import MemoryStore
from journalled import die, recorded_kinds, recording, recovered

KILLS = int(os.environ.get("HONEYTRACE_CHAOS", "40"))
SCRIPT = Path(__file__).parents[1] / "journalled.py"


def spawn(role: str, directory: Path, **pipes: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), role, str(directory)], **pipes)


def killed(directory: Path, bytes_told: int, moment: float) -> dict[str, set[str]]:
    """What a child told before it was killed, `moment` seconds after its first `bytes_told`."""
    process = spawn("child", directory, stdout=subprocess.PIPE)
    told = b""
    while len(told) < bytes_told:
        piece = os.read(process.stdout.fileno(), bytes_told - len(told))
        assert piece, "the child ended by itself"
        told += piece
    select.select([], [], [], moment)  # it records meanwhile: the pipe holds what it tells
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read()
    process.wait()
    process.stdout.close()
    ids: dict[str, set[str]] = {"B": set(), "E": set(), "R": set()}
    for line in told[: told.rfind(b"\n")].decode().splitlines():
        ids[line[0]].add(line[2:])
    return ids


@pytest.mark.parametrize("seed", range(KILLS))
def test_kill_at_any_instant(seed: int, tmp_path: Path) -> None:
    """Every call that returned is there, once and whole; every call in flight is interrupted."""
    chance = random.Random(seed)
    told = killed(tmp_path, chance.randrange(1, 30_000), chance.random() * 0.002)
    items, found = recovered(tmp_path)
    by_id = {item.event_id: item for item in items}
    assert len(by_id) == len(items)
    assert found.damaged == 0
    assert told["E"] - told["R"] <= set(by_id)
    # the last call may have ended before the child could tell
    unfinished = [item for item in items if item.status == "interrupted"]
    assert len(unfinished) <= 2
    assert not {item.event_id for item in unfinished} & told["E"]
    assert told["B"] - told["E"] - told["R"] <= set(by_id)
    for item in items:
        assert isinstance(item, Record)
        assert (item.end_time is None) == (item.status == "interrupted")
        assert item.inputs is not None or item.event_name == "outer"
    assert list(tmp_path.iterdir()) == []


def journal_bytes(directory: Path) -> bytes:
    """A journal with one call of every kind, one of them running."""
    with recording(directory, SMALLEST * 4) as recorder:
        for kind in recorded_kinds:
            kind(recorder)
        with recorder.call("running", inputs={"x": "y" * 700}):
            die(recorder.journal)
        path = Path(recorder.journal.path)
    data = path.read_bytes()
    path.unlink()
    return data


def test_hostile_files(tmp_path: Path) -> None:
    """Bytes flipped, cut, shuffled or invented are set aside; nothing raises, nothing grows."""
    good = journal_bytes(tmp_path)
    chance = random.Random(1)
    damaged = 0
    for n in range(150 if KILLS <= 40 else 3_000):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 60)):
            at = (
                chance.randrange(64 * 512) if chance.random() < 0.9 else chance.randrange(len(data))
            )
            at -= at % 512 * (chance.random() < 0.5)  # the commits, half of the time
            size = chance.choice([1, 1, 4, 8, 512])
            data[at : at + size] = chance.choice(
                [
                    bytes(size),
                    b"\xff" * size,
                    chance.randbytes(size),
                    good[at + 512 : at + 512 + size],
                ]
            )
        if n % 10 == 0:
            data = data[: chance.randrange(len(data))]
        path = tmp_path / f"{n}.journal"
        path.write_bytes(data)
        items, found = recovered(tmp_path)
        assert sum(len(repr(item)) for item in items) < 20 * len(good)
        damaged += bool(found.damaged)
        assert (tmp_path / "damaged" / path.name).exists() == bool(found.damaged)
        assert not path.exists()
    assert damaged > 100


@pytest.mark.parametrize("content", [b"x", b"\xff" * 5_000, b"honeytrace journal 1\n" + b"\0" * 9])
def test_file_that_is_no_journal_is_kept_aside(content: bytes, tmp_path: Path, caplog) -> None:
    """It is named in one line of the log, and costs the others nothing."""
    (tmp_path / "0.journal").write_bytes(content)
    with recording(tmp_path) as recorder:
        recorded_kinds[0](recorder)
        die(recorder.journal)
    items, found = recovered(tmp_path)
    assert (len(items), found.damaged) == (1, 1)
    assert (tmp_path / "damaged" / "0.journal").read_bytes() == content
    assert [r.getMessage() for r in caplog.records if "set a journal aside" in r.getMessage()]


def test_symlinks_and_pipes_are_not_followed(tmp_path: Path) -> None:
    """What is no regular file is set aside, unread."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    directory = tmp_path / "journal"
    directory.mkdir()
    (directory / "a.journal").symlink_to(secret)
    os.mkfifo(directory / "b.journal")
    assert recovered(directory)[1].damaged == 2
    assert secret.read_bytes() == b"mine"


def test_file_killed_before_it_had_begun(tmp_path: Path) -> None:
    """An empty file, or one of zeros, is no damage: its process died while making it."""
    (tmp_path / "a.journal").write_bytes(b"")
    (tmp_path / "b.journal").write_bytes(bytes(SMALLEST))
    items, found = recovered(tmp_path)
    assert (items, found.damaged, list(tmp_path.iterdir())) == ([], 0, [])


def test_living_journal_is_left_alone(tmp_path: Path) -> None:
    """A journal whose owner lives is not read, by another process or by its own."""
    with recording(tmp_path) as recorder, recorder.call("runs"):
        assert recovered(tmp_path)[1].journals == 0
        die(recorder.journal)
    holder = spawn("hold", tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert recovered(tmp_path)[1].journals == 0
    holder.communicate(b"")
    assert recovered(tmp_path)[1].interrupted == 1


def test_recovery_killed_half_way(tmp_path: Path) -> None:
    """The next one delivers the rest; what comes twice is the same record of the same id."""
    with recording(tmp_path, 4 << 20) as recorder:
        for _ in range(800):
            recorded_kinds[0](recorder)
        die(recorder.journal)
    first = spawn("half_way", tmp_path, stdout=subprocess.PIPE)
    told = first.communicate()[0].decode().split()
    assert first.returncode == 9
    assert len(told) == 500
    items, _ = recovered(tmp_path)
    assert {item.event_id for item in items} | set(told) == set(recorder.records)
    store = MemoryStore()
    for _ in range(2):
        store.insert(items)
    assert store.size().sessions == 800


def test_destination_that_fails_leaves_the_rest(tmp_path: Path) -> None:
    """What was delivered is not delivered again; what was not stays in the journal."""
    with recording(tmp_path, 4 << 20) as recorder:
        for _ in range(800):
            recorded_kinds[0](recorder)
        die(recorder.journal)
    taken = []

    def deliver(batch: list[Record]) -> None:
        if taken:
            raise ConnectionError
        taken.extend(batch)

    with pytest.raises(ConnectionError):
        recover(str(tmp_path), deliver)
    items, _ = recovered(tmp_path)
    assert [i.event_id for i in taken + items] == list(recorder.records)


def test_raced_recovery(tmp_path: Path) -> None:
    """Of several recoveries at once, each journal is delivered by one."""
    told = set()
    for _ in range(6):
        with recording(tmp_path) as recorder:
            recorded_kinds[0](recorder)
            die(recorder.journal)
        told |= set(recorder.records)
    racers = [spawn("recover", tmp_path, stdout=subprocess.PIPE) for _ in range(4)]
    delivered = [line for racer in racers for line in racer.communicate()[0].decode().split()]
    assert sorted(delivered) == sorted(told)
    assert list(tmp_path.iterdir()) == []


def test_updates_come_after_their_calls_whatever_their_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update is dated before its call when the process stood still between two looks at the
    clock; it still comes after it, also where a batch ends between them."""
    with recording(tmp_path) as recorder:
        with recorder.call("call") as s:
            pass
        monkeypatch.setattr(hooks, "offset_ns", hooks.offset_ns - 10**9)
        assert recorder.journal.noted(Update(s.session_id, {"metadata": b'{"a":1}'}))
    die(recorder.journal)
    monkeypatch.setattr(recovery, "BATCH_ITEMS", 1)
    items, found = recovered(tmp_path)
    assert [type(item) for item in items] == [Record, Update]
    assert found.records == 2
