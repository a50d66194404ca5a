"""Folded updates have the effect of the same updates one by one."""

from __future__ import annotations

from functools import reduce

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from honeytrace._record.fold import fold_runs, fold_updates
from honeytrace._record.merge import apply
from honeytrace._record.record import RESERVED, Record, Update
from samples import records

keys = st.sampled_from(["a", "b", RESERVED])
plain = st.dictionaries(keys, st.dictionaries(st.sampled_from("xy"), st.integers(0, 3)), max_size=3)
fields = st.fixed_dictionaries(
    {},
    optional={
        "metadata": plain.map(orjson.dumps),
        "metrics": plain.map(orjson.dumps),
        "outputs": st.integers().map(lambda number: b"%d" % (number % 9)),
        "children_ids": st.lists(st.sampled_from("abc"), max_size=3).map(orjson.dumps),
        "session_name": st.sampled_from([b'"one"', b'"two"']),
        "event_name": st.sampled_from([b'"three"', b'"four"']),
        "error": st.sampled_from([b'"E: 1"', b"null", b'""']),
        "status": st.sampled_from([b'"ok"', b'"cancelled"']),
        "unknown": st.just(b"1"),
    },
)
updates = st.lists(fields.map(lambda some: Update("s", some)), min_size=1, max_size=6)


@settings(max_examples=300)
@given(records(), updates)
def test_a_fold_has_the_effect_of_its_updates(record: Record, some: list[Update]) -> None:
    """Whatever the updates say, in whatever order, the folded one makes the same record."""
    one_by_one = reduce(apply, some, record)
    assert apply(record, fold_updates(some)) == one_by_one
    assert apply(record, fold_updates([fold_updates(some[:2]), *some[2:]])) == one_by_one


def test_each_mapping_is_parsed_once() -> None:
    """Ten thousand updates with new keys become one that has all of them, in order."""
    some = [Update("s", {"metadata": orjson.dumps({f"k{n}": n})}) for n in range(10_000)]
    folded = fold_updates(some)
    assert orjson.loads(folded.fields["metadata"]) == {f"k{n}": n for n in range(10_000)}


@given(records(), updates)
def test_runs_end_at_records(record: Record, some: list[Update]) -> None:
    """Updates before a record and those after it are not folded together."""
    folded = fold_runs([*some, record, *some])
    assert folded == [fold_updates(some), record, fold_updates(some)]
