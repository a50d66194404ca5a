"""ClickHouse, through the engine inside this process: merges that cross, followers, odd values."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import orjson
import pytest
from store_records import START, numbered, record

from honeytrace._record.record import Update
from honeytrace.errors import ConfigurationError, StoreError
from honeytrace.store import Metric, Query, open_store
from honeytrace.store.errors import RecordRefusedError, StoreUnavailableError

pytest.importorskip("chdb", reason="no chdb: pip install chdb")
pytest.importorskip("clickhouse_connect")

from honeytrace.store import _ch_reading, _ch_rows, _ch_schema, _ch_writing
from honeytrace.store.clickhouse import ClickHouseStore

_tenants = count()


@pytest.fixture(scope="module")
def engine() -> Iterator[ClickHouseStore]:
    # one engine a process: in memory, beside that of the conformance suite
    store = open_store("chdb:///")
    assert isinstance(store, ClickHouseStore)
    yield store
    store.close()


@pytest.fixture
def store(engine: ClickHouseStore) -> ClickHouseStore:
    return engine.for_tenant(f"t{next(_tenants)}")


def test_every_field_comes_back(store: ClickHouseStore) -> None:
    """NULs, quotes, long names and long texts return as they were and are found."""
    odd = "a\0b'\"\\%_{}\té\n\U0001f525"
    given = [
        record(
            odd,
            event_name=odd * 500,
            error=odd,
            inputs=orjson.dumps({odd: "word " * 10_000}),
            user_properties=orjson.dumps({"id": odd}),
            metrics=orjson.dumps({odd: 2, "big": 2**60}),
        ),
        record("bare", end_time=None, duration=None, inputs=None, outputs=None, metadata=None),
    ]
    store.insert(given)
    assert store.get_many([odd, "bare"]) == given
    for query in (
        Query(user=odd),
        Query(session_name=odd * 500),
        Query(metric=Metric(odd, ">", 1)),
        Query(text="wor"),
        Query(text="\U0001f525"),
    ):
        assert [found.event_id for found in store.list(query)] == [odd], query
        assert store.count(query) == 1


def test_values_that_cannot_be_stored_are_refused(store: ClickHouseStore) -> None:
    """A number over 64 bits and half a surrogate pair are refused, with nothing stored."""
    for wrong in (record("b", end_time=2**70), record("b", event_name="half \ud83d")):
        with pytest.raises(RecordRefusedError):
            store.insert([record("a"), wrong])
    assert store.size().sessions == 0


def test_a_redelivery_changes_nothing(store: ClickHouseStore) -> None:
    """The same batch again, from two threads, leaves each session once and unchanged."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(store.insert, [numbered(50)] * 4))
    assert store.size().sessions == 50
    assert store.changed(0).records == []
    assert len(store.get_many([each.event_id for each in numbered(50)])) == 50


def test_updates_of_two_nodes_that_cross(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes read the same row, each adds to it, and both additions stay."""
    store.insert([record("a")])
    barrier = threading.Barrier(2, timeout=60)
    read = _ch_reading.known
    first = threading.local()

    def meet(*arguments: object) -> object:
        found = read(*arguments)  # type: ignore[arg-type]
        # the store's own thread, which looks again later, reads as well
        mine = threading.current_thread().name.startswith("crossing")
        if mine and not getattr(first, "met", False):
            first.met = True
            barrier.wait()  # both have read before either writes
        return found

    monkeypatch.setattr(_ch_writing, "known", meet)
    nodes = [ClickHouseStore("chdb:///", tenant=store.tenant) for _ in range(2)]
    with ThreadPoolExecutor(2, "crossing") as pool:
        done = [
            pool.submit(node.update, [Update("a", {"feedback": orjson.dumps({f"n{n}": n})})])
            for n, node in enumerate(nodes)
        ]
        for each in done:
            each.result(60)
    for node in nodes:
        # a merge of the engine may hide the loser until its writer looks again, as closing does
        node.close()
    assert orjson.loads(store.get_many(["a"])[0].feedback or b"{}") == {"n0": 0, "n1": 1}


def test_a_session_that_is_deleted_and_comes_again(store: ClickHouseStore) -> None:
    """A verification of the deleted session adds nothing to the new one."""
    store.insert([record("a"), record("b")])
    store.update([Update(each, {"feedback": b'{"rating":5}'}) for each in "ab"])
    assert store.delete(before=1e15) == 2
    store.insert([record("a")])
    store._writer.settle()
    assert store.list(Query()) == [record("a")]


def test_a_merged_row_that_is_lost_is_written_again(store: ClickHouseStore) -> None:
    """If another node's row has won that lacks an update, the later verification adds it."""
    store.insert([record("a")])
    store.update([Update("a", {"feedback": b'{"rating":5}'})])
    row = _ch_rows.row_of(
        store.tenant, record("a", source="late"), place=1, changed=2**62, version=2**62
    )
    store._client.insert("sessions", [row], _ch_rows.COLUMNS)
    store._writer.settle()
    assert store.get("a") == record("a", source="late", feedback=b'{"rating":5}')


def test_an_update_that_comes_while_another_is_applied(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the updates that were read are marked as applied; one that was kept since then is
    applied, too."""
    store.update([Update("a", {"feedback": b'{"first":1}'})])
    node = ClickHouseStore("chdb:///", tenant=store.tenant)
    write = node._client.insert

    def late(table: str, rows: object, columns: object) -> None:
        if table == "sessions":
            # as on a node that does not see the session yet
            number = store._client.places(1)
            fields = '{"feedback":"{\\"second\\":2}"}'
            store._client.insert(
                "pending", [(store.tenant, "a", number, fields, 0)], _ch_writing._PENDING
            )
        write(table, rows, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(node._client, "insert", late)
    node.insert([record("a")])
    node.close()
    store.insert([record("a")])
    found = store.get("a")
    assert found is not None
    assert orjson.loads(found.feedback or b"{}") == {"first": 1, "second": 2}


def test_an_update_that_crosses_its_session(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that arrives just after an update did not find it has the update all the same."""
    insert = store._client.insert
    arrived = False

    def late(table: str, rows: object, columns: object) -> None:
        nonlocal arrived
        insert(table, rows, columns)  # type: ignore[arg-type]
        if table == "pending" and not arrived:
            arrived = True
            # as another node, which looked for waiting updates before this one was kept
            node = ClickHouseStore("chdb:///", tenant=store.tenant)
            monkeypatch.setattr(node._writer, "_pending", lambda *_: {})
            node.insert([record("a")])
            node.close()

    monkeypatch.setattr(store._client, "insert", late)
    store.update([Update("a", {"feedback": b'{"rating":5}'})])
    found = store.get("a")
    assert found is not None
    assert found.feedback == b'{"rating":5}'
    store.insert([record("a")])
    assert store.get("a") == found


def test_a_session_whose_start_moves(store: ClickHouseStore) -> None:
    """It is at its new place alone, whatever is asked."""
    store.insert([record("a", start_time=START), record("b", start_time=START + 5)])
    store.update([Update("a", {"start_time": orjson.dumps(START + 10)})])
    assert [each.event_id for each in store.list(Query())] == ["a", "b"]
    assert store.count(Query(until=START + 5)) == 0
    assert store.list(Query(until=START + 5)) == []
    assert [each.event_id for each in store.arrived(0).records] == ["a", "b"]


def test_followers_stay_behind(store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lag, what was just written is told later, and once."""
    store.insert([record("a")])
    monkeypatch.setattr(store._client, "lag", 3600.0)
    assert store.arrived(0).records == []
    monkeypatch.setattr(store._client, "lag", 0.0)
    page = store.arrived(0)
    assert [each.event_id for each in page.records] == ["a"]
    assert store.arrived(page.last).records == []
    assert store.arrived(page.last + 10**15).last <= store._client.present()


def test_places_increase_when_the_clock_goes_back(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is set five seconds back makes no follower miss a session."""
    store.insert([record("a")])
    places = store.arrived(0).last, store.arrived(None).last
    changed = store.changed(None).last
    real = time.time_ns()
    monkeypatch.setattr("honeytrace.store._ch_client.time.time_ns", lambda: real - 5 * 10**9)
    store.insert([record("b")])
    store.update([Update("a", {"feedback": b"{}"})])
    for place in places:
        assert [each.event_id for each in store.arrived(place).records] == ["b"]
    assert [each.event_id for each in store.changed(changed).records] == ["a"]
    assert store.arrived(places[1] + 10**6).last >= places[1]


def test_rows_become_visible_in_the_order_of_their_places(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower without a lag misses no change, although one of two concurrent writers is held up
    between taking its place and writing its row."""
    store.insert([record("a"), record("b")])
    place = store.changed(None).last
    other = threading.Thread(target=store.update, args=([Update("b", {"feedback": b'{"n":2}'})],))
    seen: list[str] = []
    real = store._client.insert

    def follow() -> None:
        nonlocal place
        page = store.changed(place)
        place = page.last
        seen.extend(each.event_id for each in page.records)

    def held_up(table: str, rows: Any, columns: Any) -> None:
        if not other.ident and table == "sessions":
            other.start()
            # It writes now, unless it has to wait for this thread.
            other.join(0.2)
            follow()
        real(table, rows, columns)

    monkeypatch.setattr(store._client, "insert", held_up)
    # The writers of updates are queued as it is, but not beside those of sessions.
    store.insert([record("a", feedback=b'{"n":1}', end_time=START + 9)])
    other.join()
    follow()
    assert sorted(seen) == ["a", "b"]


def test_tenants_do_not_see_each_other(store: ClickHouseStore) -> None:
    """The same id in two tenants is two sessions, and deleting one leaves the other."""
    other = store.for_tenant(f"{store.tenant}-other")
    store.insert([record("a", event_name="mine")])
    other.insert([record("a", event_name="yours")])
    assert [each.event_name for each in store.list(Query(text="mine"))] == ["mine"]
    assert store.list(Query(text="yours")) == []
    assert store.values("session_name") == ["mine"]
    assert store.delete(before=1e15) == 1
    assert other.size().sessions == 1


def test_a_beginning_of_many_words(store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more words begin so than the index is asked for, the texts are read."""
    from honeytrace.store import _ch_query

    texts = [orjson.dumps({"text": f"wor{chr(97 + n)} x"}) for n in range(9)]
    store.insert([e._replace(inputs=texts[n]) for n, e in enumerate(numbered(9))])
    few = store.list(Query(text="wor"))
    monkeypatch.setattr(_ch_query, "_MOST_BEGINNINGS", 3)
    assert store.list(Query(text="wor")) == few
    assert len(few) == 9


def test_starts_of_any_age(store: ClickHouseStore) -> None:
    """Clocks of clients may be anywhere; what they send is stored and listed in order."""
    starts = [0.0, -5.0, START, 4e15, 1e18]
    starts += [START - week * 7 * 86_400_000 for week in range(1, 150)]
    store.insert([record(f"s{n:03}", start_time=at) for n, at in enumerate(starts)])
    assert [r.start_time for r in store.list(Query(limit=500))] == sorted(starts, reverse=True)


def test_the_layout_of_a_cluster() -> None:
    """On a cluster the tables are replicated, and one over all shards keeps a tree together."""
    layout = _ch_schema.Layout("team", 30)
    statements = "\n".join(statement for step in _ch_schema.STEPS for statement in step(layout))
    for sign in (
        "sessions_local ON CLUSTER 'team'",
        "ReplicatedReplacingMergeTree(version, deleted)",
        "Distributed('team', currentDatabase(), 'sessions_local', cityHash64(tenant, root_id))",
        "INTERVAL 30 DAY DELETE",
    ):
        assert sign in statements
    with pytest.raises(ConfigurationError, match="not a valid name of a cluster"):
        _ch_schema.Layout("a'b")


def test_urls_of_clickhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away is one error without a password; a wrong option names itself."""
    monkeypatch.setenv("HONEYTRACE_STORE_PASSWORD", "hunter2")
    with pytest.raises(StoreUnavailableError) as refusal:
        open_store("clickhouse://ada:hunter2@127.0.0.1:9/x")
    assert "ada@127.0.0.1:9/x" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    with pytest.raises(ConfigurationError, match="keep_days"):
        open_store("clickhouse://ada@127.0.0.1:9/x?keep_days=soon")


def test_a_closed_store_says_so() -> None:
    """A store that was closed raises, and its tenants do too."""
    store = open_store("chdb:///")
    tenant = store.for_tenant("x")
    tenant.close()
    store.get("a")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        tenant.get("a")
