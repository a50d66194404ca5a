"""Mappings of many names: ids are keys as well, thousands of new ones in each call."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counted_steps import steps_of
from honeytrace._snapshot import secrets
from honeytrace._snapshot.limits import Limits
from honeytrace._snapshot.name_gate import HINTS, hints
from honeytrace._snapshot.redact import DEFAULT, Redactor
from honeytrace._snapshot.snapshotter import Snapshotter

PARTS = [
    *HINTS,
    "user",
    "Api",
    "_",
    "-",
    "1",
    "\u212aey",
    "pa\u017f\u017fword",
    "id",
    "é",
    "P",
    "W",
]
names = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=6).map("".join)


@given(names)
def test_quick_look_at_a_name_misses_no_secret(name: str) -> None:
    """A name that is sensitive, or has a hint of it in any case, passes the quick look."""
    if re.search("|".join(HINTS), name, re.I) or secrets.sensitive_by_default(name):
        assert hints(name)


def test_ids_are_not_classified() -> None:
    """Twenty thousand ids as keys are recorded without one classification of a name."""
    ids = {str(uuid.uuid4()): number for number in range(20_000)}
    before = secrets._classify.cache_info()
    assert json.loads(Snapshotter().encode(ids)) == ids
    after = secrets._classify.cache_info()
    assert after.hits + after.misses <= before.hits + before.misses + 2_000


@pytest.mark.parametrize("redactor", [DEFAULT, Redactor(["email"])], ids=["default", "own names"])
@pytest.mark.parametrize("count", [100, 5_000, 20_000])
def test_secret_among_many_names_is_masked(redactor: Redactor, count: int) -> None:
    """However many ids stand beside it, the value under a secret's name is masked."""
    ids: dict[str, Any] = {str(uuid.UUID(int=number)): number for number in range(count)}
    own = {"x1_api_key": "hunter2", "work_email": "a@b.c", "sk-proj-Zk93hUnTeR2secretXYZ987": 1}
    told = json.loads(Snapshotter(redactor=redactor).encode({**ids, **own, "z": "end"}))
    assert told["x1_api_key"] == "[redacted]"
    assert told["work_email"] == ("a@b.c" if redactor is DEFAULT else "[redacted]")
    assert not any(key.startswith("sk-proj") for key in told)
    assert told["z"] == "end"
    assert len(told) == count + 4


KEYS: dict[str, Callable[[int], Any]] = {
    "sets": lambda number: frozenset((number, number + 1)),
    "pairs": lambda number: (number, "x"),
    "bytes": lambda number: b"%d" % number,
    "numbers": lambda number: number + 0.5,
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_that_cost_work_are_looked_at_within_the_budget(kind: str) -> None:
    """A mapping with ten times as many such keys takes no more steps."""
    few, many = ({KEYS[kind](n): n for n in range(size)} for size in (9_000, 90_000))
    snapshotter = Snapshotter()
    snapshotter.encode(few)
    steps = steps_of(lambda: snapshotter.encode(few))
    assert steps_of(lambda: snapshotter.encode(many)) <= steps * 1.1 + 100
    assert "items]" in snapshotter.encode(many)[-40:].decode()


@pytest.mark.parametrize("make", [str, int], ids=["text", "numbers"])
def test_small_members_beyond_the_room_are_not_read_one_by_one(make: Callable[[int], Any]) -> None:
    """Of a mapping that is too long the first members are recorded, and the others counted."""
    snapshotter = Snapshotter(Limits(max_bytes=100_000))
    value = {make(number): number for number in range(60_000)}
    told = json.loads(snapshotter.encode(value))
    kept = list(told.values())[:-1]
    assert kept == list(range(len(kept)))
    assert told["…"] == f"…[cut {60_000 - len(kept)} items]"
    assert len(snapshotter.encode(value)) <= 100_000
    assert len(kept) > 4_000


def test_long_strings_are_cut_before_members_are_left_out() -> None:
    """A list of long texts keeps all its members, shortened."""
    told = json.loads(Snapshotter(Limits(max_bytes=200_000)).encode(["x" * 500] * 600))
    assert len(told) == 600
    assert all(text.startswith("xxx") for text in told)
