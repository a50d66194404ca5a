"""Any record that becomes a span and comes back is the record that it was."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace._record.record import OBJECTS, RESERVED, Record, Update
from honeytrace.server._otlp.counts import Counts
from honeytrace.server._otlp.protobuf_spans import spans
from honeytrace.server._otlp.traces import Traces
from honeytrace.store.memory import MemoryStore
from samples import records

pytest.importorskip("opentelemetry.proto")

from honeytrace.otel._encode import body, encoded

ids = st.uuids(version=4).map(str) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
kinds = st.sampled_from(["chain", "model", "tool"])
statuses = st.sampled_from(["ok", "error", "cancelled", "interrupted", "closed"])


@st.composite
def trees(draw: st.DrawFn) -> list[Record]:
    """A root and the calls inside it, with every field that a recorder fills."""
    chosen = draw(st.lists(ids, min_size=1, max_size=4, unique_by=str.lower))
    root_id, found = chosen[0], []
    for number, own in enumerate(chosen):
        parent = chosen[draw(st.integers(0, number - 1))] if number else None
        record = draw(records())._replace(
            event_id=own,
            session_id=own,
            root_id=root_id,
            parent_id=parent,
            event_type=draw(kinds) if number else "session",
            event_name=draw(names),
            project=draw(names),
            source=draw(names),
            status=draw(statuses),
        )
        found.append(record)
    return draw(st.permutations(found))


def facts(record: Record) -> dict[str, Any]:
    """What a user sees of a record; an empty object is none."""
    made: dict[str, Any] = {**record._asdict(), "children_ids": orjson.loads(record.children_ids)}
    for name in OBJECTS:
        made[name] = orjson.loads(made[name] or b"{}")
    made["metadata"].pop(RESERVED, None)
    return made


@given(trees())
def test_every_record_comes_back_as_it_was(tree: list[Record]) -> None:
    """Ids of any kind, any tree, any order of arrival, running and ended calls, empty texts."""
    store = MemoryStore()
    traces = Traces(store, Counts())
    for record in tree:
        data = body(record.project, record.source, [encoded(record)])
        items, reasons = traces.read(spans(data))
        assert not reasons
        placed = traces.place(items).items
        store.insert([item for item in placed if isinstance(item, Record)])
        store.update([item for item in placed if isinstance(item, Update)])
    for record in tree:
        (there,) = store.get_many([record.event_id])
        assert facts(there) == facts(record)
