"""Values that a record does not hold whole: cut, masked, hidden, or pictures of objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CUT = "…[cut "
_CUT = re.compile(r"…\[cut \d+ (?:characters|items|bytes)[^\]]*\]$|…\[\d+ bits\]$")
_HIDDEN = re.compile(
    r"^<(?:\d+ bytes: .*|hidden: .*|cycle|not recorded: .*|.* when recorded)>$", re.DOTALL
)
_PICTURE = re.compile(r"<[A-Za-z_][\w.]*(?: [^<>]*)?>")
_MASKED = ("[redacted]", "**********")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def damage(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the fault of every value in recorded JSON that is not what it was."""
    stack = [(path, tree)]
    while stack:
        at, node = stack.pop()
        if isinstance(node, str):
            fault = _fault(node)
            if fault:
                yield at, fault
        elif isinstance(node, dict):
            if "__type__" in node:
                yield at, f"is an object of {node['__type__']!s:.80}, which JSON cannot hold"
                continue
            members = ((f"{at}.{name}" if at else name, each) for name, each in node.items())
            stack += [*members][::-1]
        elif isinstance(node, list):
            stack += [(f"{at}[{i}]", each) for i, each in enumerate(node)][::-1]


def pictures(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of every text that may be the picture of an object: `<object>`.

    A tag of HTML looks the same, so only values without annotation are held against this.
    """
    for at, text in _texts(tree, path):
        if text.startswith("<") and _PICTURE.fullmatch(text):
            yield at, text


def _texts(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    stack = [(path, tree)]
    while stack:
        at, node = stack.pop()
        if isinstance(node, str):
            yield at, node
        elif isinstance(node, dict):
            stack += [(f"{at}.{name}", each) for name, each in node.items()]
        elif isinstance(node, list):
            stack += [(f"{at}[{i}]", each) for i, each in enumerate(node)]


def _fault(text: str) -> str | None:
    if any(mask in text for mask in _MASKED):
        return "was masked"
    if CUT in text[-80:] and _CUT.search(text[-80:]):
        return "was cut"
    if text.endswith("bits]") and _CUT.search(text[-80:]):
        return "was cut"
    if text.startswith("<") and text.endswith(">"):
        if _HIDDEN.match(text):
            return f"was recorded as {text:.40}"
        if ADDRESS.search(text):
            return f"is an object ({text:.60}), which JSON cannot hold"
    return None
