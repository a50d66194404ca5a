"""The flush thread makes batches: when they go, how large they are, and in which order."""

from __future__ import annotations

import threading

import pytest
from flushers import Make

from destinations import PATIENCE, Gate, Scripted
from honeytrace._delivery.queue import ANY
from honeytrace._delivery.stats import FlushResult, Stats
from honeytrace._record.record import Update
from samples import ended

pytestmark = pytest.mark.usefixtures("at_once")


def test_what_is_put_is_delivered_without_a_flush(flusher: Make) -> None:
    """The thread starts with the first item and needs no one to call."""
    sink = Scripted()
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(1)
    assert len(sink.items) == 1


def test_parked_thread_hears_every_first_item(flusher: Make) -> None:
    """However often the thread goes to rest, the next item wakes it."""
    sink = Scripted()
    f = flusher(sink)
    for n in range(1, 200):
        f.queue.put(ended())
        sink.wait_batches(n)
    assert len(sink.items) == 199


def test_batches_are_bounded_by_count_and_bytes(flusher: Make) -> None:
    """No batch is longer than `batch_size`, nor much larger than `batch_bytes`."""
    sink = Scripted()
    f = flusher(sink, batch_size=10, batch_bytes=5_000, flush_interval=60.0)
    for n in range(40):
        f.queue.put(ended(b"x" * (1_000 if n % 2 else 10)))
    assert f.flush(PATIENCE)
    assert max(map(len, sink.batches)) <= 10
    assert len(sink.items) == 40


@pytest.mark.parametrize("settings", [{"batch_bytes": 10_000}, {"queue_bytes": 20_000}])
def test_full_batch_is_sent_before_its_interval_is_over(
    flusher: Make, settings: dict[str, int]
) -> None:
    """`batch_bytes` waiting end the pause in which a batch gathers, or half of a small queue."""
    sink = Scripted()
    f = flusher(sink, **settings, flush_interval=1e6)
    f.queue.put(ended())
    thread = f._thread
    while f.queue._level != 10_000:  # the thread is on its way to gather
        assert thread is not None
        assert thread.is_alive()
    for _ in range(12):
        f.queue.put(ended(b"x" * 1_000))
    sink.wait_batches(1)


def test_what_comes_meanwhile_gathers_anew(flusher: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came while a batch was delivered waits for its own interval, or for a flush."""
    gate = Gate()
    f = flusher(gate, flush_interval=1e6)
    rested, rest = threading.Semaphore(0), f.queue.rest

    def resting(timeout: float | None, level: int) -> None:
        if gate.open.is_set():
            rested.release()
        rest(timeout, level)

    monkeypatch.setattr(f.queue, "rest", resting)
    f.queue.put(ended())
    f._urgent = True  # as a flush that has timed out leaves it
    f.queue.wake()
    assert gate.entered.wait(PATIENCE)
    f.queue.put(ended())
    f.queue.put(ended())
    gate.open.set()
    assert rested.acquire(timeout=PATIENCE)
    assert f.stats() == Stats(recorded=3, delivered=1, pending=2)
    assert f.flush(PATIENCE) == (True, 3, 0, 0, 0)
    assert list(map(len, gate.batches)) == [1, 2]


def test_a_flush_amid_a_delivery_does_not_wait_for_an_interval(flusher: Make) -> None:
    """A flush that comes while a batch is delivered sees the next one go at once."""
    gate = Gate()
    f = flusher(gate, batch_size=2, flush_interval=1e6)
    f.queue.put(ended())
    f._urgent = True
    f.queue.wake()
    assert gate.entered.wait(PATIENCE)
    for _ in range(5):
        f.queue.put(ended())
    results: list[FlushResult] = []
    flushing = threading.Thread(target=lambda: results.append(f.flush(PATIENCE)))
    flushing.start()
    while f.ledger.goal < 6:
        assert flushing.is_alive()
    gate.open.set()
    flushing.join(PATIENCE)
    assert results == [(True, 6, 0, 0, 0)]


def test_the_furthest_flush_counts(flusher: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that is overtaken by a later one does not make the thread forget that."""
    sink = Scripted()
    f = flusher(sink, batch_size=2, flush_interval=1e6)
    f.queue.put(ended())
    attend, overtaken = f._attend, [True]

    def attended() -> None:
        if overtaken and overtaken.pop():
            for _ in range(4):
                f.queue.put(ended())
            f.flush(0.0)
        attend()

    monkeypatch.setattr(f, "_attend", attended)
    assert f.flush(PATIENCE)
    assert f.ledger.goal == 5
    sink.wait_batches(3)


def test_the_books_do_not_wait_for_room(flusher: Make) -> None:
    """With `overflow="block"` and a destination that hangs, `stats` answers all the same."""
    gate = Gate()
    f = flusher(gate, overflow="block", queue_bytes=10_000, disk_bytes=1)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    f.queue.items.append(ended(b"x" * 20_000))
    f.queue.bytes += 20_000
    assert f.stats() == Stats(recorded=2, pending=2)
    gate.open.set()


def test_order_is_kept(flusher: Make) -> None:
    """What was recorded first is delivered first, an update after its session."""
    sink = Scripted()
    f = flusher(sink, batch_size=3)
    sessions = [ended() for _ in range(10)]
    for s in sessions:
        f.queue.put(s)
        f.queue.add(Update(s.session_id, {}))
    assert f.flush(PATIENCE)
    ids = [s.session_id for s in sessions]
    assert [item.event_id for item in sink.items] == [i for each in ids for i in (each, each)]


def test_level_between_rests_is_the_limit(flusher: Make) -> None:
    """While the thread works, no producer pays for waking it."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    assert f.queue._level in (f.queue.limit, f.config.most_bytes)
    assert f.queue._level > ANY
    gate.open.set()
