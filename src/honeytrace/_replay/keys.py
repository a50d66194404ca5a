"""Equality of the inputs of two calls, as texts that can be looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._base.lazy import orjson
from .damage import ADDRESS, CUT

_STEP = re.compile(r"\[\]|[^.\[\]]+")
_ITEMS = re.compile(r"…\[cut \d+ items|…\[cut \d+ bytes")
_ANY = "*"


def masks_of(details: Mapping[str, Any]) -> frozenset[str]:
    """Return the paths of masked inputs in a record's details, without `inputs.`."""
    paths = details.get("masked") or ()
    return frozenset(
        path[len("inputs.") :]
        for path in paths
        if isinstance(path, str) and path.startswith("inputs.")
    )


def cut_of(details: Mapping[str, Any]) -> str | None:
    """Return the digest of inputs that were cut."""
    cut = details.get("cut")
    found = cut.get("inputs") if isinstance(cut, Mapping) else None
    return found if isinstance(found, str) else None


def key_of(inputs: Any, cut: str | None = None, hidden: Iterable[str] = ()) -> str | None:
    """Return a text that equal inputs have in common; None if they cannot be compared.

    cut: the digest of what was cut. hidden: paths whose values do not count, as receipts of
    masking have them: `messages[].id`.
    """
    paths = [_STEP.findall(path) for path in hidden]
    tree = orjson.loads(orjson.dumps(inputs)) if paths else inputs
    for steps in paths:
        _hide(tree, steps)
    text = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS).decode()
    if CUT in text:
        if cut is None or _ITEMS.search(text):
            return None
        text += cut
    return ADDRESS.sub(" at 0x", text) if " at 0x" in text else text


def _hide(tree: Any, steps: list[str]) -> None:
    """Replace the values at a path, in place."""
    level = [tree]
    for at, step in enumerate(steps):
        last = at == len(steps) - 1
        below: list[Any] = []
        for node in level:
            if step == "[]" and isinstance(node, list):
                below += node
                if last:
                    node[:] = [_ANY] * len(node)
            elif isinstance(node, dict) and step in node:
                below.append(node[step])
                if last:
                    node[step] = _ANY
        level = below
