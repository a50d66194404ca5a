"""The cassette of a test: its calls are recorded once, and answered from the file ever after."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ReplayError
from ..lookup.recorded import RecordedSession
from .block import Replaying
from .calls import Call, calls_in, calls_of_trees
from .cassette_file import cassette_text, read_cassette, write_text
from .damage import damage
from .messages import short_id, unused_text
from .select import Selector
from .tape import Tape

_ENDED = ("ok", "error", "closed")


def cassette_block(
    path: str,
    recorded: Iterable[str],
    *,
    ignore: Mapping[str, Iterable[str]] | None = None,
    hint: str = "",
) -> Replaying:
    """Return a block that answers from a file, and in which nothing recorded runs.

    Calls outside of every session belong to it, too: a test's task may have been made before the
    block was opened. Raises ReplayError.
    """
    cassette = read_cassette(path)
    tape = Tape(cassette.calls, source=cassette.name, ignore=ignore)
    selector = Selector(recorded)
    return Replaying(tape, selector, strict=True, wide=True, of=cassette.name, hint=hint)


def unused(block: Replaying) -> str:
    """Return a text about recorded calls that nobody asked for; empty if there are none."""
    left = [(call.name, f"line {call.label.rpartition(':')[2]}") for call in block.tape.unused()]
    return unused_text(left) if left else ""


def record_cassette(
    path: str, sessions: Sequence[RecordedSession], around: str, recorded: Iterable[str]
) -> bool:
    """Write the calls of a test; return whether the file changed. Raises ReplayError.

    sessions: everything that the test recorded. around: the id of the session around the test.
    """
    selector = Selector(recorded)
    roots = [each for each in sessions if each.parent_id is None]
    return write_cassette(path, "test", selector, calls_of_trees(roots, selector, around))


def export_cassette(path: str, root: RecordedSession, recorded: Iterable[str]) -> int:
    """Write the calls inside a recorded session; return their number. Raises ReplayError."""
    selector = Selector(recorded)
    calls = calls_in(root, selector)
    if not calls:
        raise ReplayError(
            f"{root.session_name} ({short_id(root.session_id)}) has no call of "
            f"{', '.join(sorted(selector.recorded))}"
        )
    write_cassette(path, root.session_name, selector, calls)
    return len(calls)


def write_cassette(path: str, of: str, selector: Selector, calls: Sequence[Call]) -> bool:
    """Write calls to a file unless it has them; return whether it changed. Raises ReplayError."""
    _check(calls)
    text = cassette_text(of, selector.recorded, calls)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if _without_ranks(file.read()) == _without_ranks(text):
                return False  # only the order in which concurrent calls happened to end
    write_text(path, text)
    return True


def _check(calls: Iterable[Call]) -> None:
    """Raise ReplayError for a call that no file could answer."""
    for call in calls:
        fault = _fault(call)
        if fault:
            raise ReplayError(
                f"{call.name} ({short_id(call.label)}) could not be answered: {fault}"
            )


def _fault(call: Call) -> str | None:
    if call.status not in _ENDED:
        return f"it ended as {call.status!r}"
    if "outputs" in call.details.get("set", ()):
        return "its outputs were set by the program, not returned"
    raised = call.details.get("raised") or {}
    for path, fault in damage([call.outputs, raised], ""):
        return f"{path.removeprefix('[0].').removeprefix('[1].')} {fault}"
    if call.outputs.get("count", 0) > len(call.outputs.get("yields", ())) and _is_stream(call):
        return f"it yielded {call.outputs['count']} times, more than a record keeps"
    return None


def _is_stream(call: Call) -> bool:
    return "yields" in call.outputs and isinstance(call.outputs.get("count"), int)


def _without_ranks(text: str) -> list[Any]:
    lines: list[Any] = []
    for line in text.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            return [text]
        if isinstance(fields, dict):
            fields.pop("ended", None)
        lines.append(fields)
    return lines
