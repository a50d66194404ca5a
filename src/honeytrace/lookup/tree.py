"""Sessions put in their places: who ran inside whom, in the order in which a tree is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar


class Node(Protocol):
    """The fields that decide a place; a `RecordedSession` and a store's `Outline` have them."""

    @property
    def session_id(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    @property
    def children_ids(self) -> Sequence[str]: ...


N = TypeVar("N", bound=Node)


class Place(NamedTuple):
    """The depth of a session below the first one, and whether it is its parent's last child."""

    depth: int
    last: bool


def walk(top: N, found: Iterable[N]) -> Iterator[tuple[N, Place]]:
    """Yield `top` and its descendants in `found`, each before its children and each once.

    Siblings keep the order they are found in. Without recursion: a chain of calls may be longer
    than Python's stack. Data in which a session is its own ancestor cannot loop, since the
    children of a parent are given up when the parent is reached.
    """
    found = list(found)
    named = {child: node.session_id for node in (top, *found) for child in node.children_ids}
    known = {top.session_id, *(node.session_id for node in found)}
    is_root = top.parent_id is None
    inside: dict[str | None, list[N]] = {}
    for node in found:
        if node.session_id != top.session_id:
            parent_id = node.parent_id or named.get(node.session_id)
            if is_root and parent_id is not None and parent_id not in known:
                # the parent is running, was lost, or has another id: it is shown below the root
                parent_id = top.session_id
            inside.setdefault(parent_id, []).append(node)
    yield top, Place(0, True)
    stack = [iter(inside.pop(top.session_id, []))]
    waiting = [next(stack[0], None)]
    while stack:
        reached = waiting[-1]
        if reached is None:
            stack.pop()
            waiting.pop()
            continue
        waiting[-1] = next(stack[-1], None)
        yield reached, Place(len(stack), waiting[-1] is None)
        stack.append(iter(inside.pop(reached.session_id, [])))
        waiting.append(next(stack[-1], None))


def below(top: N, sessions: Iterable[N]) -> list[N]:
    """Return the descendants of `top` among sessions in order of start, by their parents alone.

    `walk` puts calls of a run whose parent is unknown below its root; these are left out here.
    """
    inside = {top.session_id}
    found = []
    for each in sessions:  # a parent comes before its children
        if each.parent_id in inside:
            inside.add(each.session_id)
            found.append(each)
    return found
