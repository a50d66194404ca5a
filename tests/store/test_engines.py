"""Every engine gives the same answers: the file store and the one in memory, side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_records import START, record

from honeytrace._record.record import Item
from honeytrace._record.record import Update as Change
from honeytrace.sinks.store import StoreSink
from honeytrace.store import (
    Field,
    Metric,
    Query,
    Store,
    _file,
    _fulltext,
    _json_index,
    _plan,
    _zone_map,
)
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore

ids = st.sampled_from("abcdef")
few = st.sampled_from(["x", "y"])
moments = st.integers(0, 5).map(lambda number: START + number)
scalars = st.sampled_from(["x", "7", 7, 0.5, 1, True, None, [1]])
names = st.sampled_from(["feedback", "metrics", "source", "duration", "start_time", "error"])
words = st.lists(
    st.sampled_from(
        ["red", "green", "blue", "Größe", "東京GPT", "🔥", "??", "\x00ok", 'a"b\\c', "x_y"]
    ),
    max_size=3,
).map(" ".join)


FIELDS: tuple[Field, ...] = ("project", "session_name", "source", "status")


@st.composite
def items(draw: st.DrawFn) -> Item:
    event_id = draw(ids)
    if draw(st.booleans()):
        fields = {
            "feedback": orjson.dumps({draw(few): draw(few)}),
            "metrics": orjson.dumps({draw(few): draw(scalars)}),
            "source": orjson.dumps(draw(few)),
            "duration": orjson.dumps(draw(st.sampled_from([1.0, 2.0]))),
            "start_time": orjson.dumps(draw(moments)),
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


searches = st.sampled_from(
    [
        "red",
        "green re",
        "blu",
        "grosse",
        "gpt",
        "京",
        "東京 🔥",
        "?",
        "ok",
        '"',
        "b\\c",
        "x_y",
        "\\",
    ]
)
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
    store: Store, batches: list[list[Item]], query: Query, index: Callable[[int], None]
) -> list[object]:
    """What the store says after it was given the batches, about everything and to the query.

    `index` is called before each batch, with its number, and after the last one.
    """
    sink = StoreSink(store)
    unchanged = store.changed(None).last
    for number, batch in enumerate(batches):
        index(number)
        assert not sink.deliver(batch, timeout=1).refused
    index(3)
    found = [
        store.list(Query()),
        store.list(query),
        store.get_many("fedcba"),
        store.count(query),
        figures(store, query),
    ]
    found += [store.outline(each) for each in "abc"]
    found += [store.find_ids(prefix) for prefix in ("", "a", "é")]
    found += [store.values(field) for field in FIELDS]
    start = store.arrived(0, 2)
    found += [start, store.arrived(start.last), store.arrived(None)]
    first = store.changed(unchanged, 2)
    rest = store.changed(first.last)
    found += [first.records, rest.records, store.changed(rest.last).records]
    found += [store.delete(before=START + 3), store.list(query), store.values("session_name")]
    # the numbers of deleted rows come again
    assert not sink.deliver([record("g"), record("a", event_name="z")], timeout=1).refused
    found += [store.list(query), store.list(Query(session_name="z")), store.count(query)]
    sink.close()
    return found


def figures(store: Store, query: Query) -> list[object]:
    """Per name and over time; the slowest by how long it took, for there may be several."""
    summary = store.summary(query)
    buckets, names = store.overview(query, 4)
    assert names == summary
    for each in summary:
        slowest = None if each.slowest_id is None else store.get(each.slowest_id)
        assert each.max == (None if slowest is None else slowest.duration)
    return [[each._replace(slowest_id=None) for each in summary], buckets]


@pytest.mark.parametrize("large", [False, True])
@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(items(), max_size=6), max_size=3), queries, st.sets(st.integers(0, 3)))
def test_engines_agree(
    large: bool, batches: list[list[Item]], query: Query, indexed: set[int]
) -> None:
    """Whatever comes in, in whatever order, both stores hold and find the same; also by the ways
    that only large stores take, whenever their indexes were brought up to date."""
    with pytest.MonkeyPatch.context() as patched:
        for module, name in LIMITS if large else ():
            patched.setattr(module, name, 1)
        patched.setattr(_file, "TURN", 0.0)
        agree(batches, query, indexed)


#: How many rows make a store large.
LIMITS = [
    (_plan, "WINDOW"),
    (_plan, "RARE"),
    (_plan, "TIES"),
    (_json_index, "CATCH_UP"),
    (_fulltext, "_READ"),
    (_zone_map, "ZONE"),
    (_zone_map, "MOST"),
    (_zone_map, "CATCH_UP"),
]


def agree(batches: list[list[Item]], query: Query, indexed: set[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = SQLiteStore(Path(directory) / "x.db")

        def index(number: int) -> None:
            if number in indexed and number < 3:
                file.index()
            elif number in indexed:
                # another thread is at it, and queries take what there is
                file._indexing.acquire()

        said = answers(file, batches, query, index)
        assert said == answers(MemoryStore(), batches, query, lambda number: None)
