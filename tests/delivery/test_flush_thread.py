"""The life of the flush thread: its start, forks, programs without threads, and its end."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from flushers import Make, balanced

import honeytrace
from destinations import PATIENCE, Gate, Scripted
from honeytrace import trace_session
from honeytrace._capture.context import OwnThread
from honeytrace._config import Config
from honeytrace._delivery.stats import FlushResult
from honeytrace.testing import capture
from samples import ended

pytestmark = pytest.mark.usefixtures("at_once")


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
    assert f"exit_timeout={f.config.exit_timeout}" in caplog.text
