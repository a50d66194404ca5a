"""Figures of whole periods: what the sums by the hour add up to is what the sessions say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answered import answered
from honeytrace._record.record import Record, Update
from honeytrace.store import Query, Store, _hourly, sqlite
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore
from honeytrace.store.trends import HOUR, Sums, Trends, TrendStore, class_of

BASE = 1_700_000_000_000.0


def told(found: Trends | None) -> tuple[dict[str, Any], dict[float, Any]]:
    """The figures of each group and each step, to compare two engines by."""
    assert found is not None
    groups = {name: figures(sums) for name, sums in found.groups.items()}
    return groups, {step.start: figures(step.sums) for step in found.steps}


def figures(sums: Sums) -> tuple[Any, ...]:
    return (sums.calls, sums.errors, sums.percentiles(50, 95), sums.slowest, sums.tokens)


def session(number: int, hour: float, **fields: Any) -> Record:
    """One that starts so many hours after the base, and takes as many seconds as its number."""
    start, took = BASE + hour * HOUR, 1000.0 * (number + 1)
    times = {"start_time": start, "end_time": start + took, "duration": took}
    return answered(f"s{number:03}", **times, **fields)


def spent(tokens: int, model: str = "gpt-4o") -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
    return {"outputs": {"model": model, "usage": usage}}


sessions = st.lists(
    st.tuples(
        st.floats(0, 200, width=16),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["p", "q"]),
        st.booleans(),
        st.sampled_from([{}, {"user_properties": {"name": "ada"}}]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=25,
)
steps = st.lists(st.sampled_from(["insert", "update", "delete", "catch up"]), max_size=8)
queries = st.fixed_dictionaries(
    {
        "project": st.sampled_from([None, "p"]),
        "session_name": st.sampled_from([None, "a"]),
        "since": st.sampled_from([None, BASE, BASE + 2.5 * HOUR]),
        "until": st.sampled_from([None, BASE + 30.25 * HOUR]),
        "roots_only": st.booleans(),
    }
)


def fill(
    stores: Sequence[Store], made: list[Any], done: list[str], catch_up: Callable[[], None]
) -> None:
    """Do these steps to all stores."""
    records = []
    for number, (hour, name, project, failed, who, tokens) in enumerate(made):
        more = {
            **({"error": "E: bad"} if failed else {}),
            **who,
            **(spent(tokens) if tokens else {}),
        }
        records.append(session(number, hour, session_name=name, project=project, **more))
    waiting = list(records)
    for step in done:
        for store in stores:
            if step == "insert":
                store.insert(waiting[:5])
            elif step == "update":
                changes = {"duration": b"7", "metrics": b'{"total_tokens":9,"model":"m"}'}
                store.update([Update(record.event_id, changes) for record in records[:4]])
            elif step == "delete":
                store.delete(before=BASE + 10 * HOUR)
        if step == "insert":
            waiting = waiting[5:]
        elif step == "catch up":
            catch_up()


@settings(max_examples=25, deadline=None)
@given(made=sessions, done=steps, query=queries)
def test_sums_are_those_of_the_sessions(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[Any],
    done: list[str],
    query: dict[str, Any],
) -> None:
    """After any inserts, updates and deletions, caught up or not, for any period and condition."""
    store = SQLiteStore(tmp_path_factory.mktemp("trends") / "s.db")
    memory = MemoryStore()
    asked = Query(**query)
    fill((store, memory), made, done, lambda: store._catch_up(_hourly))
    assert told(store.trends(asked, "name", 60)) == told(memory.trends(asked, "name", 60))
    if asked.session_name is None:
        assert told(store.trends(asked, "user", 60)) == told(memory.trends(asked, "user", 60))
    else:
        assert store.trends(asked, "user", 60) is None
    store.close()


def test_groups_alone(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without steps the largest groups have all figures, the others their calls; wherever their
    sums come from."""
    monkeypatch.setattr(sqlite, "TOLD", 2)
    memory = MemoryStore()
    names = "aaaabbbbbccd"
    made = [session(n, n * 20, session_name=name) for n, name in enumerate(names)]
    for engine in (store, memory):
        engine.insert(made)
    store.index()
    for engine in (store, memory):
        engine.insert([session(50, 300, session_name="d")])
    found, exact = (engine.trends(Query(), "name", 0) for engine in (store, memory))
    assert found is not None and exact is not None  # noqa: PT018 - for the type checker
    assert not found.steps
    assert {n: sums.calls for n, sums in found.groups.items()} == {"a": 4, "b": 5, "c": 2, "d": 2}
    for name in "ab":
        assert figures(found.groups[name]) == figures(exact.groups[name])
    assert found.groups["c"].slowest is None


def test_a_long_period_has_few_steps(store: SQLiteStore) -> None:
    """Steps are whole hours, as many in each as it takes, and none is missing."""
    store.insert([session(number, hour) for number, hour in enumerate((0, 1, 500))])
    found = store.trends(Query(), "name", 60)
    assert found is not None
    assert len(found.steps) <= 60
    assert sum(step.sums.calls for step in found.steps) == 3
    widths = {step.end - step.start for step in found.steps}
    assert len(widths) == 1
    assert widths.pop() % HOUR == 0


def test_the_slowest_is_named(store: SQLiteStore) -> None:
    """By its id, of each group."""
    store.insert([session(0, 0), session(5, 2), session(3, 1)])
    found = store.trends(Query(), "name", 60)
    assert found is not None
    assert (found.groups["answer"].slowest, found.groups["answer"].slowest_id) == (6000.0, "s005")


def test_sums_that_repeat_those_of_others_are_left_out(store: SQLiteStore) -> None:
    """A wrapper that names no model and tells the tokens of another call is not counted."""
    inner = spent(10)
    outer = {"metadata": {"total_tokens": 11, "prompt_tokens": 10}}
    store.insert([session(0, 0, **inner), session(1, 0, **outer)])
    found = store.trends(Query(), "name", 60)
    assert found is not None
    (tokens,) = found.groups["answer"].tokens.values()
    assert (tokens.calls, tokens.total) == (1, 11)


@pytest.mark.parametrize("more", [{"text": "why"}, {"status": "ok"}, {"user": "ada"}])
def test_other_conditions_are_not_answered(store: SQLiteStore, more: dict[str, Any]) -> None:
    """The sums know nothing of them."""
    store.insert([session(0, 0)])
    assert store.trends(Query(**more), "name", 60) is None


def test_a_readonly_store_without_sums_does_not_answer(store: SQLiteStore) -> None:
    """Nothing is made in a store that is only read."""
    store.insert([session(0, 0)])
    assert SQLiteStore(store.path, readonly=True).trends(Query(), "name", 60) is None


def test_engines_that_can() -> None:
    """A caller asks before it relies on sums."""
    assert isinstance(MemoryStore(), TrendStore)


@given(st.lists(st.floats(0.001, 1e8), min_size=1, max_size=50))
def test_percentiles_are_near_the_exact_ones(durations: list[float]) -> None:
    """Within 1 per cent, and never above the slowest."""
    sums = Sums()
    for number, duration in enumerate(durations):
        sums.count(failed=False, duration=duration, key=number)
    ordered = sorted(durations)
    for percent, found in zip((50, 95), sums.percentiles(50, 95), strict=True):
        exact = ordered[-(-len(ordered) * percent // 100) - 1]
        assert found is not None
        assert abs(found - exact) <= exact * 0.0101
    assert Sums().percentiles(50, 95) == [None, None]


def test_classes_are_bounded() -> None:
    """Nothing is too short or too long for a class."""
    assert class_of(0) == class_of(-5) == 0
    assert class_of(1e30) == class_of(1e15)
