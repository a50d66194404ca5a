"""Every engine gives the answers of the store in memory, whatever comes in and is asked."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
import test_trends
from conformance import answers, batches, deliver, queries, views
from hypothesis import HealthCheck, Phase, given, settings
from store_records import START, record

from clickhouse_server import clickhouse_server
from engines import ENGINES, opened, postgres_server
from honeytrace._record.record import Item, Update
from honeytrace.lookup.replays import ReplayRow, stored_rows
from honeytrace.sinks.store import StoreSink
from honeytrace.store import Metric, Query, Store, open_store
from honeytrace.store.errors import RecordRefusedError
from honeytrace.store.memory import MemoryStore
from honeytrace.store.trends import By, TrendStore

EXAMPLES = {"sqlite": 40, "postgres": 40, "chdb": 12, "clickhouse": 4}
"""Examples per engine, fewer where one takes a second; HONEYTRACE_EXAMPLES=500 before a release."""

_tenants = itertools.count()


@pytest.fixture(scope="module", params=[*ENGINES, "clickhouse"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store of each engine; each example is a tenant of it."""
    directory: Path = tmp_path_factory.mktemp("engine")
    if request.param == "postgres":
        with postgres_server() as (url, _):
            store = opened("postgres", directory, url)
            yield store
            store.close()
        return
    if request.param == "clickhouse":
        with clickhouse_server() as (url, _), closing(open_store(f"{url}?lag=0")) as store:
            yield store
        return
    store = opened(request.param, directory, "chdb:///")
    yield store
    store.close()


def examples(request: pytest.FixtureRequest, part: int = 1) -> settings:
    """The settings of a property over an engine; `part`: its share of the usual number."""
    name = request.node.callspec.params["engine"]
    wanted = os.environ.get("HONEYTRACE_EXAMPLES")
    return settings(
        derandomize=wanted is None,
        deadline=None,
        max_examples=max(1, int(wanted or EXAMPLES[name]) // part),
        # Shrinking would take minutes in an engine.
        phases=[Phase.explicit, Phase.generate, *[Phase.shrink] * (name == "sqlite")],
        suppress_health_check=list(HealthCheck),
    )


def test_an_engine_agrees_with_memory(engine: Store, request: pytest.FixtureRequest) -> None:
    """Batches, redeliveries, merges, updates before and after: every answer is the same."""

    @examples(request)
    @given(batches, queries)
    def agrees(batches: list[list[Item]], query: Query) -> None:
        with tenant_of(engine) as tenant:
            assert answers(tenant, batches, query) == answers(MemoryStore(), batches, query)

    agrees()


def test_tenants_do_not_see_each_other(engine: Store, request: pytest.FixtureRequest) -> None:
    """A tenant's answers are those of a store of its own, whatever another tenant stores, updates
    and deletes under the same ids, and the other way round."""

    @examples(request, 4)
    @given(batches, batches, queries)
    def agrees(mine: list[list[Item]], theirs: list[list[Item]], query: Query) -> None:
        with tenant_of(engine) as tenant, tenant_of(engine) as other:
            alone = MemoryStore()
            sink = StoreSink(other)
            for batch in theirs:
                deliver(sink, batch)
                deliver(StoreSink(alone), batch)
            # among the calls are a deletion, updates that wait, and followers from the start
            assert answers(tenant, mine, query) == answers(MemoryStore(), mine, query)
            assert views(other, query) == views(alone, query)
            assert answers(other, mine, query) == answers(alone, mine, query)

    agrees()


def test_trends_are_those_of_the_sessions(engine: Store, request: pytest.FixtureRequest) -> None:
    """Over time, by name and by user, with tokens and the slowest session of each group."""

    @examples(request, 4)
    @given(made=test_trends.sessions, done=test_trends.steps, query=test_trends.queries)
    def agrees(made: list[Any], done: list[str], query: dict[str, Any]) -> None:
        memory = MemoryStore()
        with tenant_of(engine) as tenant:
            assert isinstance(tenant, TrendStore)
            test_trends.fill((tenant, memory), made, done, lambda: None)
            for by, steps in product(get_args(By), (60, 0)):
                mine = tenant.trends(Query(**query), by, steps)
                theirs = memory.trends(Query(**query), by, steps)
                if mine is None:  # sums by the hour do not know every condition
                    assert query["session_name"] is not None
                    continue
                assert test_trends.told(mine) == test_trends.told(theirs)
                for name, sums in mine.groups.items():
                    slowest = tenant.get(str(sums.slowest_id)) if sums.slowest_id else None
                    assert (slowest and slowest.duration) == sums.slowest, name

    agrees()


def test_calls_that_a_replay_answered_spent_nothing(engine: Store) -> None:
    """The sums of a period have the calls that ran, not those answered from a recording."""
    answered = {"metadata": {"honeytrace": {"answered_from": "s000"}}}
    real = test_trends.spent(10)
    with tenant_of(engine) as tenant:
        assert isinstance(tenant, TrendStore)
        tenant.insert(
            [test_trends.session(0, 0, **real), test_trends.session(1, 0, **real, **answered)]
        )
        found = tenant.trends(Query(), "name", 60)
        assert found is not None
        sums = found.groups["answer"]
        (tokens,) = sums.tokens.values()
        assert (sums.calls, tokens.calls, tokens.total) == (2, 1, 11)


def test_a_set_of_replays_comes_back(engine: Store) -> None:
    """Its rows are found by the set's session alone, in order, and of a large one the newest."""
    rows = [ReplayRow("answer", f"b{n}", "refused", f"reason {n}") for n in range(3)]
    with tenant_of(engine) as tenant:
        for n, row in enumerate(rows):
            own = {"parent_id": "set", "root_id": "set", "replay": row.to_dict()}
            metadata = {"metadata": {"honeytrace": own}}
            tenant.insert([test_trends.session(n, n, session_name="replay", **metadata)])
        inside = {"metadata": {"honeytrace": {"parent_id": "set", "root_id": "set"}}}
        tenant.insert([test_trends.session(7, 7, **inside)])
        assert [row.reason for row in stored_rows(tenant, "set", 9)] == [r.reason for r in rows]
        assert [row.before_id for row in stored_rows(tenant, "set", 1)] == ["b1", "b2"]


def test_whole_numbers_beside_fractions(engine: Store) -> None:
    """A batch whose times are integers in some records and fractions in others is stored whole."""
    given = [
        record("whole", start_time=int(START), duration=7),
        record("fraction", start_time=START + 0.5, duration=7.5),
    ]
    with tenant_of(engine) as tenant:
        tenant.insert(given)
        assert tenant.get_many(["whole", "fraction"]) == given


@pytest.mark.parametrize("odd", [[], ["a b", "it's", "\\", "é", ""]], ids=["plain", "odd"])
def test_a_large_batch_is_known_when_it_comes_again(engine: Store, odd: list[str]) -> None:
    """Each of its ids is found, whatever characters it has; a redelivery adds and changes nothing,
    and a batch with new ids among known ones adds those alone, in order."""
    known = [record(each) for each in [*(f"plain-{n}" for n in range(120)), *odd]]
    more = [new for n, each in enumerate(known) for new in (record(f"new-{n}"), each)]
    with tenant_of(engine) as tenant:
        tenant.insert(known)
        present = tenant.changed(None).last
        tenant.insert(known)
        assert tenant.size().sessions == len(known)
        place = tenant.arrived(None).last
        tenant.insert(more)
        assert list(tenant.arrived(place, 500).records) == more[::2]
        assert not tenant.changed(present).records
        assert tenant.get_many([each.event_id for each in more]) == more


ODD = ("half \ud83d", "a\0b", "x" * 50_000, "'; --", "{tenant:String}", "\\", "%s %(a)s", "\ufffe")


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_texts_are_found_or_refused(engine: Store, odd: str) -> None:
    """Whatever is asked with them, in whatever field; an update with half a surrogate pair is
    refused, so that it is not tried for ever."""
    is_text = "\ud83d" not in odd
    inside = odd.replace("\0", "")  # SQLite ends a text in JSON at a NUL
    given = record(
        "odd" if len(odd) > 1_000 or not is_text else odd,
        event_name=odd if is_text else "x",
        source=odd if is_text else "x",
        inputs=orjson.dumps({"text": odd if is_text else "x"}),
        user_properties=orjson.dumps({"id": inside if is_text else "x"}),
        metrics=orjson.dumps({inside if is_text else "x": 1}),
    )
    asked: list[Callable[[Store], object]] = [
        lambda store: store.get_many([odd, given.event_id]),
        lambda store: store.find_ids(odd),
        lambda store: store.outline(odd),
        lambda store: store.trees([odd], 5),
        lambda store: store.list(Query(session_name=odd)),
        lambda store: store.count(Query(source=odd)),
        lambda store: store.list(Query(user=inside)),
        lambda store: store.list(Query(metric=Metric(inside, "=", 1))),
        lambda store: store.list(Query(before=(START + 1, odd))),
        lambda store: store.summary(Query(session_name=odd)),
        lambda store: store.facets(Query(source=odd)),
        lambda store: store.list(Query(since=float("-inf"), limit=10**12)),
        lambda store: store.arrived(2**62).records,
        lambda store: store.changed(-5, 1).records and (),
    ]
    memory = MemoryStore()
    memory.insert([given])
    with tenant_of(engine) as tenant:
        tenant.insert([given])
        for number, ask in enumerate(asked):
            try:
                found = ask(tenant)
            except RecordRefusedError:  # noqa: PERF203 - each question has an answer of its own
                assert not is_text, number
            else:
                assert list(found) == list(ask(memory)) if isinstance(found, list) else True, number
        update = Update(odd, {"feedback": b'{"rating":5}'})
        if is_text and len(odd) < 1_000:
            tenant.update([update])
        elif not is_text and not isinstance(engine, MemoryStore):
            with pytest.raises(RecordRefusedError):
                tenant.update([update])


@contextmanager
def tenant_of(engine: Store) -> Iterator[Store]:
    """A tenant that nobody has used."""
    with closing(engine.for_tenant(f"example-{next(_tenants)}")) as tenant:
        yield tenant
