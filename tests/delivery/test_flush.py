"""The flush thread: a batch stays until its fate is told, and the books are exact at any moment."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import honeytrace
from destinations import PATIENCE, Gate, Scripted
from honeytrace import trace_session
from honeytrace._capture.context import OwnThread
from honeytrace._config import NO_JOURNAL, Config
from honeytrace._delivery import backoff as _outage
from honeytrace._delivery import deliverer as _deliverer
from honeytrace._delivery import flusher as _flush
from honeytrace._delivery import ledger as _ledger
from honeytrace._delivery.flusher import Flusher
from honeytrace._delivery.queue import ANY
from honeytrace._delivery.stats import FlushResult, Stats
from honeytrace._record.record import Update
from honeytrace.sinks import Delivery
from honeytrace.store.errors import StoreDamagedError
from honeytrace.testing import capture
from samples import ended

Make = Callable[..., Flusher]


@pytest.fixture
def flusher() -> Iterator[Make]:
    """Makes flushers of a sink, which end with the test."""
    made: list[Flusher] = []

    def make(sink: Any, **settings: Any) -> Flusher:
        settings = {"flush_interval": 1e-6, "journal": NO_JOURNAL, **settings}
        new = Flusher(Config(**settings), lambda damage: sink)
        made.append(new)
        return new

    yield make
    for each in made:
        thread = each._thread
        each.stop(0.0)
        if thread is not None:
            thread.join(PATIENCE)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a pause between two tries."""
    monkeypatch.setattr(_outage, "_FIRST_WAIT", 1e-6)
    monkeypatch.setattr(_outage, "_LONGEST_WAIT", 1e-6)


def balanced(stats: Stats) -> bool:
    settled = stats.delivered + sum(stats.refused.values()) + sum(stats.dropped.values())
    return stats.recorded == settled + stats.pending and stats.pending >= 0


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


def test_exception_keeps_the_batch(flusher: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a sink raises, the same batch is tried again, and one line is logged."""
    failures = [OSError("disk on fire"), ValueError(), MemoryError()]
    sink = Scripted(lambda batch: failures.pop(0) if failures else None)
    f = flusher(sink)
    caplog.set_level(logging.INFO, "honeytrace")
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)
    assert len(sink.batches) == 4
    assert len({batch[0] for batch in sink.batches}) == 1
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "honeytrace cannot deliver, and keeps trying: disk on fire",
        "honeytrace delivers again",
    ]


def test_flapping_destination_is_told_of_once(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A destination that fails every second time does not fill the log."""
    failing = iter([OSError("flap"), None] * 20)
    f = flusher(Scripted(lambda batch: next(failing)))
    for _ in range(20):
        f.queue.put(ended())
        assert f.flush(PATIENCE)
    assert len(caplog.records) == 1


def test_an_outage_after_a_flap_is_told_of_when_it_lasts(
    flusher: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What begins soon after another is not passed over for good; what was not told has no end."""
    now, down = [0.0], [True]
    clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter_ns=time.perf_counter_ns)
    for module in (_flush, _ledger, _deliverer, _outage):
        monkeypatch.setattr(module, "time", clock)
    caplog.set_level(logging.INFO, "honeytrace")
    sink = Scripted(lambda batch: OSError("away") if down[0] else None)
    f = flusher(sink)

    def outage() -> None:
        down[0] = True
        f.queue.put(ended())
        sink.wait_batches(len(sink.batches) + 3)

    def end() -> list[str]:
        down[0] = False
        assert f.flush(PATIENCE)
        said = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return said

    told = ["honeytrace cannot deliver, and keeps trying: away", "honeytrace delivers again"]
    outage()
    assert end() == told
    outage()
    assert end() == []
    outage()
    now[0] = _outage._QUIET + 1
    sink.wait_batches(len(sink.batches) + 3)
    assert end() == told


def test_a_fork_while_the_thread_starts(flusher: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there yet cannot be waited for: it starts all the same."""
    f = flusher(Scripted())
    start, started = OwnThread.start, []

    def delivered_meanwhile(thread: OwnThread) -> None:
        f.deliverer.step(PATIENCE)
        f.pause()
        start(thread)
        started.append(thread)

    monkeypatch.setattr(OwnThread, "start", delivered_meanwhile)
    f.queue.put(ended())
    assert started == [f._thread]


def test_answer_that_is_no_delivery_is_a_failure(flusher: Make) -> None:
    """A sink of the program's own that returns nonsense costs neither the batch nor the thread."""
    answers: list[Any] = ["nonsense"]
    sink = Scripted(lambda batch: answers.pop() if answers else None)
    f = flusher(sink)
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nothing_that_a_sink_raises_ends_the_thread(flusher: Make) -> None:
    """Not even `sys.exit()`: it is a failure like any other, and the batch is tried again."""
    answers: list[Any] = [SystemExit(), asyncio.CancelledError()]
    sink = Scripted(lambda batch: answers.pop() if answers else None)
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(3)
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)


def test_partial_delivery_goes_on_at_once(flusher: Make) -> None:
    """A sink that takes half of each batch is not paused between, and gets everything."""
    sink = Scripted(lambda batch: Delivery(retry=batch[(len(batch) + 1) // 2 :]))
    f = flusher(sink)
    for _ in range(64):
        f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 64, 0, 0, 0)
    assert f.outage.failures == 0


def test_busy_destination_waits_as_long_as_it_asks(flusher: Make) -> None:
    """`retry_after` is the pause; a flush does not wait for its end to try again."""
    answers: list[Any] = [True]
    sink = Scripted(
        lambda b: Delivery(retry=b, retry_after=1e6) if answers and answers.pop() else None
    )
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(1)
    while f.outage.wait != 1e6:
        pass
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)


def test_refused_is_counted_by_reason_and_makes_one_flush_false(flusher: Make) -> None:
    """Refusal is final: the next flush says so, and the one after is about later items."""
    sink = Scripted(lambda batch: Delivery(refused=[(item, "too large") for item in batch[1:]]))
    f = flusher(sink, flush_interval=60.0)
    for _ in range(3):
        f.queue.put(ended())
    assert f.flush(PATIENCE) == (False, 1, 0, 2, 0)
    assert f.stats().refused == {"too large": 2}
    assert f.flush(PATIENCE) == (True, 1, 0, 2, 0)


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


def test_what_cannot_be_encoded_is_dropped_alone(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours costs one record, is counted, and holds no flush up."""
    f = flusher(Scripted(), flush_interval=60.0)
    broken = ended()
    broken._spec = None  # type: ignore[assignment]
    f.queue.put(broken)
    assert f.flush(PATIENCE) == (False, 0, 0, 0, 1)
    assert f.stats().dropped == {"not encodable": 1}
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 1)


def test_memory_is_bounded_while_the_destination_hangs(flusher: Make) -> None:
    """A flood against a stuck sink drops the oldest, and says how many."""
    gate = Gate()
    f = flusher(gate, queue_bytes=100_000, batch_size=10)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    for _ in range(5_000):
        f.queue.put(ended(b"x" * 100))
    assert f.queue.bytes <= 100_000  # though a batch may be larger than that
    stats = f.stats()
    assert stats.recorded == 5_001
    assert stats.dropped == {"queue full": 5_001 - stats.pending}
    gate.open.set()
    result = f.flush(PATIENCE)
    assert (result.complete, result.pending, result.delivered) == (False, 0, stats.pending)


def test_flush_from_the_flush_thread_returns_at_once(flusher: Make) -> None:
    """A sink that flushes gets a false answer and no deadlock."""
    results: list[FlushResult] = []
    sink = Scripted(lambda batch: results.append(f.flush(1e6)))
    f = flusher(sink)
    f.queue.put(ended())
    assert f.flush(PATIENCE)
    assert results == [(False, 0, 1, 0, 0)]


def test_sink_may_stop_its_own_flusher(flusher: Make) -> None:
    """A sink that shuts down is closed after it has answered, and what comes next is delivered."""
    sink = Scripted(lambda batch: None if sink.closed else f.stop(0.0) and None)
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(1)
    assert f.flush(PATIENCE)
    f.queue.put(ended())
    assert f.flush(PATIENCE)
    assert sink.closed == 1


def test_flush_without_threads_delivers_by_itself(
    flusher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started the item waits, and a flush delivers it."""

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    sink = Scripted()
    f = flusher(sink, batch_bytes=1_000)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        f.queue.put(ended())
        assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)
        f.queue.put(ended())
    for _ in range(10):  # another batch has come together: the start is tried again
        f.queue.put(ended())
    sink.wait_batches(2)
    assert f.flush(PATIENCE) == (True, 12, 0, 0, 0)


def test_flush_without_threads_gives_up_on_failure(
    flusher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush that has to deliver by itself tries once."""

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sink = Scripted(lambda batch: (f.flush(1e6), OSError("dead"))[1])  # nor within itself
    f = flusher(sink)
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (False, 0, 1, 0, 0)
    assert len(sink.batches) == 1


def test_interrupted_start_is_made_up_for(flusher: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the start of the thread reaches the program, and the item is still delivered."""

    def interrupt(self: Any) -> None:
        raise KeyboardInterrupt

    f = flusher(Scripted())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)


def test_thread_started_twice_leaves_one(flusher: Make) -> None:
    """A thread that another has taken over from ends by itself."""
    f = flusher(Scripted())
    f._start()
    first = f._thread
    assert first is not None
    f._start()
    f._urgent = True
    f.queue.wake()
    f.queue.wake()
    f.queue.put(ended())
    assert f.flush(PATIENCE)
    assert f._thread is not first


def test_stop_then_record_again(flusher: Make) -> None:
    """After `stop` the thread is gone and the sink closed; the next item starts both anew."""
    sink = Scripted()
    f = flusher(sink)
    f.queue.put(ended())
    assert f.stop(PATIENCE)
    assert sink.closed == 1
    assert f._thread is None
    f.queue.put(ended())
    sink.wait_batches(2)
    assert f.stop(PATIENCE) == (True, 2, 0, 0, 0)
    assert sink.closed == 2


def test_stop_does_not_wait_for_a_sink_that_hangs(flusher: Make) -> None:
    """`stop` keeps its timeout; the batch is settled when the sink comes back."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    thread = f._thread
    assert f.stop(0.0) == (False, 0, 1, 0, 0)
    assert gate.closed == 0
    gate.open.set()
    assert thread is not None
    thread.join(PATIENCE)
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)
    f.queue.put(ended())
    assert f.flush(PATIENCE)
    assert gate.closed == 1  # before the delivery after the one that hung


def test_step_does_not_wait_longer_than_it_may(flusher: Make) -> None:
    """Whoever flushes beside a delivery that hangs gives up in time."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    assert not f.deliverer.step(0.0)
    gate.open.set()


def test_sink_that_cannot_close_stops_nothing(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception out of `close` is logged and goes no further."""

    class Stubborn(Scripted):
        def close(self) -> None:
            raise OSError("no")

    f = flusher(Stubborn())
    f.queue.put(ended())
    assert f.stop(PATIENCE)
    assert "could not close" in caplog.text


def test_damaged_store_gets_a_new_sink_at_once() -> None:
    """The sink over a damaged store is closed and made anew, told why, with no other complaint."""
    told: list[Exception | None] = []
    damage = StoreDamagedError("page 7")
    broken, good = Scripted(lambda batch: damage), Scripted()

    def make(why: Exception | None) -> Scripted:
        told.append(why)
        return good if why else broken

    f = Flusher(Config(), make)
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 1, 0, 0, 0)
    assert told == [None, damage]
    assert broken.closed == 1
    assert f.stop(PATIENCE)


def test_damage_that_does_not_go_away_is_a_failure(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A sink that stays damaged is not made anew for ever at full speed."""
    f = flusher(Scripted(lambda batch: StoreDamagedError("page 7")))
    f.queue.put(ended())
    assert not f.flush(PATIENCE, patient=False)
    assert len(caplog.records) == 1


def test_damage_that_comes_again_is_mended_again() -> None:
    """After a delivery the next damage is the first one once more."""
    told: list[Exception | None] = []
    damage = StoreDamagedError("page 7")
    fates = iter([damage, None, damage, None])

    def make(why: Exception | None) -> Scripted:
        told.append(why)
        return Scripted(lambda batch: next(fates))

    f = Flusher(Config(journal=NO_JOURNAL), make)
    for n in (1, 2):
        f.queue.put(ended())
        assert f.flush(PATIENCE) == (True, n, 0, 0, 0)
    assert told == [None, damage, damage]
    assert f.stop(PATIENCE)


def test_a_destination_that_takes_nothing_has_failed(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it raises nothing: it is waited for, and said."""
    f = flusher(Scripted(lambda batch: Delivery(retry=batch)))
    f.queue.put(ended())
    assert f.flush(PATIENCE, patient=False).pending == 1
    assert "the destination is busy" in caplog.text


def test_delivery_in_the_callers_thread_is_nobodys_session(
    flusher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no thread, a flush inside a session does not make the sink's calls part of
    it."""

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    inside: list[Any] = []
    f = flusher(Scripted(lambda batch: inside.append(honeytrace.current_session())))
    with capture() as sessions, honeytrace.session("outer") as outer:
        f.queue.put(ended())
        assert f.flush(PATIENCE)
        assert honeytrace.current_session() is outer
    assert (len(inside), any(inside)) == (1, False)
    assert sessions[0].children_ids == []


def test_flush_thread_is_nobodys_session(flusher: Make) -> None:
    """What the sink itself calls is not recorded: an exporter that is traced would never end."""
    inside: list[Any] = []

    @trace_session
    def traced() -> None:
        inside.append(honeytrace.current_session())

    f = flusher(Scripted(lambda batch: traced()))
    with capture() as sessions, honeytrace.session("outer"):
        f.queue.put(ended())
        assert f.flush(PATIENCE)
        assert not any(inside)
    assert [s.session_name for s in sessions] == ["outer"]


def test_finalisers_in_the_flush_thread_may_record_and_flush(flusher: Make) -> None:
    """Garbage that the sink makes may trace and flush when it is collected."""

    class Traced:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            if len(sink.batches) < 20:
                f.queue.put(ended())
                f.flush(1e6)
                f.stats()

    def answer(batch: list[Any]) -> None:
        Traced()
        gc.collect()

    sink = Scripted(answer)
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(20)
    assert f.flush(PATIENCE)
    assert balanced(f.stats())


def test_serve_goes_on_with_what_is_pending(flusher: Make) -> None:
    """Another destination gets what the first one did not take, in the same books."""
    dead, alive = Scripted(lambda batch: OSError("dead")), Scripted()
    f = flusher(dead)
    f.queue.put(ended())
    dead.wait_batches(1)
    f.serve(Config(queue_bytes=1_000), lambda damage: alive)
    f.queue.put(ended())
    assert f.flush(PATIENCE) == (True, 2, 0, 0, 0)
    assert len(alive.items) == 2
    assert dead.closed == 1
    assert f.queue.limit == 1_000


def test_after_the_exit_hook_items_deliver_themselves(flusher: Make) -> None:
    """What exit hooks record that run after ours is delivered before the call returns."""
    sink = Scripted()
    f = flusher(sink, flush_interval=1e6)
    f.queue.put(ended())
    f.finish(PATIENCE)
    for n in range(2, 5):
        f.queue.put(ended())
        assert len(sink.items) == n
    assert f._thread is None


def test_exit_says_what_it_loses_and_why(flusher: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A process that ends with records nobody takes says so in one line, with the reason."""
    f = flusher(Scripted(lambda batch: OSError("read-only disk")), flush_interval=1e6)
    f.queue.put(ended())
    f.finish(0.05)
    f.queue.put(ended())
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == (
        "honeytrace: 1 records were not delivered before the program ended: read-only disk;"
        " they are lost: there is no journal"
    )


def test_exit_does_not_repeat_what_was_said(
    flusher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason, which may be long, stands in the log once."""
    sink = Scripted(lambda batch: OSError("read-only disk"))
    f = flusher(sink)
    f.queue.put(ended())
    sink.wait_batches(2)
    f.finish(0.05)
    told, line = (record.getMessage() for record in caplog.records)
    assert "read-only disk" in told
    assert line.startswith("honeytrace: 1 records were not delivered before the program ended; ")


def test_exit_says_that_time_was_up(flusher: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A destination that hangs at exit is left behind, and the setting is named."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    f.finish(0.0)
    gate.open.set()
    assert "1 records were not delivered" in caplog.text
    assert "exit_timeout=0.0" in caplog.text


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


def test_level_between_rests_is_the_limit(flusher: Make) -> None:
    """While the thread works, no producer pays for waking it."""
    gate = Gate()
    f = flusher(gate)
    f.queue.put(ended())
    assert gate.entered.wait(PATIENCE)
    assert f.queue._level in (f.queue.limit, f.config.most_bytes)
    assert f.queue._level > ANY
    gate.open.set()
