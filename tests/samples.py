"""Records and ended sessions, made by hand or drawn at random."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import strategies as st

from honeytrace import Session
from honeytrace._capture.hooks import hooks
from honeytrace._capture.spec import Spec
from honeytrace._record.record import OBJECTS, Record

SPEC = Spec("call")


def ended(inputs: bytes | None = None, outputs: bytes | None = None, **fields: Any) -> Session:
    s = Session()
    s._slot = s._details = None
    s._handed = s._plain = False
    s._late = 0
    s._spec, s._start, s._offset, s._end, s._tick = SPEC, 0, 0, 1, hooks.tick()
    s._children, s._sealed = [], False
    s._submit = s._parent = s._root = s._extras = s._failure = s._raised = s._masked = None
    s._id = s._text = None
    s._inputs, s._outputs = inputs, outputs
    for name, value in fields.items():
        setattr(s, name, value)
    return s


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text
objects = st.dictionaries(text, scalars | st.lists(scalars, max_size=2), max_size=3)
id_lists = st.lists(st.sampled_from("abcdef"), max_size=4, unique=True)
moments = st.integers(1_600_000_000_000, 1_800_000_000_000)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Records of one id, as different accounts of the same session."""
    error, start = draw(st.none() | text), draw(moments)
    end = draw(st.none() | st.integers(start, start + 10_000))
    parts = {name: draw(st.none() | objects) for name in OBJECTS}
    return Record(
        event_id="id",
        session_id="id",
        parent_id=draw(st.none() | st.just("parent")),
        root_id="root",
        event_type="chain",
        event_name=draw(text),
        project=draw(text),
        source=draw(text),
        status="ok" if error is None else "error",
        start_time=float(start),
        end_time=end,
        duration=None if end is None else float(end - start),
        error=error,
        children_ids=orjson.dumps(draw(id_lists)),
        **{name: None if part is None else orjson.dumps(part) for name, part in parts.items()},
    )
