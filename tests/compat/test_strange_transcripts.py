"""Transcripts of coding agents in which a value is another than it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from test_transcripts import CLAUDE, CODEX

from honeytrace.compat import claude_code
from honeytrace.compat.codex import read as codex_read


@pytest.mark.parametrize("lines", [CLAUDE, CODEX], ids=["claude", "codex"])
@pytest.mark.parametrize("strange", [None, -1, "x", [], ["x"], {"a": 1}], ids=repr)
def test_no_value_of_a_strange_type_ends_an_import(lines: list[Any], strange: Any) -> None:
    """Whichever value of a transcript is another, the rest comes in, and no time is made up."""
    read = claude_code.read if lines is CLAUDE else codex_read
    for place in places(lines):
        changed = json.loads(json.dumps(lines))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = strange
        records = list(read(changed, lambda value, _masked, _key: json.dumps(value).encode()))
        assert records, place
        assert all(each.start_time > 1.7e12 for each in records), place


def test_lines_that_are_repeated_change_nothing() -> None:
    """A transcript of a resumed session, and two copies of one, are told as one."""
    once, twice = (
        list(claude_code.read(lines, lambda value, _masked, _key: json.dumps(value).encode()))
        for lines in (CLAUDE, CLAUDE + CLAUDE)
    )
    assert twice == once


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside the lines."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        if above:
            yield (*above, key)
        if isinstance(part, (dict, list)):
            yield from places(part, (*above, key))
