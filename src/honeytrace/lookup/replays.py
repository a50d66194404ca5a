"""A set of replays as its store has it: every run before and after, with scores and figures.

A set is a session called `replays`. Each call that was replayed is a session called `replay` inside
it, with the new run inside; its notes under the reserved key hold a `ReplayRow`. So the tree of the
set is its membership, on every engine, and a set that was cut short has the rows that were done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from .._display.figures import amount_text
from .._display.text import duration_text
from .._record.record import RESERVED, Record
from ..store import Query, Reader
from .recorded import RecordedSession

__all__ = [
    "NOTE",
    "SET",
    "VERDICTS",
    "Figures",
    "ReplayRow",
    "Replays",
    "Score",
    "Standing",
    "counted",
    "figures_of",
    "is_set",
    "new_run",
    "original",
    "standings",
    "stored_rows",
]

SET = "replays"
"""The name of a set's session."""

NOTE = "replay"
"""The note that holds a row, and the name of the session of a replay."""

VERDICTS = ("match", "changed", "failed", "refused")
"""match: the same outputs and error. changed: others. failed: the call raised, and did not before.
refused: it could not be replayed."""


class Figures(NamedTuple):
    """What a run took: milliseconds, tokens and US dollars; None where unknown.

    Tokens and cost are those that were spent, without calls that were answered from the recording.
    """

    duration: float | None = None
    tokens: int | None = None
    cost: float | None = None

    @property
    def texts(self) -> tuple[str, str, str]:
        """The figures as people read them; empty where unknown."""
        return (
            "" if self.duration is None else duration_text(self.duration),
            "" if self.tokens is None else f"{self.tokens:,}",
            "" if self.cost is None else amount_text(self.cost),
        )


_UNKNOWN = Figures()


class Score(NamedTuple):
    """A score of a run, before and after; None where it is unknown."""

    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """By how much the score rose."""
        both = self.before is not None and self.after is not None
        return self.after - self.before if both else None  # type: ignore[operator]

    def __str__(self) -> str:
        texts = ["?" if each is None else f"{each:.4g}" for each in self]
        return texts[0] if texts[0] == texts[1] else " → ".join(texts)


class Standing(NamedTuple):
    """A score over a whole set: both means, of the runs that have both, and how many changed."""

    before: float | None
    after: float | None
    better: int
    worse: int
    same: int


@dataclass(frozen=True)
class ReplayRow:
    """One call of a set.

    verdict: one of `"match"`, `"changed"`, `"failed"` and `"refused"`.
    reason: why a call was refused or failed; empty otherwise. asked: its inputs in a few words.
    before_id, after_id: the ids of both runs; `after_id` is None if there is no new run.
    calls_changed: how many calls of the new run differ from the recorded ones, the run included.
    scores: the scores by name. notes: what ran although it was to be answered, and the like.
    """

    session_name: str
    before_id: str
    verdict: str
    reason: str = ""
    asked: str = ""
    after_id: str | None = None
    calls_changed: int = 0
    before: Figures = _UNKNOWN
    after: Figures = _UNKNOWN
    scores: Mapping[str, Score] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, under the names of the fields."""
        fields = dict(vars(self))
        for side in ("before", "after"):
            fields[side] = fields[side]._asdict()
        fields["scores"] = {name: each._asdict() for name, each in self.scores.items()}
        fields["notes"] = list(self.notes)
        return fields

    @classmethod
    def of(cls, note: object) -> ReplayRow | None:
        """Return the row that `to_dict` gave; None for anything else."""
        if not isinstance(note, dict):
            return None
        try:
            fields = {name: note[name] for name in cls.__dataclass_fields__}
            for side in ("before", "after"):
                fields[side] = Figures(**fields[side])
            fields["scores"] = {name: Score(**each) for name, each in fields["scores"].items()}
            return cls(**fields)
        except (KeyError, TypeError, AttributeError):  # of another version
            return None


def figures_of(session: RecordedSession) -> Figures:
    """Return what a run took, with everything inside it."""
    usage = session.usage
    return Figures(session.duration, usage.total_tokens, usage.cost)


def is_set(session: RecordedSession) -> bool:
    """Return whether a session is a set of replays."""
    return session.session_name == SET and session.source == "replay"


class Replays:
    """Tells sessions of a replay from those of the program itself."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def have(self, session: RecordedSession) -> bool:
        """Return whether a session was recorded by a replay, at whatever depth."""
        path: list[str] = []
        around: RecordedSession | None = session
        found = False
        while around is not None and around.session_id not in path:
            path.append(around.session_id)
            found = self._known.get(around.session_id, _is_replay(around))
            if found or around.session_id in self._known:
                break
            around = around.parent
        self._known.update(dict.fromkeys(path, found))
        return found


def _is_replay(session: RecordedSession) -> bool:
    return is_set(session) or (session.session_name == NOTE and "of" in session.metadata)


def original(session: RecordedSession) -> RecordedSession:
    """Return the call that a replay made again; any other session is returned as it is."""
    if is_set(session) or not _is_replay(session) or session._family is None:
        return session
    found = session._family.get(str(session.metadata["of"]))
    return session if found is None else found


def new_run(session: RecordedSession) -> RecordedSession:
    """Return the run that a replay recorded; any other session is returned as it is."""
    children = [] if is_set(session) or not _is_replay(session) else session.children
    return children[0] if children else session


def stored_rows(reader: Reader, set_id: str, most: int) -> list[ReplayRow]:
    """Return the newest rows of a set, in order of start: `most` + 1 of them if there are more."""
    found = reader.list(Query(parent_id=set_id, session_name=NOTE, limit=most + 1))
    rows = (_row(record) for record in reversed(found))
    return [row for row in rows if row is not None]


def _row(record: Record) -> ReplayRow | None:
    details = orjson.loads(record.metadata or b"{}").get(RESERVED)
    return ReplayRow.of(details.get(NOTE)) if isinstance(details, dict) else None


def counted(rows: Iterable[ReplayRow]) -> dict[str, int]:
    """Return the number of rows of each verdict."""
    counts = Counter(row.verdict for row in rows)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def standings(rows: Iterable[ReplayRow]) -> dict[str, Standing]:
    """Return every score over the whole set."""
    found: dict[str, list[Score]] = {}
    for row in rows:
        for name, score in row.scores.items():
            found.setdefault(name, []).append(score)
    return {name: _standing(scores) for name, scores in found.items()}


def _standing(scores: Sequence[Score]) -> Standing:
    both = [each for each in scores if each.change is not None]
    changes = [each.change or 0.0 for each in both]
    means = [
        sum(side) / len(both) if both else None
        for side in ([each.before or 0.0 for each in both], [each.after or 0.0 for each in both])
    ]
    better, worse = sum(each > 0 for each in changes), sum(each < 0 for each in changes)
    return Standing(means[0], means[1], better, worse, len(both) - better - worse)


for _public in (Figures, Score, Standing, ReplayRow):
    _public.__module__ = "honeytrace"
