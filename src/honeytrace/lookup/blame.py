"""Blame: a run compared with the nearest good run of the same name, and the commits in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import SessionNotFound
from ..store import Query, Reader
from .commits import Commit, commits_between
from .compare import Change, Pair, compare
from .family import StoreFamily
from .recorded import RecordedSession

__all__ = ["Blame", "blame", "first_changes", "good_run"]

_CANDIDATES = 50
"""Good runs of the same name that are looked at, the nearest first."""


class Blame(NamedTuple):
    """A run, the good run that it is compared with, and everything that changed between them."""

    good: RecordedSession
    bad: RecordedSession
    """The outermost calls of both."""
    changed: Sequence[Pair]
    """The calls that changed by themselves, in the order of the tree; the first is the likely
    cause. A call that changed because one inside it did is not among them."""
    commits: Sequence[Commit] | None
    """The commits from one run to the other, the newest first; None where they are not known."""
    versions: Sequence[Change]
    """Libraries whose versions differ."""

    @property
    def suspects(self) -> list[Commit]:
        """The commits that touch the code of the first changed call for which there are any,
        otherwise all of them."""
        known = list(self.commits or ())
        for pair in self.changed:
            place = place_of(pair)
            if found := [each for each in known if each.touches(place)]:
                return found
        return known

    def to_dict(self) -> dict[str, Any]:
        """Everything for JSON."""
        suspects = self.suspects
        return {
            "good": _brief(self.good),
            "bad": _brief(self.bad),
            "changed": [{**pair.to_dict(), "code": place_of(pair)} for pair in self.changed],
            "commits": None
            if self.commits is None
            else [{**each.to_dict(), "suspect": each in suspects} for each in self.commits],
            "versions": [change.to_dict() for change in self.versions],
        }


def blame(store: Reader, session: RecordedSession, good: RecordedSession | None = None) -> Blame:
    """Compare the run of a session with the nearest good run, or with `good`.

    The commits between them are asked of the git repository around the working directory. Raises
    SessionNotFound if there is no good run.
    """
    bad = _run_of(store, session)
    good = good_run(store, bad, session) if good is None else _run_of(store, good)
    told = compare(good, bad)
    old, new = (_text(run.details.get("commit")) for run in (good, bad))
    known = commits_between(old, new) if old and new else None
    return Blame(good, bad, first_changes(told.pairs), known, _versions(good, bad))


def good_run(
    store: Reader, bad: RecordedSession, session: RecordedSession | None = None
) -> RecordedSession:
    """Return the nearest run of the same name that ended well, and in which calls named like
    `session` did: an earlier run if there is one. Raises SessionNotFound.
    """
    family = StoreFamily(store)
    named = Query(session_name=bad.session_name, status="ok", roots_only=True, limit=_CANDIDATES)
    for query in (named._replace(until=bad.start_time), named._replace(since=bad.start_time)):
        found = [each for each in store.list(query) if each.event_id != bad.session_id]
        if query.since is not None:
            found = found[::-1]  # the nearest of later ones is the oldest
        for record in found:
            if session is None or not _failed_in(store, record.event_id, session.session_name):
                return family.load(record)
    raise SessionNotFound(
        f"no other run of {bad.session_name!r} ended well: name one to compare with, `--good ID`"
    )


def first_changes(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that differ without one inside them that does, in the order of the tree."""
    found = []
    for number, pair in enumerate(pairs):
        if pair.status == "same":
            continue
        inside = pairs[number + 1 :]
        changed_inside = False
        for each in inside:
            if each.place.depth <= pair.place.depth:
                break
            changed_inside = changed_inside or each.status != "same"
        if not changed_inside or _other_inputs(pair):
            found.append(pair)
    return found


def place_of(pair: Pair) -> str | None:
    """Return the code of a pair, as `module:name@file:line`."""
    session = pair.after or pair.before
    return _text(getattr(session, "details", {}).get("code"))


def _other_inputs(pair: Pair) -> bool:
    """Return whether a call was given something else, which nothing inside it explains."""
    return pair.place.depth > 0 and any(
        change.path.split(".")[0].split("[")[0] == "inputs" for change in pair.changes
    )


def _run_of(store: Reader, session: RecordedSession) -> RecordedSession:
    if session.root_id in ("", session.session_id):
        return session
    record = store.get(session.root_id)
    return session if record is None else StoreFamily(store).load(record)


def _failed_in(store: Reader, root_id: str, name: str) -> bool:
    return any(
        each.session_name == name and each.status == "error" for each in store.outline(root_id)
    )


def _versions(good: RecordedSession, bad: RecordedSession) -> list[Change]:
    """Return the versions that differ, where both runs have them: one root of a process does."""
    old, new = (run.details.get("versions") for run in (good, bad))
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return [Change(name, "changed", old.get(name), new.get(name)) for name in names]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _brief(run: RecordedSession) -> dict[str, Any]:
    fields = ("session_id", "session_name", "status", "error", "start_time")
    return {name: getattr(run, name) for name in fields} | {"commit": run.details.get("commit")}
