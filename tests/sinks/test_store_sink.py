"""The store sink: everything storable is stored, in order, and the rest has a name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from honeytrace._record.record import Item, Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace.errors import StoreError
from honeytrace.sinks import Delivery
from honeytrace.sinks.store import StoreSink
from honeytrace.store.sqlite import SQLiteStore


def record(event_id: str) -> Record:
    return from_start_session({"session_id": event_id, "session_name": "answer"}, str)


def bad(event_id: str) -> Record:
    return record(event_id)._replace(event_name="\ud800")


def rating(event_id: str, value: int) -> Update:
    return Update(event_id, {"feedback": orjson.dumps({"rating": value})})


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[StoreSink]:
    sink = StoreSink(SQLiteStore(tmp_path / "x.db", busy_timeout=0.01))
    yield sink
    sink.close()


def ratings(sink: StoreSink, *event_ids: str) -> list[int | None]:
    records = sink.store.get_many(event_ids)
    return [orjson.loads(r.feedback)["rating"] if r.feedback else None for r in records]


def test_records_and_updates_of_one_batch(sink: StoreSink) -> None:
    """A batch in which records and updates alternate is stored whole."""
    batch: list[Item] = []
    for number in range(10):
        batch += [record(f"s{number}"), rating(f"s{number}", number)]
    assert sink.deliver(batch, timeout=1) == Delivery(refused=[])
    assert ratings(sink, *(f"s{number}" for number in range(10))) == list(range(10))


def test_an_update_is_not_overtaken(sink: StoreSink) -> None:
    """What stands in the store is what came last, be it an update or a continued session."""
    again = record("a")._replace(start_time=2.0, feedback=b'{"rating":3}')
    sink.deliver([record("a"), rating("a", 1), rating("a", 2), again], timeout=1)
    assert ratings(sink, "a") == [3]
    sink.deliver([again, rating("a", 4), record("b")], timeout=1)
    assert ratings(sink, "a", "b") == [4, None]


def test_an_update_may_come_first(sink: StoreSink) -> None:
    """An update delivered before its session is applied when that arrives."""
    sink.deliver([rating("a", 5)], timeout=1)
    sink.deliver([record("a")], timeout=1)
    assert ratings(sink, "a") == [5]


@pytest.mark.parametrize("places", [(0,), (6,), (0, 3, 4), range(7)])
def test_what_is_refused_costs_nobody_else(sink: StoreSink, places: tuple[int, ...]) -> None:
    """Records the store cannot take are refused alone, each with its reason."""
    batch = [bad(f"s{n}") if n in places else record(f"s{n}") for n in range(7)]
    delivery = sink.deliver(batch, timeout=1)
    assert [item for item, _ in delivery.refused] == [batch[place] for place in places]
    assert all("surrogates not allowed" in reason for _, reason in delivery.refused)
    assert delivery.retry == ()
    good = [item for n, item in enumerate(batch) if n not in places]
    assert sink.store.get_many([item.event_id for item in batch]) == good


def test_an_update_can_be_refused(sink: StoreSink) -> None:
    """An update that cannot be applied is refused, those around it are applied."""
    wrong = Update("a", {"status": b"no json"})
    delivery = sink.deliver([record("a"), rating("a", 1), wrong, record("b")], timeout=1)
    assert [item for item, _ in delivery.refused] == [wrong]
    assert ratings(sink, "a", "b") == [1, None]


def test_a_busy_store_is_a_retry(sink: StoreSink, tmp_path: Path) -> None:
    """While another process holds the store the batch comes back, in order and complete."""
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    batch = [record("a"), rating("a", 1), record("b"), bad("c")]
    delivery = sink.deliver(batch, timeout=1)
    holder.execute("ROLLBACK")
    holder.close()
    assert {item.event_id for item in delivery.retry} == {"a", "b", "c"}
    assert delivery.refused == []
    delivery = sink.deliver(delivery.retry, timeout=1)
    assert delivery.retry == ()
    assert ratings(sink, "a", "b") == [1, None]


def test_a_store_that_grows_busy_gives_back_only_the_rest(
    sink: StoreSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored or refused before the store grew busy is not asked for again."""
    store = sink.store
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    update = store.update

    def hold(updates: list[Update]) -> None:
        if not holder.in_transaction:
            holder.execute("BEGIN IMMEDIATE")
        update(updates)

    monkeypatch.setattr(store, "update", hold)
    batch = [record("a"), bad("b"), rating("a", 1), record("a"), rating("a", 2)]
    delivery = sink.deliver(batch, timeout=1)
    holder.close()
    assert delivery.retry == batch[2:]
    assert [item for item, _ in delivery.refused] == [batch[1]]
    assert ratings(sink, "a") == [None]


def test_trouble_of_the_whole_store_is_raised(sink: StoreSink) -> None:
    """A full disk is no record's fault: the error leaves, and the batch can be delivered later."""
    assert isinstance(sink.store, SQLiteStore)
    conn = sink.store._writer.get()
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}")
    batch = [record(f"s{n}")._replace(inputs=b'{"x":"%s"}' % (b"x" * 5000)) for n in range(20)]
    with pytest.raises(StoreError, match="disk is full"):
        sink.deliver(batch, timeout=1)
    conn.execute("PRAGMA max_page_count = 100000")
    sink.deliver(batch, timeout=1)
    assert sink.store.size().sessions == 20


def test_an_empty_batch_is_nothing(sink: StoreSink) -> None:
    """No items, no transaction, nothing said."""
    assert sink.deliver([], timeout=1) == Delivery(refused=[])


def test_closing_closes_the_store(sink: StoreSink) -> None:
    """The sink owns its store."""
    sink.close()
    with pytest.raises(StoreError, match="closed"):
        sink.store.get("a")
