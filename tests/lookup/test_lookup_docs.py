"""docs/lookup.md says what is true."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import honeytrace.testing
from honeytrace import list_sessions, search_sessions

PAGE = (Path(__file__).parents[2] / "docs" / "lookup.md").read_text()


def test_every_example_prints_what_it_says() -> None:
    """One program from the first to the last, on a clock that goes on by a millisecond."""
    program: dict[str, Any] = {"__name__": "page"}
    told = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
    assert len(told) == PAGE.count("```") // 2 - PAGE.count("```text")
    with honeytrace.testing.capture(start=1_700_000_000.0):
        for code, output in told:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, program)
            assert printed.getvalue() == output


def test_every_condition_is_told() -> None:
    """And no other; searching has the same ones."""
    (table,) = re.findall(r"\| condition \| \|\n(.*?)\n\n", PAGE, re.DOTALL)
    rows = (row.split("|")[1] for row in table.splitlines())
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == set(inspect.signature(list_sessions).parameters)
    assert told == set(inspect.signature(search_sessions).parameters) - {"text"}
