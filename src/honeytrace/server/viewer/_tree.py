"""The tree of a session as rows with bars on the timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ...lookup import StoreFamily
from ...lookup.marks import Mark, Marks
from ...lookup.recorded import RecordedSession
from ...lookup.running import RUNNING
from ...lookup.tree import Place, walk
from ...store import Outline
from ._sift import MARK_NAMES
from ._usage import UNKNOWN, Figures, Kind

__all__ = ["Call", "Tree", "lay_out", "named"]

_MOST = 10_000
"""Number of rows on one page."""

_CHUNK = 100
"""Number of rows that a browser lays out, or skips, together."""


@dataclass(frozen=True)
class Call:
    """A row of the tree. `x` and `width` are per cent of the timeline."""

    session_id: str
    name: str
    status: str
    error: str
    level: int
    """Depth, starting at 1 as `aria-level` does."""
    folds: bool
    """True if calls inside follow."""
    x: str
    width: str
    start: float
    """Epoch milliseconds."""
    duration: float | None
    selected: bool
    kind: Kind
    figures: Figures
    marks: Sequence[tuple[str, str, str]]
    """What is unusual about the call: kind, name and sentence."""


@dataclass(frozen=True)
class Tree:
    """The data of the timeline."""

    chunks: Sequence[Sequence[Call]]
    count: int
    left: int
    """Number of calls of the tree that are not shown."""
    start: float
    span: float
    """Start in milliseconds since the epoch, and length of the timeline in milliseconds."""


def lay_out(
    family: StoreFamily, session: RecordedSession, figures: Mapping[str, Figures], marks: Marks
) -> tuple[RecordedSession, Tree]:
    """Return the top session of the tree, and the tree with `session` selected.

    The top is the root. If the root is not stored (it has not ended yet), or the tree is so large
    that the session would not be on the page, the top is the session itself.
    """
    outlines = family.outline(session)
    root = family.get(session.root_id) or session
    for top in (root, session):
        start = next((each for each in outlines if each.session_id == top.session_id), None)
        if start is None:  # The session was deleted after it was read.
            continue
        places = list(islice(walk(start, outlines), _MOST))
        if top is session or any(node.session_id == session.session_id for node, _ in places):
            return top, _tree(places, len(outlines), session.session_id, figures, marks)
    return session, Tree([], 0, 0, session.start_time, 0)


def _tree(
    places: list[tuple[Outline, Place]],
    known: int,
    selected: str,
    figures: Mapping[str, Figures],
    marks: Marks,
) -> Tree:
    start = min(node.start_time for node, _ in places)
    end = max(node.start_time + (node.duration or 0) for node, _ in places)
    if any(node.status == RUNNING for node, _ in places):
        end = max(end, time.time() * 1000)
    calls = list(_calls(places, start, (end - start) or 1, selected, figures, marks))
    chunks = [calls[i : i + _CHUNK] for i in range(0, len(calls), _CHUNK)]
    left = known - len(calls) if len(calls) == _MOST else 0
    return Tree(chunks, len(calls), left, start, end - start)


def _calls(
    places: list[tuple[Outline, Place]],
    start: float,
    span: float,
    selected: str,
    figures: Mapping[str, Figures],
    marks: Marks,
) -> Iterator[Call]:
    for i, (node, place) in enumerate(places):
        following = places[i + 1][1].depth if i + 1 < len(places) else 0
        x = (node.start_time - start) / span * 100
        # A call that has not ended reaches to the end of the timeline.
        width = 100 - x if node.duration is None else node.duration / span * 100
        yield Call(
            node.session_id,
            node.session_name,
            node.status,
            node.error or "",
            place.depth + 1,
            following > place.depth,
            f"{x:.3f}",
            f"{width:.3f}",
            node.start_time,
            node.duration,
            node.session_id == selected,
            _kind(node, figures.get(node.session_id)),
            figures.get(node.session_id) or UNKNOWN,
            named(marks.get(node.session_id, ())),
        )


def named(marks: Sequence[Mark]) -> list[tuple[str, str, str]]:
    """Return kind, name and sentence of the marks of a call."""
    return [(mark.kind, MARK_NAMES[mark.kind], mark.text) for mark in marks]


def _kind(node: Outline, figures: Figures | None) -> Kind:
    """Return the kind of a call: the recorded kind, or one derived from its use of a model."""
    if node.event_type == "model" or (figures is not None and figures.own):
        return "model"
    if node.event_type == "tool":
        return "tool"
    return "run" if node.parent_id is None else "call"
