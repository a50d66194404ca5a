"""What is compiled does what the modules do in Python; which of both runs is a matter of speed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
import zlib
from collections import deque
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace import Session, trace_session
from honeytrace._capture.context import hot
from honeytrace._compiled import native
from honeytrace._record import wire
from honeytrace._record.record import Record
from honeytrace.testing import capture
from samples import records

compiled = pytest.mark.skipif(native is None, reason="nothing was compiled, or it is not wanted")


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_python_can_be_chosen() -> None:
    """HONEYTRACE_PURE_PYTHON leaves out what was compiled."""
    code = "from honeytrace._compiled import native; print(native)"
    assert run(code, HONEYTRACE_PURE_PYTHON="1") == "None"


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler to build with")
def test_it_is_compiled_where_it_can_be() -> None:
    """An installation beside a compiler has the hot path in C, so that this suite tests it."""
    code = "from honeytrace._compiled import native; print(native.__name__)"
    assert run(code, HONEYTRACE_PURE_PYTHON="") == "honeytrace._native"


@compiled
@given(st.integers(0, 2**61), st.integers(0, 2**62 - 1))
def test_ids(wall: int, tick: int) -> None:
    """An id is a UUIDv7: milliseconds, their fraction in 12 bits, the counter."""
    found = uuid.UUID(native.format_id(wall, tick))
    assert found.version == 7
    assert found.int >> 80 == wall // 1_000_000 & 0xFFFFFFFFFFFF
    assert found.int >> 64 & 0xFFF == wall % 1_000_000 * 4096 // 1_000_000
    assert found.int & (1 << 62) - 1 == tick


@compiled
@given(st.binary(max_size=300), st.integers(0, 60), st.integers(0, 65520), st.integers(0, 65520))
def test_checksums(data: bytes, times: int, low: int, high: int) -> None:
    """The journal's checksum is zlib's Adler-32, from any beginning, over any length."""
    begin = high << 16 | low
    for long in (data * times, b"\xff" * times * 211):
        assert native.adler(begin, long) == zlib.adler32(long, begin)


def whole(pieces: bytes | tuple[bytes, ...]) -> Any:
    return orjson.loads(pieces if isinstance(pieces, bytes) else b"".join(pieces))


@compiled
@given(
    records(),
    st.none() | st.floats(0, 1e12) | st.integers(0, 10**15).map(lambda ns: ns / 1e6),
    st.floats(0, 1e13) | st.integers(0, 4 * 10**18).map(lambda ns: ns / 1e6),
    st.none() | st.binary(min_size=600, max_size=1_500),
)
def test_bodies(record: Record, duration: float, start: float, long: bytes | None) -> None:
    """A record's body is read as the one that is made in Python."""
    record = record._replace(duration=duration, start_time=start)
    if long:
        record = record._replace(inputs=orjson.dumps({"x": long.hex()}))
    session, event = wire._session_head(record), wire._event_head(record)
    assert whole(native.pieces(record)) == whole(wire._spliced(session, record))
    assert whole(native.event_pieces(record)) == whole(wire._spliced(event, record))


def kinds_of_calls() -> None:
    @trace_session
    def plain(question: str) -> dict[str, Any]:
        return {"answer": question}

    @trace_session("scalar", event_type="tool", project="other", source="there")
    def scalar(*given: Any) -> int:
        return len(given)

    @trace_session(capture_inputs=False, capture_outputs=False)
    def outer() -> None:
        plain("why?")
        with honeytrace.session("näme", inputs={"ü": 1}):
            scalar(1, "x" * 3_000)

    outer()


def submitted() -> list[Session]:
    """Sessions as they come to the flush thread."""
    found: list[Session] = []
    with capture():
        hot.submit = found.append
        kinds_of_calls()
    return found


@compiled
def test_records() -> None:
    """A session's record is the one made in Python; the session then leaves the queue."""
    for s in submitted():
        waiting, made, slots = deque([s]), list[Record](), dict[int, Any]()
        s._slot = ("a place",)
        native.encode_usual(waiting, made, slots, "p", "s")
        if s._extras:  # blocks have been given some, perhaps empty
            assert (list(waiting), made) == ([s], [])
        else:
            assert made == [s._to_record("p", "s")]
            assert slots == {id(made[0]): ("a place",)}
            assert (list(waiting), s._slot) == ([], None)


@compiled
def test_what_is_not_like_most_is_left_to_python() -> None:
    """A failure, later knowledge and a chosen id stop the compiled way, before anything is lost."""
    found: list[Session] = []
    with capture():
        hot.submit = found.append
        with pytest.raises(LookupError), honeytrace.session("fails"):
            raise LookupError
        with honeytrace.session("chosen", session_id='"'):
            kinds_of_calls()
        with honeytrace.session("more", metadata={"a": 1}):
            pass
    for s in found:
        if s._id or (s._parent and s._parent._id) or s._failure or s._extras:
            waiting = deque([s])
            native.encode_usual(waiting, [], {}, "p", "s")
            assert list(waiting) == [s]


def test_a_chosen_id_inside_a_session() -> None:
    """A child that is known by a text is told like any other, and memory beside it left alone."""
    kept = []
    with capture() as sessions, honeytrace.session("outer"):
        for number in range(500):
            kept.append(b"\xff" * number)
            with honeytrace.session("inner", session_id=f"chosen, and of some length: {number}"):
                pass
    assert sessions[-1].children_ids == [s.session_id for s in sessions[:-1]]
    assert all(set(data) <= {255} for data in kept)
