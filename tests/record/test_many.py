"""Questions about a batch, answered in one pass: the answers are those of asking each record."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from honeytrace._record.many import by_kind, has_repeats, measured
from honeytrace._record.record import Record, Update

ids = st.text(max_size=3) | st.integers(0, 9).map(str)


def item(event_id: str, kind: str) -> Record | Update:
    if kind == "update":
        return Update(event_id, {})
    parent = "up" if kind == "nested" else None
    return Record(event_id, event_id, parent, *"defghi", 1e12, 1, 1.0, None, b"[]", *[None] * 7)


items = st.lists(st.builds(item, ids, st.sampled_from(["root", "nested", "update"])), max_size=12)


@given(items)
def test_repeats(batch: list[Record | Update]) -> None:
    """Two items of one session are noticed, in whatever order the ids come."""
    assert has_repeats(batch) == (len({each.event_id for each in batch}) < len(batch))
    batch.sort(key=lambda each: each.event_id)
    assert has_repeats(batch) == (len({each.event_id for each in batch}) < len(batch))


@given(items)
def test_kinds(batch: list[Record | Update]) -> None:
    """Each item is in one of the three lists, which keep the order."""
    roots, nested, updates = by_kind(batch)
    assert updates == [each for each in batch if isinstance(each, Update)]
    records = [each for each in batch if isinstance(each, Record)]
    assert roots == [each for each in records if each.parent_id is None]
    assert nested == [each for each in records if each.parent_id is not None]


pieces = st.binary(max_size=9)


@given(st.lists(pieces | st.lists(pieces).map(tuple), max_size=9))
def test_sizes(encoded: list[bytes | tuple[bytes, ...]]) -> None:
    """The sum is that of all pieces, and only whole objects have a longest among them."""
    wholes = [each if isinstance(each, bytes) else b"".join(each) for each in encoded]
    total, longest = measured(encoded)
    assert total == sum(map(len, wholes))
    if any(isinstance(each, tuple) for each in encoded):
        assert longest == sys.maxsize
    else:
        assert longest == max(map(len, wholes), default=0)
