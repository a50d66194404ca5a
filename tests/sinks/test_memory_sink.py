"""The memory sink: everything delivered is there, and can be waited for."""

from __future__ import annotations

import threading

import pytest

from honeytrace._record.record import Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace.sinks.memory import MemorySink


def record(event_id: str) -> Record:
    return from_start_session({"session_id": event_id, "session_name": "answer"}, str)


def test_items_are_kept_as_they_came() -> None:
    """Records, redeliveries and updates are all there, in order; the sessions are merged by id."""
    sink = MemorySink()
    update = Update("a", {"feedback": b'{"rating":5}'})
    batch = [update, record("a"), record("b"), record("a")]
    assert sink.deliver(batch, timeout=1).refused == []
    assert sink.items == batch
    assert sink.wait(2, timeout=0) == [record("a")._replace(feedback=b'{"rating":5}'), record("b")]
    sink.close()
    assert sink.store.get("b") == record("b")


def test_waiting_for_sessions_to_come() -> None:
    """`wait` returns as soon as another thread has delivered enough, counting each id once."""
    sink = MemorySink()
    sink.deliver([record("a"), record("a")], timeout=1)
    arrived: list[list[Record]] = []
    waiter = threading.Thread(target=lambda: arrived.append(sink.wait(3, timeout=30)))
    waiter.start()
    sink.deliver([record("b")], timeout=1)
    sink.deliver([record("c")], timeout=1)
    waiter.join()
    assert [r.event_id for r in arrived[0]] == ["a", "b", "c"]


def test_waiting_in_vain() -> None:
    """Too few sessions within the time is an error that says how many there were."""
    sink = MemorySink()
    sink.deliver([record("a")], timeout=1)
    with pytest.raises(TimeoutError, match="1 of 2 sessions"):
        sink.wait(2, timeout=0)
