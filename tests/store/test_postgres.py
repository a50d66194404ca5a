"""PostgreSQL: writers at once, followers, servers that hang, tenants, schemas."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from random import Random

import orjson
import pytest
from store_records import START, numbered, record

from engines import postgres_server
from honeytrace._record.record import Record, Update
from honeytrace.errors import ConfigurationError, StoreError
from honeytrace.store import Metric, Query, open_store
from honeytrace.store.errors import RecordRefusedError, StoreUnavailableError

psycopg = pytest.importorskip("psycopg")

_tenants = count()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as (url, _):
        yield url


@pytest.fixture
def tenant() -> str:
    return f"t{next(_tenants)}"


def test_every_field_comes_back(url: str, tenant: str) -> None:
    """NULs, their stand-ins, quotes, long names and long texts return as they were."""
    store = open_store(url, tenant=tenant)
    odd = "a\0b\uf8f0\uf8f01'\"\\%_{}é\U0001f525"
    records = [
        record(
            odd,
            event_name=odd * 2000,
            project="p" * 5000,
            error=odd,
            inputs=orjson.dumps({odd: "word " * 60_000}),
            outputs=orjson.dumps({"text": " ".join(map(str, range(20_000)))}),
            user_properties=orjson.dumps({"id": odd}),
            metrics=orjson.dumps({odd: 2, "big": 2**60}),
        ),
        record("bare", end_time=None, duration=None, inputs=None, outputs=None, metadata=None),
    ]
    store.insert(records)
    assert store.get_many([odd, "bare"]) == records
    for query in (
        Query(user=odd),
        Query(session_name=odd * 2000),
        Query(project="p" * 5000),
        Query(metric=Metric(odd, ">", 1)),
        Query(text="word 19999"),
        Query(text="b 19998"),
        Query(text="\U0001f525"),
    ):
        assert [found.event_id for found in store.list(query)] == [odd], query
        assert store.count(query) == 1
    assert odd * 2000 in store.values("session_name")
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        record("bad", end_time=2**70),
        record("bad", event_name="half \ud83d"),
        record("bad", inputs=b"no json"),
        record("x" * 100_000 + os.urandom(20_000).hex()),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused(url: str, tenant: str, wrong: Record) -> None:
    """Nothing of its batch is stored, and the error says that trying again is no use."""
    store = open_store(url, tenant=tenant)
    with pytest.raises(RecordRefusedError):
        store.insert([record("a"), wrong])
    assert store.size().sessions == 0
    store.insert([record("a")])
    with pytest.raises(RecordRefusedError):
        store.update([Update("a", {"metadata": b"[1"})])
    store.close()


def test_eight_writers_of_the_same_ids(url: str, tenant: str) -> None:
    """Writers insert, update and redeliver the same ids at once through store objects of their
    own; every session is there once, with every update, and a follower sees each once."""
    sessions, writers = 60, 8
    follower = open_store(url, tenant=tenant)
    arrived: list[str] = []
    done = threading.Event()

    def follow() -> None:
        place = 0
        while True:
            last_round = done.is_set()
            page = follower.arrived(place, 7)
            arrived.extend(each.event_id for each in page.records)
            place = page.last
            if last_round and not page.records:
                return

    def write(writer: int) -> None:
        random = Random(writer)
        store = open_store(url, tenant=tenant)
        work = [("update", n) for n in range(sessions)]
        work += [("insert", n) for n in range(sessions) for _ in range(2)]
        random.shuffle(work)
        while work:
            some = [work.pop() for _ in range(min(len(work), 9))]
            store.insert(
                [record(f"s{n:03}", start_time=START + n) for kind, n in some if kind == "insert"]
            )
            store.update(
                [
                    Update(f"s{n:03}", {"feedback": orjson.dumps({f"w{writer}": n})})
                    for kind, n in some
                    if kind == "update"
                ]
            )
        store.close()

    thread = threading.Thread(target=follow)
    thread.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    done.set()
    thread.join(60)
    everything = [f"s{n:03}" for n in range(sessions)]
    assert sorted(arrived) == everything
    found = follower.get_many(everything)
    for number, each in enumerate(found):
        assert orjson.loads(each.feedback or b"{}") == {f"w{w}": number for w in range(writers)}
    follower.close()


def test_a_follower_waits_for_a_transaction_under_way(url: str, tenant: str) -> None:
    """What commits first is not told before what began earlier: then nothing is missed."""
    store = open_store(url, tenant=tenant)
    store.insert([record("first")])
    place = store.arrived(0).last
    with psycopg.connect(url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        store.insert([record("second")])
        assert store.get("second") is not None
        assert store.arrived(place).records == []
        slow.rollback()
    assert [each.event_id for each in store.arrived(place).records] == ["second"]
    store.close()


def test_an_update_before_its_session_through_another_store(url: str, tenant: str) -> None:
    """It is kept, and applied when the session arrives; a redelivery changes nothing more."""
    first, second = open_store(url, tenant=tenant), open_store(url, tenant=tenant)
    first.update([Update("a", {"feedback": b'{"rating":5}'})])
    second.insert([record("a")])
    place = first.changed(0).last
    second.insert([record("a")])
    found = first.get("a")
    assert found is not None
    assert found.feedback == b'{"rating":5}'
    assert first.changed(place).records == []
    first.close()
    second.close()


def test_killed_before_its_acknowledgement(url: str, tenant: str) -> None:
    """A writer that dies after its batch was stored, and before anybody heard of it, is repeated
    without a trace."""
    code = (
        "import sys, os; sys.path[:0] = sys.argv[3:]\n"
        "from store_records import numbered\nfrom honeytrace.store import open_store\n"
        "open_store(sys.argv[1], tenant=sys.argv[2]).insert(numbered(50)); os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run([sys.executable, "-c", code, url, tenant, *sys.path], timeout=60)
    assert ran.returncode == -signal.SIGKILL
    store = open_store(url, tenant=tenant)
    store.insert(numbered(50))
    assert store.size().sessions == 50
    assert store.changed(0).records == []
    assert len(store.arrived(0, 100).records) == 50
    store.close()


def test_tenants_do_not_see_each_other(url: str, tenant: str) -> None:
    """The same id in two tenants is two sessions, whatever is asked or deleted."""
    one = open_store(url, tenant=tenant)
    other = one.for_tenant(f"{tenant}-other")
    for store, name in ((one, "mine"), (other, "yours")):
        metrics, user = b'{"score":1}', b'{"id":"u"}'
        given = record("a", event_name=name, metrics=metrics, user_properties=user)
        store.insert([given, record(f"only-{name}")])
        store.update([Update("a", {"feedback": orjson.dumps({name: 1})})])
    for store, name in ((one, "mine"), (other, "yours")):
        asked = (Query(), Query(user="u"), Query(metric=Metric("score", ">", 0)), Query(text="why"))
        for query in asked:
            assert {r.event_name for r in store.list(query) if r.event_id == "a"} == {name}
        assert f"only-{name}" in store.find_ids("only")
        assert len(store.find_ids("only")) == 1
        assert [r.event_name for r in store.changed(0).records] == [name]
        assert len(store.outline("a")) == 1
    assert one.delete(before=1e15) == 2
    assert other.size().sessions == 2
    with pytest.raises(ConfigurationError):
        one.for_tenant("a'b")
    other.close()
    assert one.get("a") is None  # closing a tenant's store closes no connection of the others
    one.close()


def test_deleting_takes_metrics_and_updates_along(url: str, tenant: str) -> None:
    """What was deleted is found by nothing, and more than a chunk is deleted."""
    store = open_store(url, tenant=tenant)
    store.insert([each._replace(metrics=b'{"score":1}') for each in numbered(1_200)])
    store.update([Update("unknown", {"feedback": b'{"x":1}'})])
    assert store.delete(before=START + 1_100_000) == 1_100
    assert store.count(Query(metric=Metric("score", "=", 1))) == 100
    assert store.delete(before=1e15) == 100
    with psycopg.connect(url) as conn:
        for table in ("metrics", "pending_updates"):
            sql = f"SELECT count(*) FROM {table} WHERE tenant = %s"
            assert conn.execute(sql, (tenant,)).fetchone() == (0,)
    store.close()


def test_a_metric_that_many_have(url: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the few that are looked up, the newest are walked; the answer is the same."""
    from honeytrace.store import _pg_reading

    store = open_store(url, tenant=tenant)
    store.insert([e._replace(metrics=b'{"n":%d}' % n) for n, e in enumerate(numbered(30))])
    query = Query(metric=Metric("n", ">=", 10), limit=5)
    few = store.list(query)
    monkeypatch.setattr(_pg_reading, "RARE", 3)
    assert store.list(query) == few
    assert len(few) == 5
    store.close()


def test_schemas_are_apart_and_a_newer_one_is_refused(url: str, tenant: str) -> None:
    """`?schema=` names a schema of its own; a newer version is left alone, and an absent one is not
    made by a reader."""
    there = f"{url}?schema=ht_{tenant}"
    with pytest.raises(StoreError, match="honeytrace store migrate"):
        open_store(there, readonly=True)
    store = open_store(there)
    store.insert([record("a")])
    store.close()
    reader = open_store(there, readonly=True)
    assert reader.size().sessions == 1
    reader.close()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"INSERT INTO ht_{tenant}.honeytrace_meta (version) VALUES (99)")
    with pytest.raises(StoreError, match="upgrade honeytrace"):
        open_store(there)


def test_many_nodes_migrate_at_once(url: str, tenant: str) -> None:
    """Nodes that start together make one schema."""
    there = f"{url}?schema=many_{tenant}"
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: open_store(there), range(6)))
    for store in stores:
        store.ready()
        store.close()


def test_a_server_that_hangs_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is stopped in mid-work costs a deadline, then every call fails at once; when it
    goes on, so does the store."""
    from honeytrace.store import _pg_pool

    with postgres_server() as (url, server):
        store = open_store(url)
        store.insert([record("a")])
        monkeypatch.setattr(_pg_pool, "_ANSWER", 0.3)
        monkeypatch.setattr(_pg_pool, "_CONNECT", 0.3)
        with psycopg.connect(url, autocommit=True) as conn:
            # the store's; the process of this connection ends soon, as one that vacuums may
            listed = """SELECT pid FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
            pids = [r[0] for r in conn.execute(listed).fetchall()]
        for pid in {server.pid, *pids}:
            os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(3):
                with pytest.raises(StoreUnavailableError, match="does not answer"):
                    store.insert([record("b")])
        finally:
            for pid in {server.pid, *pids}:
                os.kill(pid, signal.SIGCONT)
        monkeypatch.undo()
        _until(lambda: store.insert([record("b")]))
        assert store.size().sessions == 2
        store.close()


def test_a_server_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server the error names the address, without the password, and the store opens when
    the server is there."""
    monkeypatch.setenv("HONEYTRACE_STORE_PASSWORD", "hunter2")
    with pytest.raises(StoreUnavailableError) as refusal:
        open_store("postgresql://ada@127.0.0.1:9/x?connect_timeout=1")
    assert "ada@127.0.0.1:9/x" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_connections_of_its_own(url: str, tenant: str) -> None:
    """Parent and child go on writing after a fork, neither with the other's connection."""
    store = open_store(url, tenant=tenant)
    store.insert([record("before")])
    child = os.fork()
    if child == 0:
        try:
            store.insert([record("child")])
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    store.insert([record("parent")])
    assert set(store.find_ids("")) == {"before", "child", "parent"}
    store.close()


def _until(act: Callable[[], object]) -> None:
    """Repeat what the store refuses while its server comes back."""
    for _ in range(200):
        with suppress(StoreUnavailableError):
            act()
            return
        threading.Event().wait(0.1)
    raise AssertionError("the server did not come back")
