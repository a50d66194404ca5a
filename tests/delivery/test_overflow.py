"""Records move to disk when memory has no room: delivered in order, bounded and counted."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flushers import Make, balanced

from destinations import PATIENCE, Gate, Scripted
from honeytrace._config import Config
from honeytrace._delivery import ledger as _ledger
from honeytrace._delivery.flusher import Flusher
from honeytrace._durability import quarantine as _aside
from honeytrace._durability import segment_file as _segment
from honeytrace._durability.disk_queue import DiskQueue
from honeytrace._durability.journal import Journal
from honeytrace._durability.recovery import recover, retry_refused
from honeytrace._record.record import Item, Record
from honeytrace._record.wire import from_start_session
from honeytrace.sinks import Delivery
from samples import ended


def record(name: str, size: int = 0) -> Record:
    return from_start_session({"session_id": name, "inputs": {"x": "i" * size}}, str)


def ids(items: Any) -> list[str]:
    return [item.event_id for item in items]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Flusher] = []

    def flusher(sink: Any, **settings: Any) -> Flusher:
        settings = {"flush_interval": 1e-6, "journal": str(tmp_path / "journal"), **settings}
        made.append(Flusher(Config(**settings), lambda damage: sink))
        return made[-1]

    yield flusher
    for each in made:
        each.serve(each.config, lambda damage: Scripted())
        each.stop(PATIENCE)


class Away(Scripted):
    """A destination that is away until it is told to be there."""

    def __init__(self) -> None:
        super().__init__(lambda batch: None if self.there.is_set() else ConnectionError("away"))
        self.there = threading.Event()


# set aside


def test_refused_records_are_kept_and_can_be_retried(make: Make, tmp_path: Path) -> None:
    """With their reasons; one that is taken then is kept no longer."""
    sessions = [ended() for _ in range(3)]
    odd = sessions[1].session_id

    def answer(batch: list[Any]) -> Delivery:
        return Delivery(refused=[(item, "too odd") for item in batch if item.event_id == odd])

    f = make(Scripted(answer))
    for s in sessions:
        f.queue.put(s)
    assert not f.flush(PATIENCE)
    (found,) = _aside.refused(f.config.journal)
    assert (found.reason, found.item.event_id) == ("too odd", odd)
    again = retry_refused(f.config.journal, lambda items: Delivery(refused=[(items[0], "odd")]))
    assert (again.records, again.refused) == (0, 1)
    assert [each.reason for each in _aside.refused(f.config.journal)] == ["too odd"]
    again = retry_refused(f.config.journal, lambda items: None)
    assert (again.records, again.refused) == (1, 0)
    assert list(_aside.refused(f.config.journal)) == []


def test_set_aside_is_bounded(tmp_path: Path, monkeypatch: Any) -> None:
    """A server that refuses everything does not fill the disk."""
    monkeypatch.setattr(_aside, "MOST", 3)
    kept = [_aside.set_aside(str(tmp_path), record(str(n)), "r") for n in range(5)]
    assert kept == [True, True, True, False, False]
    (tmp_path / "refused" / "0.json").write_bytes(b"rubbish")
    assert len(list(_aside.refused(str(tmp_path)))) == 3


# an outage


def test_an_outage_is_outlived_in_order(make: Make) -> None:
    """Memory stays in its bound, the rest waits on disk, and all arrives in order, counted."""
    away = Away()
    f = make(away, queue_bytes=1_000_000, batch_bytes=100_000)
    sessions = [ended(orjson.dumps({"n": n, "pad": "x" * 500})) for n in range(20_000)]
    for s in sessions:
        f.queue.put(s)
        assert f.queue.bytes <= 1_300_000  # a quarter may come on top while a batch is made up
    stats = f.stats()
    assert stats.journalled > 10_000
    assert balanced(stats)
    assert (stats.recorded, stats.dropped) == (20_000, {})
    away.batches.clear()
    away.there.set()
    result = f.flush(PATIENCE)
    assert (bool(result), result.delivered, result.pending) == (True, 20_000, 0)
    assert list(dict.fromkeys(ids(away.items))) == [s.session_id for s in sessions]
    assert balanced(f.stats())
    assert not os.path.exists(f.config.journal) or os.listdir(f.config.journal) == []


def test_what_is_taken_in_part_stays_on_disk(make: Make) -> None:
    """A file goes when the last of it is delivered, whatever the destination took before."""
    away = Away()
    f = make(away, queue_bytes=50_000, batch_size=1_000_000)
    for _ in range(200):
        f.queue.put(ended())
    on_disk: set[str] = set()
    kept: list[bool] = []

    def part(batch: list[Any]) -> Any:
        if not away.there.is_set():
            return ConnectionError("away")
        on_disk.update(item.event_id for item in batch if id(item) in f._overflow.out)
        if on_disk & set(ids(batch)):
            kept.append(any(name.endswith(".spill") for name in os.listdir(f.config.journal)))
        return Delivery(retry=batch[len(batch) // 2 + 1 :])

    away.answer = part
    away.there.set()
    assert f.flush(PATIENCE)
    assert len(on_disk) > 50
    assert len(kept) > 1
    assert all(kept)
    assert os.listdir(f.config.journal) == []


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_disk_has_a_bound_too(overflow: str, make: Make) -> None:
    """Beyond it the oldest or the newest go, as asked, and every one is counted."""
    away = Away()
    # a batch on its way is in neither bound: here it is a small one
    f = make(away, queue_bytes=500_000, disk_bytes=2_000_000, overflow=overflow, batch_size=100)
    sessions = [ended(b'"' + b"x" * 500 + b'"') for _ in range(20_000)]
    for s in sessions:
        f.queue.put(s)
    stats = f.stats()
    assert balanced(stats)
    assert stats.recorded == 20_000
    assert sum(stats.dropped.values()) > 10_000
    away.batches.clear()
    away.there.set()
    f.flush(PATIENCE)
    arrived = set(ids(away.items))
    assert len(arrived) == 20_000 - sum(f.stats().dropped.values())
    older, newer = (
        sum(s.session_id in arrived for s in half)
        for half in (sessions[:10_000], sessions[10_000:])
    )
    assert (newer > older) if overflow == "drop_oldest" else (older > newer)


def test_block_waits_for_room(make: Make) -> None:
    """With `overflow="block"` the caller waits, nothing is dropped, and all arrives."""
    away = Away()
    f = make(away, queue_bytes=500_000, disk_bytes=1, overflow="block")
    blocked = threading.Event()
    wait = f.ledger.changed.wait
    f.ledger.changed.wait = lambda timeout=None: (blocked.set(), wait(timeout))[1]  # type: ignore[method-assign]

    def produce() -> None:
        for _ in range(3_000):
            f.queue.put(ended(b"x" * 500))

    producers = [threading.Thread(target=produce) for _ in range(3)]
    for thread in producers:
        thread.start()
    assert blocked.wait(PATIENCE)
    assert any(thread.is_alive() for thread in producers)
    away.there.set()
    for thread in producers:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert f.flush(PATIENCE)
    assert f.stats().delivered == 9_000
    assert f.stats().dropped == {}


def test_block_waits_while_the_sink_delivers(make: Make) -> None:
    """A destination that is slow to answer holds the caller, too: memory stays in its bound."""
    gate = Gate()
    f = make(gate, queue_bytes=100_000, disk_bytes=1, overflow="block", batch_size=10)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    blocked = threading.Event()
    wait = f.ledger.changed.wait
    f.ledger.changed.wait = lambda timeout=None: (blocked.set(), wait(timeout))[1]  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: [f.queue.put(ended(b"x" * 500)) for _ in range(2_000)])
    thread.start()
    assert blocked.wait(PATIENCE)
    assert f.queue.bytes < 150_000
    gate.open.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert f.flush(PATIENCE)
    assert (f.stats().delivered, f.stats().dropped) == (2_001, {})


def test_a_disk_that_is_full_costs_what_is_counted(make: Make, monkeypatch: Any) -> None:
    """The program goes on; what memory has no room for is dropped and counted exactly."""
    away = Away()
    f = make(away, queue_bytes=500_000, batch_size=100)
    write, written = os.pwrite, 0

    def full(fd: int, data: bytes, at: int) -> int:
        nonlocal written
        written += len(data)
        return write(fd, data, at) if written < 1_000_000 else write(fd, data[:1], at)

    monkeypatch.setattr(_segment.os, "pwrite", full)
    for _ in range(10_000):
        f.queue.put(ended(b'"' + b"x" * 500 + b'"'))
    stats = f.stats()
    assert balanced(stats)
    assert stats.dropped["queue full"] > 0
    assert stats.journalled > 0
    monkeypatch.undo()
    away.batches.clear()
    away.there.set()
    f.flush(PATIENCE)
    assert len(set(ids(away.items))) == f.stats().delivered == 10_000 - stats.dropped["queue full"]


def test_a_disk_that_takes_nothing_is_told_of_once(
    make: Make, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is tried again."""
    monkeypatch.setattr("honeytrace._delivery.overflow._AGAIN", 0.0)
    tries = 0

    def full(fd: int, data: bytes, at: int) -> int:
        nonlocal tries
        tries += 1
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(_segment.os, "pwrite", full)
    f = make(Away(), queue_bytes=50_000)
    for _ in range(1_000):
        f.queue.put(ended())
    assert tries > 1
    assert balanced(f.stats())
    assert len([r for r in caplog.records if "cannot put on disk" in r.getMessage()]) == 1
    monkeypatch.undo()


def test_an_interrupt_while_records_move_to_disk_loses_none(make: Make, monkeypatch: Any) -> None:
    """It reaches the program; what was on its way to the disk is still there, once, in order."""
    away = Away()
    f = make(away, queue_bytes=100_000)
    strikes = iter([KeyboardInterrupt])

    def struck(spill: DiskQueue, items: Any) -> None:
        for strike in strikes:
            raise strike
        append(spill, items)

    append = DiskQueue.append
    monkeypatch.setattr(DiskQueue, "append", struck)
    items = (ended(b'{"n":%d}' % n) for n in range(1_000))
    with pytest.raises(KeyboardInterrupt):
        deque(map(f.queue.put, items), 0)
    deque(map(f.queue.put, items), 0)
    assert balanced(f.stats())
    away.batches.clear()
    away.there.set()
    assert f.flush(PATIENCE)
    found = [orjson.loads(item.inputs)["n"] for item in away.items]
    assert list(dict.fromkeys(found)) == list(range(1_000))
    assert f.stats().dropped == {}


def test_what_is_all_on_disk_is_delivered(make: Make) -> None:
    """Nothing in memory is no reason to rest, nor to end a flush."""
    away = Away()
    f = make(away, queue_bytes=100_000, batch_size=1)
    f.queue.put(ended())
    away.wait_batches(1)  # and from now on it holds that batch
    for _ in range(5):
        f.queue.put(ended())
        assert f.relieve()
    assert (len(f.queue.items), f.stats().journalled) == (0, 5)
    away.there.set()
    assert f.flush(PATIENCE)
    assert f.stats().delivered == 6


def test_a_session_that_cannot_be_encoded_costs_itself(make: Make, monkeypatch: Any) -> None:
    """On its way to disk as on that to a sink: it is counted, and the others arrive."""
    away = Away()
    f = make(away, queue_bytes=100_000)
    f.queue.put(ended())
    away.wait_batches(1)  # and from now on it holds that batch
    bad = ended()
    bad_id = bad.session_id
    bad._spec = None  # type: ignore[assignment]
    f.queue.put(bad)
    for _ in range(1_000):
        f.queue.put(ended())
    assert balanced(f.stats())
    away.batches.clear()
    away.there.set()
    f.flush(PATIENCE)
    assert bad_id not in ids(away.items)
    assert f.stats().delivered == 1_001
    assert f.stats().dropped == {"not encodable": 1}


def test_what_cannot_be_set_aside_is_said_and_counted(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the directory is a file, a refused record is lost, and delivery goes on."""
    (tmp_path / "file").write_text("in the way")
    sink = Scripted(lambda batch: Delivery(refused=[(batch[0], "odd")]))
    f = make(sink, journal=str(tmp_path / "file"))
    f.queue.put(ended())
    assert f.flush(PATIENCE).refused == 1
    assert f.stats().refused == {"odd": 1}
    assert "cannot set a refused record aside" in caplog.text


def test_poison_is_isolated_and_set_aside(make: Make, monkeypatch: Any) -> None:
    """A record that fails every request it is in ends up alone, aside, and costs no other."""
    monkeypatch.setattr("honeytrace._delivery.backoff._FIRST_WAIT", 1e-4)
    monkeypatch.setattr("honeytrace._delivery.batch.MOST_STRIKES", 3)
    bad = ended()
    poison = bad.session_id
    taken: list[str] = []

    def answer(batch: list[Any]) -> Any:
        if poison in ids(batch):
            return RuntimeError("500")
        taken.extend(ids(batch))
        return None

    f = make(Scripted(answer))
    journal = Journal.create(f.config.journal, 64 * 1024)
    bad._slot = journal.opened(bad)
    f.queue.put(bad)
    sent = 1
    while "never taken, while others are" not in f.stats().refused:
        assert sent < 20_000
        f.queue.put(ended())
        sent += 1
        f.flush(0.01)
    f.flush(PATIENCE)
    assert len(taken) == f.stats().delivered == sent - 1
    assert ids(found.item for found in _aside.refused(f.config.journal)) == [poison]
    journal.retire()
    assert not os.path.exists(journal.path)  # its place was given up


# a full journal


def test_a_full_journal_moves_to_disk(make: Make, tmp_path: Path) -> None:
    """What waits longest goes from the journal to the spill, so that all of it is protected."""
    away = Away()
    f = make(away)
    f.queue.put(ended())
    away.wait_batches(1)  # and from now on it holds that batch
    journal = Journal.create(f.config.journal, 64 * 1024, "p", "s")
    moved: list[bool] = []

    def relieve() -> bool:
        moved.append(f.relieve())
        return moved[-1]

    journal.relieve = relieve
    for n in range(1_000):
        s = ended(b'{"n":%d}' % n)
        s._slot = journal.opened(s)
        assert s._slot is not None
        journal.closed(s, s._slot)
        f.queue.put(s)
    assert journal.unprotected == 0
    stats = f.stats()
    assert balanced(stats)
    assert any(moved)  # the flush thread may have taken some back into memory by now
    assert stats.recorded == 1_001
    away.there.set()
    assert f.flush(PATIENCE)
    assert f.stats().delivered == 1_001
    journal.retire()
    assert os.listdir(f.config.journal) == []


def test_what_is_in_memory_alone_is_kept_at_the_end(make: Make, tmp_path: Path) -> None:
    """A process that cannot deliver leaves everything for the next one, journal or not."""
    away = Away()
    f = make(away)
    for n in range(50):
        f.queue.put(ended(b'{"n":%d}' % n))
    f.finish(0.01)
    f.forget()
    found: list[Item] = []
    recover(f.config.journal, found.extend)
    assert len(found) == 50


def test_losses_are_told_of_at_once_then_every_minute_and_at_the_end(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The first item dropped at `disk_bytes` is reported with its reason; more of it later."""
    # the flush thread takes one record, so that the others on disk can be dropped
    f = make(Away(), queue_bytes=100_000, disk_bytes=600_000, batch_size=1)

    def told() -> list[str]:
        said = [r.getMessage() for r in caplog.records if "has dropped" in r.getMessage()]
        caplog.clear()
        return said

    def lose() -> int:
        before = f.stats().dropped.get("disk_bytes reached", 0)
        for _ in range(2_000):
            f.queue.put(ended(b'"' + b"x" * 10_000 + b'"'))
            if (count := f.stats().dropped.get("disk_bytes reached", 0)) > before:
                return count
        raise AssertionError(f.stats())

    count = lose()
    (said,) = told()
    assert f"has dropped {count} records (disk_bytes reached: {count})" in said
    lose()
    assert told() == []  # within the minute
    f.ledger._quiet_until -= _ledger._QUIET
    lose()
    assert len(told()) == 1
    count = lose()
    f.finish(0.0)
    assert f"has dropped {count} records" in told()[-1]
