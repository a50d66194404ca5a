"""Sinks that fail, refuse, hang or answer nonsense: a batch stays until its fate is told."""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest
from flushers import Make

from destinations import PATIENCE, Gate, Scripted
from honeytrace._config import NO_JOURNAL, Config
from honeytrace._delivery import backoff as _outage
from honeytrace._delivery import deliverer as _deliverer
from honeytrace._delivery import flusher as _flush
from honeytrace._delivery import ledger as _ledger
from honeytrace._delivery.flusher import Flusher
from honeytrace.sinks import Delivery
from honeytrace.store.errors import StoreDamagedError
from samples import ended

pytestmark = pytest.mark.usefixtures("at_once")


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
