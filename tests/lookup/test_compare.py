"""Comparing two runs: whatever differs is said once, where it is, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from honeytrace._record.record import Record
from honeytrace._record.wire import from_start_session
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.compare import MOST_CHANGES, Comparison, compare
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.store.memory import MemoryStore

Tree = tuple[str, dict[str, Any], list["Tree"]]


def run(tree: Tree, prefix: str = "a") -> RecordedSession:
    """The session a tree of (name, fields, children) would record; ids begin with `prefix`."""
    records: list[Record] = []

    def add(node: Tree, parent_id: str | None) -> None:
        name, fields, children = node
        event_id = f"{prefix}{len(records)}"
        own = {"parent_id": parent_id, "root_id": f"{prefix}0"}
        session = {"session_id": event_id, "session_name": name, "start_time": float(len(records))}
        records.append(
            from_start_session({**session, **fields, "metadata": {"honeytrace": own}}, str)
        )
        for child in children:
            add(child, event_id)

    add(tree, None)
    store = MemoryStore()
    store.insert(records)
    found = StoreFamily(store).get(f"{prefix}0")
    assert found is not None
    return found


def call(name: str, *children: Tree, **fields: Any) -> Tree:
    return name, fields, list(children)


def drawn(comparison: Comparison) -> list[str]:
    signs = {"same": "=", "changed": "~", "added": "+", "removed": "-"}
    return [
        "  " * pair.place.depth + signs[pair.status] + pair.session_name
        for pair in comparison.pairs
    ]


def test_equal_runs_are_the_same() -> None:
    """Other ids and other times are no change."""
    tree = call("ask", call("find", inputs={"q": 1}, duration=2.0), outputs={"result": [1]})
    comparison = compare(run(tree), run(tree, "b"))
    assert drawn(comparison) == ["=ask", "  =find"]
    assert comparison.counts == {"same": 2, "changed": 0, "added": 0, "removed": 0}


def test_added_and_removed_stand_where_they_ran() -> None:
    """With everything inside them, between the siblings that stayed."""
    before = call("ask", call("find"), call("rank", call("score")), call("say"))
    after = call("ask", call("plan", call("think")), call("find"), call("say"), call("judge"))
    assert drawn(compare(run(before), run(after, "b"))) == [
        "=ask",
        "  +plan",
        "    +think",
        "  =find",
        "  -rank",
        "    -score",
        "  =say",
        "  +judge",
    ]


def test_equal_inputs_find_each_other() -> None:
    """One call more in front, or threads in another order, do not shift the rest."""
    before = call("rank", *(call("score", inputs={"n": n}, outputs={"n": n}) for n in (1, 2, 3)))
    after = call("rank", *(call("score", inputs={"n": n}, outputs={"n": n}) for n in (3, 0, 1, 2)))
    assert drawn(compare(run(before), run(after, "b"))) == [
        "=rank",
        "  =score",
        "  +score",
        "  =score",
        "  =score",
    ]


def test_changed_inputs_pair_in_order() -> None:
    """What is left of a name is paired first with first."""
    before = call("rank", call("score", inputs={"n": 1}), call("score", inputs={"n": 2}))
    after = call("rank", call("score", inputs={"n": 5}), call("score", inputs={"n": 6}))
    changes = [pair.changes for pair in compare(run(before), run(after, "b")).pairs]
    assert [(c.path, c.before, c.after) for found in changes for c in found] == [
        ("inputs.n", 1, 5),
        ("inputs.n", 2, 6),
    ]


def test_every_field_that_counts() -> None:
    """Name, status, error, config, inputs, outputs and metrics; each with the path in it."""
    before = call(
        "ask",
        config={"model": {"name": "small"}},
        inputs={"q": "why", "a key": 1},
        outputs={"docs": ["a", "b", "d"], "n": None},
        metrics={"score": 0.5},
        feedback={"rating": 1},
    )
    after = call(
        "answer",
        error="E: no",
        config={"model": {"name": "large"}},
        inputs={"q": "why", "a key": 2},
        outputs={"docs": ["a", "b", "c", "d"], "m": None},
        metrics={},
        feedback={"rating": 5},
    )
    (pair,) = compare(run(before), run(after, "b")).pairs
    assert [(c.path, c.kind, c.before, c.after) for c in pair.changes] == [
        ("session_name", "changed", "ask", "answer"),
        ("status", "changed", "ok", "error"),
        ("error", "added", None, "E: no"),
        ("config.model.name", "changed", "small", "large"),
        ('inputs["a key"]', "changed", 1, 2),
        ("outputs.docs[2]", "added", None, "c"),
        ("outputs.n", "removed", None, None),
        ("outputs.m", "added", None, None),
        ("metrics.score", "removed", 0.5, None),
    ]


def test_changes_are_bounded() -> None:
    """A session that is wholly different gives no more than `MOST_CHANGES`."""
    before, after = ({"x": [n] * 5_000} for n in (1, 2))
    (pair,) = compare(run(call("a", inputs=before)), run(call("a", inputs=after), "b")).pairs
    assert len(pair.changes) == MOST_CHANGES


def test_comparison_is_json() -> None:
    """`to_dict` holds what a page or a script needs, and JSON can say it."""
    before, after = run(call("a", duration=1.5)), run(call("a", call("b"), duration=2.5), "b")
    assert json.loads(json.dumps(compare(before, after).to_dict())) == {
        "counts": {"same": 1, "changed": 0, "added": 1, "removed": 0},
        "sessions": [
            {
                "status": "same",
                "depth": 0,
                "session_name": "a",
                "before": {"session_id": "a0", "status": "ok", "duration": 1.5},
                "after": {"session_id": "b0", "status": "ok", "duration": 2.5},
                "changes": [],
            },
            {
                "status": "added",
                "depth": 1,
                "session_name": "b",
                "before": None,
                "after": {"session_id": "b1", "status": "ok", "duration": None},
                "changes": [],
            },
        ],
    }


def test_trees_of_five_thousand() -> None:
    """Deep ones need no recursion; wide ones of one name no quadratic time."""
    for parent in (lambda n: n - 1, lambda n: 0):
        sessions = []
        for prefix in "ab":
            own = [
                {"parent_id": f"{prefix}{parent(n)}", "root_id": f"{prefix}0"} for n in range(5_000)
            ]
            own[0] = {"root_id": f"{prefix}0"}
            store = MemoryStore()
            store.insert(
                [
                    from_start_session(
                        {"session_id": f"{prefix}{n}", "metadata": {"honeytrace": own[n]}}, str
                    )._replace(start_time=float(n))
                    for n in range(5_000)
                ]
            )
            found = StoreFamily(store).get(f"{prefix}0")
            assert found is not None
            sessions.append(found)
        assert compare(*sessions).counts["same"] == 5_000


names = st.sampled_from(["x", "y"])
fields = st.fixed_dictionaries({"inputs": st.dictionaries(names, st.integers(0, 1), max_size=1)})
trees: st.SearchStrategy[Any] = st.recursive(
    st.tuples(names, fields, st.just([])),
    lambda inner: st.tuples(names, fields, st.lists(inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=100)
@given(trees, trees)
def test_nothing_is_lost_or_told_twice(one: Tree, other: Tree) -> None:
    """Each session of both runs is in exactly one pair, and the other way round it mirrors."""
    before, after = run(one), run(other, "b")
    pairs = compare(before, after).pairs
    olds = [pair.before.session_id for pair in pairs if pair.before]
    news = [pair.after.session_id for pair in pairs if pair.after]
    assert sorted(olds) == sorted(each.session_id for each, _ in before.walk())
    assert news == [each.session_id for each, _ in after.walk()]
    mirrored = compare(after, before).counts
    counts = compare(before, after).counts
    assert (counts["added"], counts["removed"]) == (mirrored["removed"], mirrored["added"])
    if one == other:
        assert counts["same"] == len(pairs)
