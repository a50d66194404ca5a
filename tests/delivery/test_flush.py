"""`flush` and the books: how long it waits, what it returns, and counts exact at any moment."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest
from flushers import Make, balanced

import honeytrace
from destinations import PATIENCE, Gate, Scripted
from honeytrace._delivery.stats import FlushResult, Stats
from honeytrace.sinks import Delivery
from samples import ended

pytestmark = pytest.mark.usefixtures("at_once")


def test_flush_tells_the_counts(flusher: Make) -> None:
    """A flush is true when everything was delivered, and carries the totals."""
    f = flusher(Scripted())
    assert f.flush(0.0) == FlushResult(True, 0, 0, 0, 0)
    for _ in range(5):
        f.queue.put(ended())
    result = f.flush(PATIENCE)
    assert result
    assert result == (True, 5, 0, 0, 0)
    assert f.stats() == Stats(recorded=5, delivered=5)


def test_flush_ends_with_its_timeout(flusher: Make) -> None:
    """A sink that hangs costs a flush its timeout and no more; nothing is lost by it."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    f.queue.put(ended())
    assert f.flush(0.0) == (False, 0, 2, 0, 0)
    gate.open.set()
    assert f.flush(float("inf")) == (True, 2, 0, 0, 0)


def test_flush_waits_for_what_was_there_and_not_for_what_comes(flusher: Make) -> None:
    """A flush is done when its own items are, though others were delivered before them."""
    first = ended()
    once = [first]

    def answer(batch: list[Any]) -> Delivery | None:
        """The first item is put off once, what came with it is taken."""
        return Delivery(retry=batch[:1]) if len(batch) > 1 and once and once.pop() else None

    f = flusher(Scripted(answer), flush_interval=60.0)
    f.queue.put(first)
    f.queue.put(ended())
    f.queue.lock.acquire()
    goal = f.ledger.recorded()
    f.queue.lock.release()
    assert f.deliverer.step(PATIENCE)
    assert f.stats() == Stats(recorded=2, delivered=1, pending=1)
    assert f.ledger.settled() == 0 < goal
    assert f.flush(PATIENCE) == (True, 2, 0, 0, 0)


def test_many_flushes_at_once(flusher: Make) -> None:
    """Any number of threads may flush while others record; each result is true and exact."""
    f = flusher(Scripted(), batch_size=50)
    results: list[FlushResult] = []

    def work() -> None:
        for _ in range(50):
            f.queue.put(ended())
            results.append(f.flush(PATIENCE))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 300
    assert all(results)
    assert f.stats() == Stats(recorded=300, delivered=300)


def test_books_are_exact_at_any_moment(flusher: Make) -> None:
    """Under every fate at once, recorded is what was put, and never goes down."""

    flooded = threading.Event()

    def answer(batch: list[Any]) -> Delivery:
        assert flooded.wait(PATIENCE)
        return Delivery(retry=batch[:1], refused=[(item, "bad") for item in batch[1:3]])

    f = flusher(Scripted(answer), queue_bytes=50 * 450, batch_size=20)
    seen: list[Stats] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(f.stats())

    def produce() -> None:
        for n in range(2_000):
            f.queue.put(ended())
            if n == 200:
                flooded.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        watcher = threading.Thread(target=watch)
        producers = [threading.Thread(target=produce) for _ in range(3)]
        for thread in (watcher, *producers):
            thread.start()
        for thread in producers:
            thread.join()
        stop.set()
        watcher.join()
    finally:
        sys.setswitchinterval(interval)
    assert all(map(balanced, seen))
    recorded = [stats.recorded for stats in seen]
    assert recorded == sorted(recorded)
    assert f.stats().recorded == 6_000
    assert f.stats().dropped["queue full"] > 0


def test_lookups_do_not_swallow_the_news_of_a_loss(flusher: Make) -> None:
    """The impatient flush of a lookup leaves the telling to the program's own."""
    f = flusher(Scripted(lambda batch: Delivery(refused=[(item, "no") for item in batch])))
    f.queue.put(ended())
    assert not f.flush(PATIENCE, patient=False)
    assert not f.flush(PATIENCE)
    assert f.flush(PATIENCE)


def test_impatient_flush_gives_up_at_the_first_failure(flusher: Make) -> None:
    """A lookup does not wait for a dead destination."""
    f = flusher(Scripted(lambda batch: OSError("dead")))
    f.queue.put(ended())
    assert f.flush(1e6, patient=False) == (False, 0, 1, 0, 0)
    assert [item.event_id for item in f.pending()]


def test_pending_is_seen_whole(flusher: Make) -> None:
    """Lookup sees the batch in flight and the queue behind it, oldest first."""
    gate = Gate()
    f = flusher(gate, batch_size=2, flush_interval=1e-6)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    rest = [ended(), ended()]
    for s in rest:
        f.queue.put(s)
    found = [item.event_id for item in f.pending()]
    assert found == [gate.items[0].event_id, *(s.session_id for s in rest)]
    gate.open.set()


def test_aflush_lets_the_loop_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """`aflush` waits outside the event loop, even where the default executor is full."""
    loop_ran = threading.Event()

    def flush(timeout: float | None) -> FlushResult:
        assert loop_ran.wait(PATIENCE)
        return FlushResult(True, 0, 0, 0, 0)

    monkeypatch.setattr(honeytrace._runtime.public, "flush", flush)

    async def main() -> FlushResult:
        task = asyncio.ensure_future(honeytrace.aflush())
        asyncio.get_running_loop().call_soon(loop_ran.set)
        return await task

    assert asyncio.run(main())
