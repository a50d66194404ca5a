"""Lists of ClickHouse: pages of sessions that changed or were deleted, searches by the index."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from store_records import numbered, record

from honeytrace._record.record import Update
from honeytrace.store import Query, open_store
from honeytrace.store.memory import MemoryStore

pytest.importorskip("chdb", reason="no chdb: pip install chdb")
pytest.importorskip("clickhouse_connect")

from honeytrace.store import _ch_query
from honeytrace.store.clickhouse import ClickHouseStore


@pytest.fixture
def store() -> Iterator[ClickHouseStore]:
    # one engine a process: in memory, beside that of the conformance suite
    store = open_store("chdb:///", tenant="lists")
    assert isinstance(store, ClickHouseStore)
    yield store
    store.close()


def test_a_page_of_sessions_that_changed_takes_few_questions(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that newer ones supersede neither stand in a page, nor shorten it, nor cost a question
    each; a session that no longer matches is left out."""
    store.insert(numbered(20))
    ids = [each.event_id for each in numbered(20)]
    for n in range(4):
        store.update([Update(each, {"feedback": b'{"n":%d}' % n}) for each in ids])
    store.update([Update(ids[-1], {"source": b'"moved"'})])
    asked = []
    rows = store._client.rows
    monkeypatch.setattr(store._client, "rows", lambda *a, **k: asked.append(a) or rows(*a, **k))  # type: ignore[func-returns-value]
    source = numbered(1)[0].source
    newest = store.list(Query(limit=10, source=source))
    spans = 3
    assert len(asked) <= 3 * spans
    assert [each.event_id for each in newest] == ids[:-1][::-1][:10]
    assert {each.feedback for each in newest} == {b'{"n":3}'}
    assert [each.event_id for each in store.list(Query(source="moved"))] == ids[-1:]
    assert store.values("source") == sorted([source, "moved"])


def test_the_index_answers_for_words(store: ClickHouseStore) -> None:
    """A search for single words, whole or begun, reads no texts: they are most of the data. A
    phrase does, and so does a beginning that too many words have."""

    def sql(text: str, some: list[str]) -> str:
        return _ch_query.condition("", Query(text=text), lambda prefix, most: some).sql

    for text in ("red", "red green", "red green blu"):
        assert "position" not in sql(text, ["blue"])
    assert "position" in sql("red-green", ["green"])
    assert "position" in sql("gr", [f"gr{n}" for n in range(100)])


def test_a_deletion_does_not_wait_for_the_engine(store: ClickHouseStore) -> None:
    """It returns while no background work of the engine runs, the sessions are gone from every
    answer, and come again as new ones; the engine's next merge frees their space."""
    deleted = store.for_tenant("deleted")
    some = numbered(30)
    raw = f"SELECT count() FROM sessions WHERE tenant = '{deleted.tenant}'"
    store._client.command("SYSTEM STOP MERGES sessions")
    try:
        deleted.insert(some)
        deleted.update([Update("later", {"source": b'"x"'})])
        assert deleted.delete(before=1e15) == 30
        assert not deleted.list(Query())
        assert not deleted.find_ids("")
        assert not deleted.values("source")
        assert not deleted.waiting(["later"])
        assert deleted.arrived(0).records == []
        assert deleted.size().sessions == 0
        assert deleted.delete(before=1e15) == 0
        deleted.insert(some[:3])
        assert len(deleted.list(Query())) == 3
        deleted.delete(before=1e15)
    finally:
        store._client.command("SYSTEM START MERGES sessions")
    assert store._client.rows(raw)[0][0] > 0
    store._client.command("OPTIMIZE TABLE sessions FINAL CLEANUP")
    assert store._client.rows(raw)[0][0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_pages_over_months_are_those_of_memory(store: ClickHouseStore, seed: int) -> None:
    """However matches lie in time, dense, scattered, in the future or in one millisecond: each page
    has the newest, in order, and none is left out, also when sessions changed."""
    chance = random.Random(seed)
    now, day = time.time() * 1000, 86_400_000.0
    ages = [chance.choice([-1, 0, 0.3, 2, 5, 9, 40, 41, 300]) * day for _ in range(150)]
    starts = [now - age - chance.choice([0, chance.random() * 3 * day]) for age in ages]
    made = [
        record(f"s{n}", start_time=start, error=chance.choice([None, "E"]), source="abc"[n % 3])
        for n, start in enumerate(starts)
    ]
    changes = [Update(f"s{n}", {"error": b'"E"', "source": b'"a"'}) for n in range(0, 150, 5)]
    memory = MemoryStore()
    store = store.for_tenant(f"months-{seed}")
    for each in (store, memory):
        each.insert(made)
        each.update(changes)
    for _ in range(4):
        query = Query(
            error=chance.choice([None, True, False]),
            source=chance.choice([None, "a", "c"]),
            since=chance.choice([None, now - 7 * day, now - 60 * day]),
            until=chance.choice([None, now - day]),
            limit=chance.choice([13, 40, 100]),
        )
        while page := list(memory.list(query)):
            assert list(store.list(query)) == page
            query = query._replace(before=(page[-1].start_time, page[-1].event_id))
        assert list(store.list(query)) == []
