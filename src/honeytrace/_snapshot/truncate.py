"""Cutting a tree of plain JSON to a number of bytes: strings go first, then items, then depth."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

from .._base.lazy import orjson
from .limits import SHORTEST
from .redact import unused

_MARKER: Final = 32  # bytes of a marker
_CUT_ITEMS: Final = re.compile(r"…\[cut (\d{1,12}) items(?:, deeper than \d+)?\]")
_CUT_TEXT: Final = re.compile(r"…\[cut (\d{1,12}) characters\]\Z")


def fit(tree: Any, room: int, receipt: list[Any] | None = None, path: str = "") -> bytes:
    """Return `tree` as JSON in at most `room` bytes.

    `receipt` gains `(path, digest)` for a tree that is cut.
    """
    out = orjson.dumps(tree)
    if len(out) <= room:
        return out
    note_cut(receipt, path, out.decode())
    whole = len(out)
    tree = orjson.loads(out)  # fragments are open from here on
    sizes, widest = _measure(tree)
    longest = _longest(sizes, room - (whole - sum(sizes)))
    items, depth = widest, 256
    while depth:
        out = orjson.dumps(_prune(tree, longest, items, depth))
        if len(out) <= room:
            return out
        if longest > SHORTEST:
            longest = SHORTEST
        elif items > 1:
            items = min(items - 1, items * room // len(out)) or 1
        else:
            depth = min(depth // 2, 16)
    return orjson.dumps(f"…[cut {whole} bytes]")


def note_cut(receipt: list[Any] | None, path: str, *lost: str) -> None:
    """Add `(path, digest)` of what was cut to a receipt, so that two cut values can be told apart.

    A further cut of the same value goes into the same digest.
    """
    if receipt is None:
        return
    made = blake2b(digest_size=8)
    if receipt and type(receipt[-1]) is tuple and receipt[-1][0] == path:
        made.update(receipt.pop()[1].encode())
    for text in lost:
        made.update(text.encode("utf-8", "backslashreplace"))
    receipt.append((path, made.hexdigest()))


def _measure(tree: Any) -> tuple[list[int], int]:
    """Return the JSON sizes of the long string values, and the members of the widest container."""
    sizes: list[int] = []
    widest, stack = 1, [tree]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is str:
            if len(node) > SHORTEST // 6:
                sizes.append(_size(node))
        elif kind is list or kind is dict:
            widest = max(widest, len(node))
            stack.extend(node if kind is list else node.values())
    return sizes, widest


def _size(text: str) -> int:
    """Return the bytes of a text in JSON."""
    return len(orjson.dumps(text))


def _longest(sizes: list[int], room: int) -> int:
    """Return the largest bound such that all strings, each cut to it, take `room` bytes."""
    sizes.sort()
    for i, size in enumerate(sizes):
        if size * (len(sizes) - i) > room:
            return max(room // (len(sizes) - i), SHORTEST)
        room -= size
    return sizes[-1] if sizes else SHORTEST


def _prune(node: Any, longest: int, items: int, depth: int) -> Any:
    kind = type(node)
    if kind is str:
        return (
            node if len(node) * 6 < longest or _CUT_ITEMS.fullmatch(node) else _cut(node, longest)
        )
    if kind is list:
        if node and not depth:
            return _marker(len(node))
        kept = [_prune(item, longest, items, depth - 1) for item in node[:items]]
        return kept if len(node) <= items else [*kept, _marker(_left_out(node[items:]))]
    if kind is dict:
        if node and not depth:
            return _marker(len(node))
        members = list(node.items())
        tree: dict[str, Any] = {}
        for key, item in members[:items]:
            tree[unused(_cut(key, longest), tree)] = _prune(item, longest, items, depth - 1)
        if len(members) > items:
            tree[unused("…", tree)] = _marker(_left_out([v for _, v in members[items:]]))
        return tree
    return node


def _marker(count: int) -> str:
    return f"…[cut {count} items]"


def _left_out(rest: list[Any]) -> int:
    """Return how many members these are, one of which may say how many it stands for."""
    last = rest[-1]
    found = _CUT_ITEMS.fullmatch(last) if type(last) is str else None
    return len(rest) - 1 + int(found[1]) if found else len(rest)


def _cut(text: str, size: int) -> str:
    """Return `text` in about `size` bytes of JSON, the marker included."""
    if len(text) * 6 < size:
        return text
    have = _size(text)
    if have <= size:
        return text
    kept = len(text)
    while kept and have > size:
        kept = min(kept - 1, kept * max(size - _MARKER, 0) // have)
        have = _size(text[:kept]) + _MARKER
    cut = _CUT_TEXT.search(text, max(len(text) - _MARKER, 0))
    left_out = len(text) - kept + (int(cut[1]) - len(cut[0]) if cut else 0)
    return f"{text[:kept]}…[cut {left_out} characters]"
