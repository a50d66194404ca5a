"""What every engine has to answer like the store in memory: batches, queries, and the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import orjson
from hypothesis import strategies as st
from store_records import START, record

from honeytrace._record.merge import apply
from honeytrace._record.record import Item
from honeytrace._record.record import Update as Change
from honeytrace.sinks.store import StoreSink
from honeytrace.store import Arrivals, Field, Metric, Query, Store

__all__ = ["FIELDS", "answers", "batches", "deliver", "figures", "items", "queries", "views"]

ids = st.sampled_from("abcdef")
few = st.sampled_from(["x", "y", "o'x\"\\", "n\0l", "long " * 110])
moments = st.integers(0, 5).map(lambda number: START + number)
scalars = st.sampled_from(["x", "7", 7, 0.5, 1, True, None, [1]])
names = st.sampled_from(["feedback", "metrics", "source", "duration", "start_time", "error"])
words = st.lists(
    st.sampled_from(
        ["red", "green", "blue", "Größe", "東京GPT", "🔥", "??", "\x00ok", 'a"b\\c', "x_y", "%"]
    ),
    max_size=3,
).map(" ".join)
searches = st.sampled_from(
    ["red", "green re", "blu", "grosse", "gpt", "京", "東京 🔥", "?", "ok", '"', "b\\c", "x_y", "%"]
)


FIELDS: tuple[Field, ...] = ("project", "session_name", "source", "status")


@st.composite
def items(draw: st.DrawFn) -> Item:
    event_id = draw(ids)
    if draw(st.booleans()):
        fields = {
            "feedback": orjson.dumps({draw(few): draw(few)}),
            "metrics": orjson.dumps({draw(few): draw(scalars)}),
            "source": orjson.dumps(draw(few)),
            # whole numbers come as integers from other clients
            "duration": orjson.dumps(draw(st.sampled_from([1, 2.0]))),
            "start_time": orjson.dumps(draw(moments | moments.map(int))),
            "error": orjson.dumps(draw(st.none() | words)),
        }
        return Change(event_id, {name: fields[name] for name in draw(st.sets(names, min_size=1))})
    parent = draw(st.none() | ids)
    error = draw(st.none() | words)
    return record(
        event_id,
        parent_id=parent,
        root_id=parent or event_id,
        event_name=draw(few),
        project=draw(few),
        source=draw(few),
        start_time=draw(moments),
        duration=draw(st.none() | st.sampled_from([1.0, 2.0])),
        error=error,
        status="ok" if error is None else "error",
        inputs=orjson.dumps({"text": draw(words)}),
        metrics=draw(st.none() | st.dictionaries(few, scalars).map(orjson.dumps)),
        user_properties=draw(st.none() | st.dictionaries(few, scalars).map(orjson.dumps)),
        children_ids=orjson.dumps(draw(st.lists(ids, max_size=2, unique=True))),
    )


batches = st.lists(st.lists(items(), max_size=6), max_size=3)
queries = st.builds(
    Query,
    project=st.none() | few,
    session_name=st.none() | few,
    source=st.none() | few,
    status=st.sampled_from([None, None, "ok", "error"]),
    error=st.sampled_from([None, None, True, False]),
    since=st.none() | moments,
    until=st.none() | moments,
    min_duration=st.sampled_from([None, None, 2.0]),
    max_duration=st.sampled_from([None, None, 1.0]),
    root_id=st.none() | ids,
    parent_id=st.none() | ids,
    roots_only=st.booleans(),
    text=st.none() | searches,
    user=st.sampled_from([None, None, "x", "7"]),
    metric=st.none()
    | st.builds(
        Metric, few, st.sampled_from([">", ">=", "<", "<=", "="]), st.sampled_from([0.5, 1.0])
    ),
    limit=st.integers(1, 8),
    before=st.none() | st.tuples(moments, ids),
)


def answers(
    store: Store,
    batches: Sequence[Sequence[Item]],
    query: Query,
    index: Callable[[int], None] = lambda number: None,
) -> list[object]:
    """What the store says after it was given the batches, about everything and to the query.

    `index` is called before each batch, with its number, and after the last one.
    """
    sink = StoreSink(store)
    unchanged = store.changed(None).last
    for number, batch in enumerate(batches):
        index(number)
        deliver(sink, batch)
    index(3)
    found = [*views(store, query), followed(store.changed, unchanged)]
    found += [store.delete(before=START + 3), list(store.list(query))]
    found += [list(store.values("session_name"))]
    # the numbers of deleted rows come again
    deliver(sink, [record("g"), record("a", event_name="z")])
    found += [list(store.list(query)), list(store.list(Query(session_name="z")))]
    found += [store.count(query)]
    return found


def deliver(sink: StoreSink, batch: Sequence[Item]) -> None:
    """Store a batch. An engine that has too much to do is asked again, as every client does."""
    left = batch
    for _ in range(20):
        delivery = sink.deliver(left, timeout=1)
        assert not delivery.refused
        if not delivery.retry:
            return
        left = delivery.retry
        time.sleep(0.5)
    raise AssertionError(f"{sink.store.where} was busy twenty times")


def views(store: Store, query: Query) -> list[object]:
    """What the store says about everything and to the query; nothing is changed by it."""
    found: list[object] = [
        list(store.list(Query())),
        list(store.list(query)),
        store.get_many("fedcba"),
        store.get_many("aXa"),
        store.count(query),
        store.count(query, 2),
        longest(store, query),
        {name: [*counts.items()] for name, counts in store.facets(query).items()},
        figures(store, query),
        store.size().sessions,
    ]
    found += [list(store.outline(each)) for each in "abc"]
    found += [sorted(store.trees(roots, 9)) for roots in ("", "abX")]
    found += [len(store.trees("abcdef", 2))]
    found += [list(store.find_ids(prefix)) for prefix in ("", "a", "é")]
    found += [[apply(record(u.event_id), u) for u in store.waiting("fXedcbaf")]]
    found += [list(store.values(field)) for field in FIELDS]
    present = store.arrived(None)
    assert not present.records
    found += [followed(store.arrived, 0), followed(store.arrived, present.last)]
    return found


def followed(
    ask: Callable[[int | None, int], Arrivals], place: int, limit: int = 2
) -> list[object]:
    """The sessions that follow a place, a page at a time."""
    found: list[object] = []
    while (page := ask(place, limit)).records:
        assert page.last > place
        place = page.last
        found += page.records
    assert ask(place, limit).last == place
    return found


def longest(store: Store, query: Query) -> list[float | None]:
    """How long the longest took; each meets the query, whichever of equals come."""
    found = store.longest(query)
    meeting = {each.event_id for each in store.list(query._replace(before=None, limit=1000))}
    assert {each.event_id for each in found} <= meeting
    return [each.duration for each in found]


def figures(store: Store, query: Query) -> list[object]:
    """Per name and over time; the slowest by how long it took, for there may be several."""
    summary = store.summary(query)
    buckets, names = store.overview(query, 4)
    assert list(names) == list(summary)
    for each in summary:
        slowest = None if each.slowest_id is None else store.get(each.slowest_id)
        assert each.max == (None if slowest is None else slowest.duration)
    return [[each._replace(slowest_id=None) for each in summary], list(buckets)]
