"""A second destination: it gets what the first one took, and never holds it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace._delivery.also import Also
from honeytrace._record.record import Item, Record, Update, size_of
from honeytrace.errors import ConfigurationError
from honeytrace.sinks import Delivery
from honeytrace.sinks.memory import MemorySink


class Door:
    """A sink that fails until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.tried = threading.Event()
        self.inside = MemorySink()

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        self.tried.set()
        if not self.open.is_set():
            raise ConnectionError("nobody is there")
        return self.inside.deliver(batch, timeout=timeout)

    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """The first destination; afterwards nothing is configured."""
    yield tmp_path / "sessions.db"
    honeytrace.configure(store=None, also=None, journal=None)


def record(*names: str) -> None:
    """Record a session per name."""
    for name in names:
        with honeytrace.session(name):
            pass


def test_both_destinations_get_everything(store: Path) -> None:
    """`flush` is true when the second destination has everything, too; updates included."""
    second = MemorySink()
    honeytrace.configure(store=store, also=[second], journal=":none:")
    record("a", "b")
    with honeytrace.session("c") as late:
        pass
    honeytrace.update_session(late.session_id, feedback={"rating": 5})
    assert honeytrace.flush(20)
    assert {each.session_name for each in honeytrace.list_sessions()} == {"a", "b", "c"}
    assert {each.event_name for each in second.wait(3, timeout=20)} == {"a", "b", "c"}
    assert any(isinstance(each, Update) for each in second.items)


def test_a_second_destination_that_is_away_costs_the_first_nothing(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The store has everything at once; what waits arrives when the second one is back."""
    door = Door()
    honeytrace.configure(store=store, also=[door], journal=":none:")
    record("a")
    assert not honeytrace.flush(20)
    assert door.tried.wait(20)
    assert [each.session_name for each in honeytrace.list_sessions()] == ["a"]
    record("b")
    assert not honeytrace.flush(20)
    door.open.set()
    assert {each.event_name for each in door.inside.wait(2, timeout=30)} == {"a", "b"}
    told = [r for r in caplog.records if "second destination" in r.getMessage()]
    assert len(told) == 1
    assert "nobody is there" in told[0].getMessage()


def test_what_waits_is_bounded_and_counted() -> None:
    """While the sink is away the oldest go, and the books say how many."""
    door = Door()
    item = Update("x" * 1_000, {})
    also = Also(door, limit=10 * size_of(item))
    also.put([item])
    assert door.tried.wait(20)
    also.put([item] * 30)
    assert also.dropped >= 20
    door.open.set()
    deadline = time.monotonic() + 30
    while not also.wait(1):
        assert time.monotonic() < deadline
    assert len(door.inside.items) == 31 - also.dropped


def test_what_the_second_one_refuses_is_counted(store: Path) -> None:
    """A refusal there is no refusal here."""

    class Picky(MemorySink):
        def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
            return Delivery(refused=[(item, "no") for item in batch])

    honeytrace.configure(store=store, also=[Picky()], journal=":none:")
    record("a")
    assert honeytrace.flush(20)
    books = honeytrace.stats()
    assert (books.also_lost, books.refused) == (1, {})


def test_sinks_that_are_none_are_refused() -> None:
    """A mistake is found when it is configured."""
    wrong: Any
    for wrong in ("x", [1], MemorySink()):
        with pytest.raises(ConfigurationError, match="also="):
            honeytrace.configure(also=wrong)


def test_the_first_destinations_order_is_kept() -> None:
    """Records reach the second destination in the order in which the first one took them."""
    sink = MemorySink()
    also = Also(sink)
    items = [Update(f"id-{number}", {}) for number in range(2_000)]
    for start in range(0, len(items), 50):
        also.put(items[start : start + 50])
    assert also.wait(30)
    assert sink.items == items
    assert Record not in map(type, sink.items)
