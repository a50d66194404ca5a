"""The last moments of a process: what was open, what ended before, and how it died.

The calls come from the journal that the process left, or, once that was recovered, from the store:
the recovery keeps what was known of the death in the details of each call that was open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .._config import NO_JOURNAL
from .._display.text import duration_text
from .._durability.dead_journals import dead
from .._durability.directories import candidates
from .._record.record import Record
from ..errors import SessionNotFound
from ..store import Outline, Query, Reader
from .family import StoreFamily
from .recorded import RecordedSession
from .tree import below, walk

__all__ = ["LAST", "OpenAtTheEnd", "Postmortem", "facts", "postmortem"]

LAST = 20
"""Finished calls that are told, the last ones before the end."""

_NEWEST = 1_000
"""Interrupted calls of the store among which a process is looked for, the newest first."""


class OpenAtTheEnd(NamedTuple):
    """A call that was open when its process died. `age` is in milliseconds: it ran at least that
    long, up to the last sign of life; None if the call did not come with such a sign."""

    session: RecordedSession
    depth: int
    age: float | None


class Postmortem(NamedTuple):
    """The end of a process, or of a run. Times are epoch milliseconds, durations milliseconds."""

    death: Mapping[str, Any] | None
    """`pid`, `program`, `last_seen`, `found`, `cause`, `text`, `certain`; None if nothing died."""
    open: Sequence[OpenAtTheEnd]
    finished: Sequence[RecordedSession]
    """The last calls that ended in the same runs, the latest end first."""
    model_call: RecordedSession | None
    """The last model call that ended before the end."""
    last_activity: float | None
    """The last time at which a call began or ended."""
    runs: Sequence[RecordedSession]
    """The outermost calls that belong to this end, as far as they are known."""

    @property
    def latest(self) -> str:
        """The heading of the last calls that ended."""
        many = f"{len(self.finished)} calls" if len(self.finished) != 1 else "call"
        return f"the last {many} that ended, the latest first"

    @property
    def silence(self) -> float | None:
        """Milliseconds from the last begin or end of a call to the last sign of life."""
        seen = None if self.death is None else self.death.get("last_seen")
        if seen is None or self.last_activity is None:
            return None
        return max(float(seen) - self.last_activity, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Everything that is known, for JSON."""
        return {
            "death": None if self.death is None else dict(self.death),
            "last_activity": self.last_activity,
            "silence": self.silence,
            "runs": [_brief(each) for each in self.runs],
            "open": [
                {**_brief(each.session), "depth": each.depth, "age": each.age} for each in self.open
            ],
            "model_call": None if self.model_call is None else _brief(self.model_call),
            "finished": [_brief(each) for each in self.finished],
        }


def postmortem(
    store: Reader, journal: str, *, pid: int | None = None, run: RecordedSession | None = None
) -> Postmortem:
    """Return the end of a process, of the process that a run belonged to, or of the last one.

    journal: the directory of the journals, read for processes that no recovery has dealt with yet.
    A `run` that ended by itself is told, too: nothing was open then. Raises SessionNotFound.
    """
    deaths = [] if journal == NO_JOURNAL else list(_dead(journal))
    if deaths:
        from ..store.overlay import Overlay  # 4 ms

        store = Overlay(store, [record for _, records in deaths for record in records])
    known = [*deaths, *_recovered(store)]
    if run is not None:
        known = [each for each in known if any(r.root_id == run.root_id for r in each[1])]
    elif pid is not None:
        known = [each for each in known if each[0].get("pid") == pid]
    if known:
        death, records = max(known, key=lambda each: each[0].get("last_seen") or 0.0)
        open_ids = {r.event_id for r in records if r.status == "interrupted"}
        roots = list(dict.fromkeys(r.root_id for r in records if r.event_id in open_ids))
        return _told(store, death, open_ids, roots or [records[-1].root_id])
    if run is None:
        who = "no process" if pid is None else f"no dead process {pid}"
        raise SessionNotFound(f"{who} left a call that had not ended, in {journal} or the store")
    return _told(store, None, set(), [run.root_id])


Left = tuple[Mapping[str, Any], Sequence[Record]]
"""What is known of a death, and records of the process."""


def _dead(journal: str) -> Iterator[Left]:
    for directory in candidates(journal):
        for each in dead(directory):
            if any(record.status == "interrupted" for record in each.calls):
                yield each.death, each.calls


def _recovered(store: Reader) -> Iterator[Left]:
    """Yield the deaths that the store tells of, from the details of interrupted calls."""
    family = StoreFamily(store)
    processes: dict[Any, tuple[Mapping[str, Any], list[Record]]] = {}
    for record in store.list(Query(status="interrupted", limit=_NEWEST)):
        death = family.load(record).details.get("process")
        if not isinstance(death, dict):  # a record of another program, or of an older version
            death = {"last_seen": record.start_time, "text": "unknown", "cause": "unknown"}
            key: Any = record.root_id
        else:
            key = death.get("pid"), death.get("last_seen")
        processes.setdefault(key, (death, []))[1].append(record)
    yield from processes.values()


def _told(
    store: Reader, death: Mapping[str, Any] | None, open_ids: set[str], roots: Sequence[str]
) -> Postmortem:
    family = StoreFamily(store)
    outlines: dict[str, Outline] = {}
    for root_id in roots:
        outlines.update((each.session_id, each) for each in store.outline(root_id))
    ended = [each for each in outlines.values() if each.duration is not None]
    ended.sort(key=_end, reverse=True)
    # beside the calls that are told, the last model call, which may be further back
    model = next((each for each in ended if each.event_type == "model"), None)
    wanted = [each.session_id for each in ended[:LAST]]
    finished = [family.load(record) for record in store.get_many(wanted)]
    called = None if model is None else store.get(model.session_id)
    times = [*(each.start_time for each in outlines.values()), *map(_end, ended)]
    return Postmortem(
        death=death,
        open=list(_open(store, open_ids, None if death is None else death.get("last_seen"))),
        finished=finished,
        model_call=None if called is None else family.load(called),
        last_activity=max(times, default=None),
        runs=[family.load(record) for record in store.get_many(list(roots))],
    )


def _open(store: Reader, ids: set[str], seen: float | None) -> Iterator[OpenAtTheEnd]:
    family = StoreFamily(store)
    sessions = [family.load(record) for record in store.get_many(list(ids))]
    sessions.sort(key=lambda each: (each.start_time, each.session_id))
    for top in sessions:
        if top.parent_id not in ids:
            inside = below(top, sessions)
            for each, place in walk(top, inside):
                age = None if seen is None else max(seen - each.start_time, 0.0)
                yield OpenAtTheEnd(each, place.depth, age)


def _end(each: Outline) -> float:
    return each.start_time + (each.duration or 0.0)


def _brief(session: RecordedSession) -> dict[str, Any]:
    fields = (
        *("session_id", "session_name", "event_type", "status", "parent_id", "root_id"),
        *("start_time", "duration", "error", "inputs", "outputs"),
    )
    return {name: getattr(session, name) for name in fields}


def facts(told: Postmortem) -> list[tuple[str, str]]:
    """Return what is known of the end, as terms and texts for people."""
    death = told.death
    if death is None:
        run = told.runs[0] if told.runs else None
        ended = "" if run is None else run.error or run.status
        return [("cause", f"nothing was open: the run ended by itself ({ended})")]
    found = [("cause", str(death.get("text", "unknown")))]
    if death.get("pid"):
        found.insert(0, ("process", f"{death['pid']} {death.get('program', '')}".strip()))
    if death.get("last_seen") is not None:
        found.append(("last sign of life", _moment(death["last_seen"])))
    if told.silence is not None:
        found.append(("silence before", f"{duration_text(told.silence)} without a begin or an end"))
    if death.get("found") is not None:
        found.append(("found dead", _moment(death["found"])))
    return found


def _moment(ms: float) -> str:
    """Return a moment in local time, with its offset."""
    try:
        return datetime.fromtimestamp(ms / 1000).astimezone().isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):  # no calendar has it
        return f"{ms:.0f} ms"
