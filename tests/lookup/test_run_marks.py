"""Marks of what is unusual in a run: each where it is, and none where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from answered import answered
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.marks import run_marks
from honeytrace.store.memory import MemoryStore

Call = dict[str, Any]


def marks(*runs: list[Call]) -> dict[str, list[str]]:
    """The marks of the last of these runs, by the name of the call."""
    store = MemoryStore()
    for number, calls in enumerate(runs):
        start = 1_700_000_000_000.0 + number * 10_000
        root = f"root-{number}"
        store.insert([answered(root, session_name="run", start_time=start, end_time=start + 9000)])
        own = {"honeytrace": {"parent_id": root, "root_id": root}}
        for place, each in enumerate(calls):
            begun = start + 1 + place
            took = each.pop("took", 1.0)
            store.insert(
                [
                    answered(
                        f"{root}-{place}",
                        start_time=begun,
                        end_time=round(begun + took),
                        duration=took,
                        metadata=own,
                        **each,
                    )
                ]
            )
    record = store.get(f"root-{len(runs) - 1}")
    assert record is not None
    found = run_marks(store, StoreFamily(store).load(record))
    names = {r.event_id: r.event_name for r in store.get_many(list(found))}
    return {names[each]: [mark.kind for mark in some] for each, some in found.items()}


def step(name: str = "step", **fields: Any) -> Call:
    return {"session_name": name, "inputs": {"n": 1}, "outputs": {"result": 1}, **fields}


def failed(name: str = "step") -> Call:
    return step(name, outputs={}, error="ValueError: no")


USUAL: Callable[[], list[Call]] = lambda: [step("plan"), step("search"), step("answer")]  # noqa: E731


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([step(), step(), step()], {"step": ["loop"]}),
        ([step(), step(), step(inputs={"n": 2})], {}),
        ([step(), step(outputs={"result": 2}), step()], {}),
        ([failed(), failed(), failed(), step()], {"step": ["retries"]}),
        ([failed(), step()], {}),
        ([failed("a"), step("b")], {"a": ["swallowed"]}),
    ],
)
def test_marks_of_a_run_by_itself(calls: list[Call], expected: dict[str, list[str]]) -> None:
    """Loops, retries, and errors that nobody minded."""
    assert marks(calls) == expected


def test_marks_beside_earlier_runs() -> None:
    """A path that is new, and calls far beyond the others of their name."""
    earlier = [USUAL() for _ in range(5)]
    assert marks(*earlier, USUAL()) == {}
    assert marks(*earlier, [*USUAL(), step("delete")]) == {"delete": ["new"]}
    assert marks(*earlier, [step("plan"), step("search", took=900.0)]) == {"search": ["slow"]}
    used = step("plan", metrics={"total_tokens": 9_000})
    usual = [[step("plan", metrics={"total_tokens": 100})] for _ in range(5)]
    assert marks(*usual, [used]) == {"plan": ["tokens"]}


def test_the_first_run_has_nothing_new() -> None:
    """Without earlier runs nothing can be unusual."""
    assert marks(USUAL()) == {}
