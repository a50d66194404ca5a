"""The hot path does the same compiled and interpreted; which of both runs is a matter of speed."""

from __future__ import annotations

import importlib.util
import mmap
import os
import shutil
import subprocess
import sys
import uuid
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace._base.cython import COMPILED, interpreted
from honeytrace._capture.ids import format_id
from honeytrace._durability.memory import Memory
from honeytrace._record.body import event_pieces, pieces
from honeytrace._record.record import Record
from honeytrace.testing import capture
from samples import records

compiled = pytest.mark.skipif(
    len(interpreted()) == len(COMPILED), reason="nothing was compiled, or it is not wanted"
)
VALUES = int(os.environ.get("HONEYTRACE_TEST_VALUES", "1000"))
"""Random values that both modes record; 50000 takes two minutes."""


def source_of(name: str) -> ModuleType:
    """The Python source of a module that is compiled here, as a module of another name."""
    path = Path(honeytrace.__file__).parent / f"{name.replace('.', '/')}.py"
    spec = importlib.util.spec_from_file_location(f"honeytrace.{name}_in_python", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(code: str, *args: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=200 + VALUES // 50,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip()


def test_python_can_be_chosen() -> None:
    """HONEYTRACE_PURE_PYTHON runs the source of every module that was compiled."""
    code = "from honeytrace._base.cython import *; print(interpreted() == [*COMPILED])"
    assert run(code, HONEYTRACE_PURE_PYTHON="1") == "True"


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler to build with")
def test_it_is_compiled_where_it_can_be() -> None:
    """An installation beside a compiler has the hot path in C, so that this suite tests it."""
    code = "import honeytrace; print(honeytrace._base.cython.interpreted())"
    assert run(code, HONEYTRACE_PURE_PYTHON="") == "[]"


@given(st.integers(0, 2**61), st.integers(0, 2**62 - 1))
def test_ids(wall: int, tick: int) -> None:
    """An id is a UUIDv7: milliseconds, their fraction in 12 bits, the counter."""
    found = uuid.UUID(format_id(wall, tick))
    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == wall // 1_000_000 & 0xFFFFFFFFFFFF
    assert found.int >> 64 & 0xFFF == wall % 1_000_000 * 4096 // 1_000_000
    assert found.int & (1 << 62) - 1 == tick


@compiled
@given(st.integers(0, 2**61), st.integers(0, 2**63))
def test_ids_in_both_modes(wall: int, tick: int) -> None:
    """An id is the same text in C and in Python."""
    assert IDS.format_id(wall, tick) == format_id(wall, tick)


@compiled
@given(
    records(),
    st.floats(0, 1e12),
    st.floats(0, 1e13) | st.integers(0, 2**62).map(lambda ns: ns / 1e6),
)
def test_bodies_in_both_modes(record: Record, duration: float, start: float) -> None:
    """A record has the same bytes on the wire in C and in Python, with numbers of any length."""
    record = record._replace(duration=duration, start_time=start)
    assert BODY.pieces(record) == pieces(record)
    assert BODY.event_pieces(record) == event_pieces(record)


BODY = source_of("_record.body")
IDS = source_of("_capture.ids")
MEMORY = source_of("_durability.memory")

words = st.integers(0, 2**40)
numbers = st.integers(0, 2**20)
parts = st.none() | st.binary(max_size=300)


def written(
    memory: Any, kind: int, number: int, wall: int, tick: int, data: bytes | None
) -> int | None:
    """One of the ways to write to a journal, and what it returns."""
    slot = number % 60 * 512
    if kind == 0:
        return memory.open(slot, number, 0, wall, tick, 1, 2, wall, tick, data)
    if kind == 1:
        return memory.open(slot, number, 4096, wall, tick, 0, 0, 0, 0, data)
    if kind == 2:
        return memory.close_slot(slot, 100, 0, wall, data, number)
    if kind == 3:
        memory.link(slot, number)
        assert memory.write(slot + 8, data or b"", 1) == zlib.adler32(data or b"", 1)
        return memory.write(slot + 8, data or b"", 1, tick % 9, tick % 40)
    memory.mark(slot, 3)
    return memory.commit(slot, slot + 300, number, 4)


@compiled
@given(st.lists(st.tuples(st.integers(0, 4), numbers, words, words, parts), max_size=6))
def test_the_journals_memory(steps: list[tuple[int, int, int, int, bytes | None]]) -> None:
    """Every way to write to a journal leaves the same bytes and checksums in C and in Python."""
    maps = [mmap.mmap(-1, 1 << 16) for _ in range(2)]
    made = [Memory(maps[0]), MEMORY.Memory(maps[1])]
    for step in steps:
        assert written(made[0], *step) == written(made[1], *step)
    assert maps[0][:] == maps[1][:]
    for memory, mapped in zip(made, maps, strict=True):
        memory.close()
        mapped.close()
        with pytest.raises(ValueError, match=r"closed|released"):
            memory.mark(0, 1)


@given(st.binary(max_size=300), st.integers(0, 60), st.integers(0, 65520), st.integers(0, 65520))
def test_checksums(data: bytes, times: int, low: int, high: int) -> None:
    """The journal's checksum is zlib's Adler-32, from any start, over any length."""
    start = high << 16 | low
    for long in (data * times, b"\xff" * times * 211):
        mapped = mmap.mmap(-1, len(long) // 8 * 8 + 8)
        memory = Memory(mapped)
        assert memory.write(0, long, start) == zlib.adler32(long, start)
        assert mapped[: len(long)] == long
        memory.close()


@compiled
def test_random_values_in_both_modes() -> None:
    """Programs that record the same random values have the same records, to the last byte."""
    found = {
        run("import random_values; random_values.main()", str(VALUES), HONEYTRACE_PURE_PYTHON=pure)
        for pure in ("", "1")
    }
    assert len(found) == 1


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
