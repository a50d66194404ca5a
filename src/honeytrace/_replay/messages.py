"""Texts about calls that have no answer. Each names the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lookup.compare import Change, differences
from .calls import Call
from .values import short

_TEXT, _BEFORE = 50, 10
"""Characters of a text that are shown from its difference on, and before it."""
_CHANGES = 3
_ID = 18


def unlike(name: str, inputs: Mapping[str, Any], calls: Sequence[Call], source: str) -> str:
    """Return the text for inputs that no unused call has, with the nearest call."""
    unused = [call for call in calls if not call.used]
    nearest = min(unused, key=lambda call: _distance(call.inputs, inputs))
    place = f"call {calls.index(nearest) + 1} of {len(calls)}, recorded in {source}"
    changed = list(differences("inputs", nearest.inputs, dict(inputs)))
    if not changed:
        return f"{name} was asked what cannot be compared ({place}): {why_not_comparable(nearest)}"
    lines = [f"{name} was asked something new ({place})"]
    for change in changed[:_CHANGES]:
        lines += _change(change)
    if len(changed) > _CHANGES:
        lines.append(f"  and {len(changed) - _CHANGES} more differences")
    path = changed[0].path.removeprefix("inputs.")
    if path != "inputs":
        lines.append(f'  volatile? ignore={{"{name}": ["{_any_item(path)}"]}}')
    return "\n".join(lines)


def why_not_comparable(call: Call) -> str:
    """Return why the inputs of a recorded call have no key."""
    if "inputs" in call.details.get("set", ()):
        return 'the program set its inputs; match="name" takes the calls in order'
    return 'its inputs were cut when they were recorded; match="name" takes the calls in order'


def too_often(
    name: str, inputs: Mapping[str, Any], calls: Sequence[Call], now: int, *, alike: bool
) -> str:
    """Return the text for a call whose answers are all used. `alike`: they have its inputs."""
    if not calls:
        return f"{name} was called with {short(inputs)} and not recorded"
    if not alike:
        return (
            f"{name} was called {_times(now)} and recorded {_times(len(calls))}; this call, with "
            f"{short(inputs)}, is not among them"
        )
    return f"{name} was called {_times(now)} with {short(inputs)} and recorded {_times(len(calls))}"


def unused_text(names: Sequence[tuple[str, str]]) -> str:
    """Return the text for calls that were recorded and not asked for."""
    shown = ", ".join(f"{name} ({label})" for name, label in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"recorded but never asked: {shown}{more}"


def short_id(label: str) -> str:
    """Return the beginning of an id; the name of a file is kept."""
    return label[:_ID] if label.count("-") == 4 else label


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[int, int]:
    changed = list(differences("inputs", dict(one), dict(other)))
    alike = sum(_parting(each.before, each.after) for each in changed)
    return len(changed), -alike


def _change(change: Change) -> list[str]:
    before, after = change.before, change.after
    if not (isinstance(before, str) and isinstance(after, str)):
        sides = (
            ("(absent)" if change.kind == "added" else short(before)),
            ("(absent)" if change.kind == "removed" else short(after)),
        )
        return [f"  {change.path}", f"    recorded  {sides[0]}", f"    now       {sides[1]}"]
    at = _parting(before, after)
    start = max(at - _BEFORE, 0)
    head = f"  {change.path}  at character {at}"
    return [head, f"    recorded  {_from(before, start)}", f"    now       {_from(after, start)}"]


def _parting(one: object, other: object) -> int:
    """Return the index of the first character in which two texts differ."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return 0
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _from(text: str, start: int) -> str:
    end = start + _TEXT
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _any_item(path: str) -> str:
    """Return a path as `ignore` takes it: `messages[0].id` is `messages[].id`."""
    head, bracket, rest = path.partition("[")
    if not bracket:
        return path
    _, _, rest = rest.partition("]")
    return f"{head}[]{_any_item(rest)}" if rest else f"{head}[]"
