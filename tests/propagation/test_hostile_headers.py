"""Headers that anybody may have written: they place a session or change nothing."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace._capture.context import current
from honeytrace.testing import capture

hexed = st.text("0123456789abcdef", min_size=14, max_size=34)
traceparents = st.text(max_size=60) | st.builds(
    "-".join,
    st.tuples(
        st.sampled_from(["00", "01", "ff", "cc"]),
        hexed | st.just("0" * 32) | st.just("4bf92f3577b34da6a3ce929d0e0e4736"),
        hexed | st.just("0" * 16) | st.just("00f067aa0ba902b7"),
        st.sampled_from(["00", "01", "ff", "1", ""]),
    ),
)
members = st.one_of(
    st.text(max_size=12),
    st.just("ht=01900000000070008000000000000000"),
    st.just("ht=-"),
    st.just("ht=" + "!" * 250),
    st.builds("{}={}".format, st.text("abz09_-*/@", min_size=1, max_size=8), st.text(max_size=8)),
)
tracestates = st.lists(members, max_size=40).map(",".join)
pairs = st.lists(
    st.tuples(st.sampled_from(["traceparent", "Traceparent", "tracestate"]), traceparents)
    | st.tuples(st.just("tracestate"), tracestates)
    | st.tuples(st.text(max_size=5), st.text(max_size=5)),
    max_size=5,
)
forms: list[Any] = [
    dict,
    list,
    lambda found: [(n.encode("utf-8", "replace"), v.encode("utf-8", "replace")) for n, v in found],
    lambda found: {n: None for n, _ in found},
    lambda found: 5,
]
MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256}", re.A)


@given(pairs, st.sampled_from(forms), st.booleans())
def test_no_header_raises_or_stays(found: Any, form: Any, trust: bool) -> None:
    """Whatever comes in: what ran before runs again, and what is sent on is valid."""
    outside = current.get()
    with capture() as recorded:
        with honeytrace.continue_from(form(found), trust=trust), honeytrace.session("callee"):
            sent = honeytrace.inject(dict(found))
        assert current.get() is outside
    if recorded:  # it was not left out by its caller
        (callee,) = recorded
        assert trust or callee.parent_id is None
        version, trace_id, span_id, flags = sent["traceparent"].split("-")[:4]
        assert (len(version), len(flags)) == (2, 2)
        assert int(trace_id, 16)
        assert int(span_id, 16)
    state = sent.get("tracestate", "")
    ours = [member for member in state.split(",") if member.startswith("ht=")]
    assert len(ours) <= 1
    assert len(state) <= 512 or state == ours[0]
    assert all(MEMBER.fullmatch(member) for member in state.split(",") if member)
