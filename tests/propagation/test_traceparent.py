"""W3C Trace Context, as the standard has it, and honeytrace's entry in `tracestate`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace.propagation._traceparent import (
    Trace,
    caller,
    entry,
    parse,
    trace_ids,
    tracestate,
    vendors,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROOT, OWN = "01900000-0000-7000-8000-00000000000a", "01900000-0000-7000-8000-00000000000b"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", Trace(TRACE, SPAN, True)),
        (f"00-{TRACE}-{SPAN}-00", Trace(TRACE, SPAN, False)),
        (f"00-{TRACE}-{SPAN}-03", Trace(TRACE, SPAN, True)),
        (f" 00-{TRACE}-{SPAN}-01 ", Trace(TRACE, SPAN, True)),
        (f"cc-{TRACE}-{SPAN}-01-more", Trace(TRACE, SPAN, True)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"cc-{TRACE}-{SPAN}-01more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE[:-1]}é-{SPAN}-01", None),
        ("", None),
    ],
)
def test_traceparent(header: str, expected: Trace | None) -> None:
    """Valid headers are read, later versions by their beginning, all others are ignored."""
    assert parse(header) == expected


def test_ids_of_a_session() -> None:
    """The trace is the root's 128 bits, the span the session's lower 64."""
    trace_id, span_id = trace_ids(OWN, ROOT)
    assert trace_id == ROOT.replace("-", "")
    assert span_id == "800000000000000b"
    assert entry(OWN, ROOT, trace_id) == OWN.replace("-", "")
    assert caller(OWN.replace("-", ""), trace_id) == (OWN, ROOT)


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.booleans())
def test_any_ids_survive(own: str, root: str, same: bool) -> None:
    """Ids that are no UUIDs arrive as they were, and make a valid header."""
    own = own.encode("utf-8", "replace").decode()
    root = own if same else root.encode("utf-8", "replace").decode()
    trace_id, span_id = trace_ids(own, root)
    assert parse(f"00-{trace_id}-{span_id}-01")
    value = entry(own, root, trace_id)
    if value is not None:
        state, _ = vendors(tracestate(value, ""))
        assert caller(state, trace_id) == (own, root)


def test_an_id_that_is_too_long_is_left_out() -> None:
    """An entry has at most 256 characters; without it the ids of the header remain."""
    assert entry("x" * 300, ROOT, "0" * 32) is None


@pytest.mark.parametrize("value", [None, "", "x", "!", "0" * 31, "-", "!a:!", "z" * 300])
def test_an_entry_that_is_none(value: str | None) -> None:
    """Nonsense in honeytrace's entry is ignored."""
    assert caller(value, TRACE) is None


def test_other_vendors_entries_are_handed_on() -> None:
    """Ours comes first, invalid entries go, and the limits of the standard hold."""
    ours, others = vendors("congo=t61rcWkgMzE, rojo=00f067,ht=abc,,=x,BAD=1")
    assert (ours, others) == ("abc", "congo=t61rcWkgMzE,rojo=00f067")
    assert tracestate("new", others) == "ht=new,congo=t61rcWkgMzE,rojo=00f067"
    many = ",".join(f"v{i}={i}" for i in range(40))
    assert len(tracestate("x", many).split(",")) == 32
    assert len(tracestate("x", ",".join(f"v{i}={'y' * 100}" for i in range(9)))) <= 512
