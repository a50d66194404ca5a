"""ClickHouse over HTTP: several nodes on one server, and a server that hangs and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import orjson
import pytest
from store_records import START, record

from clickhouse_server import clickhouse_server
from honeytrace._record.record import Update
from honeytrace.store import Query, open_store
from honeytrace.store.errors import StoreUnavailableError
from loopback_proxy import proxied

_tenants = count()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with clickhouse_server() as (url, _):
        yield f"{url}?lag=0"


@pytest.fixture
def url(server: str) -> str:
    return f"{server}&tenant=t{next(_tenants)}"


def test_nodes_that_start_together_make_one_schema() -> None:
    """Any number of them may migrate at once."""
    with clickhouse_server() as (url, _), ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(url), range(4)))
        for store in stores:
            store.ready()
            store.close()


def test_nodes_that_write_the_same_sessions(url: str) -> None:
    """Each session is there once and with every update, after inserts, updates and redeliveries
    through stores with connections of their own; a follower sees each once."""
    sessions, nodes = 12, 4

    def write(node: int) -> None:
        # Closing verifies what was written, as each node does within seconds.
        with closing(open_store(url)) as store:
            for n in range(sessions):
                store.update([Update(f"s{n:02}", {"feedback": orjson.dumps({f"n{node}": n})})])
                store.insert([record(f"s{n:02}", start_time=START + n)] * 2)

    with ThreadPoolExecutor(nodes) as pool:
        list(pool.map(write, range(nodes)))
    with closing(open_store(url)) as store:
        found = sorted(store.list(Query()), key=lambda each: each.event_id)
        assert [each.event_id for each in found] == [f"s{n:02}" for n in range(sessions)]
        for n, each in enumerate(found):
            assert orjson.loads(each.feedback or b"{}") == {f"n{i}": n for i in range(nodes)}
        assert store.size().sessions == sessions
        arrived = [each.event_id for each in store.arrived(0, 1_000).records]
        assert sorted(arrived) == [each.event_id for each in found]


def test_a_server_that_hangs_and_refuses(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every call ends at a deadline, and succeeds when the server is back; nothing is there twice,
    and the driver logs nothing."""
    from honeytrace.store import _ch_client

    port = url.partition("@127.0.0.1:")[2].partition("/")[0]
    monkeypatch.setattr(_ch_client, "_ANSWER", 1)
    monkeypatch.setattr(_ch_client, "_AWAY", 0.0)
    with (
        proxied(int(port)) as proxy,
        closing(open_store(url.replace(port, str(proxy.port)))) as store,
    ):
        store.insert([record("before")])
        for away in (proxy.hang, proxy.refuse):
            away()
            for _ in range(2):
                with pytest.raises(StoreUnavailableError, match="does not answer"):
                    store.insert([record("meanwhile")])
        proxy.resume()
        store.insert([record("meanwhile")])
        assert {each.event_id for each in store.list(Query())} == {"before", "meanwhile"}
        assert store.size().sessions == 2
    assert not [each for each in caplog.records if each.name.startswith("clickhouse_connect")]
