"""The code that a session ran with: the commit, and the versions of the libraries.

A root names its commit. One root of a process names the versions, a minute later another one, so
those of every other run are found at a run of the same process. The process shows in the ids: their
last 62 bits count up from a random number (`_capture/ids.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .._base.lazy import orjson
from .._record.record import RESERVED, Record
from ..errors import ConfigurationError
from ..store import Query, Reader

__all__ = ["Code", "Version", "codes"]

_NEAR = 1_000
"""Runs that are looked at for versions, besides those that are asked for."""

_PROCESS = 32
"""Bits of the counter in which the ids of one process differ."""


class Code(NamedTuple):
    """The commit, empty if it is unknown, and the versions by library."""

    commit: str = ""
    versions: Mapping[str, str] = {}

    def names(self) -> list[str]:
        """Return the versions as texts, without those of Python and honeytrace."""
        rest = {name: text for name, text in self.versions.items() if name not in _COMMON}
        return [f"{name} {text}" for name, text in sorted(rest.items())]


_COMMON = ("honeytrace", "python")


class Version(NamedTuple):
    """A condition on the code: `commit=3f2a9c` or `openai=2.1`, of which the beginning counts."""

    name: str
    beginning: str

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a condition. Raises ConfigurationError."""
        name, _, beginning = text.partition("=")
        name, beginning = name.strip().removeprefix("versions."), beginning.strip()
        if not name or not beginning:
            raise ConfigurationError(
                f"a version reads like openai=2.1 or commit=3f2a9c, not {text!r}"
            )
        return cls(name, beginning)

    def met(self, code: Code) -> bool:
        """Return whether a session ran with this code. A version ends at a dot or a dash: `2.1`
        is not met by `2.10`."""
        if self.name == "commit":
            return code.commit.startswith(self.beginning)
        found = code.versions.get(self.name, "")
        rest = found[len(self.beginning) :]
        whole = not rest or not (rest[0].isalnum() and self.beginning[-1].isalnum())
        return found.startswith(self.beginning) and whole


def codes(store: Reader, records: Sequence[Record]) -> dict[str, Code]:
    """Return the code of each session by id: the commit is that of its root, the versions are
    those of its process. Sessions of which neither is known are left out."""
    roots = {each.event_id: each for each in records if each.parent_id is None}
    missing = dict.fromkeys(each.root_id for each in records if each.root_id not in roots)
    roots |= {each.event_id: each for each in store.get_many(list(missing))}
    own = {root_id: _own(root) for root_id, root in roots.items()}
    processes = _processes(roots.values(), own)
    unknown = [
        root
        for root in roots.values()
        if not own[root.event_id].versions and _process(root.event_id) not in processes
    ]
    if unknown:
        oldest = min(unknown, key=lambda root: root.start_time)
        near = Query(roots_only=True, until=oldest.start_time, limit=_NEAR)
        before = store.list(near)
        stamped = {each.event_id: _own(each) for each in before}
        processes = _processes(before, stamped) | processes
    found: dict[str, Code] = {}
    for record in records:
        code = own.get(record.root_id)
        if code is None:
            continue
        versions = code.versions or processes.get(_process(record.root_id), {})
        if versions or code.commit:
            found[record.event_id] = Code(code.commit, versions)
    return found


def _processes(
    roots: Iterable[Record], own: Mapping[str, Code]
) -> dict[int | None, Mapping[str, str]]:
    """Return the versions of each process that any of these runs names."""
    named = (each for each in roots if own[each.event_id].versions)
    found = {_process(each.event_id): own[each.event_id].versions for each in named}
    found.pop(None, None)
    return found


def _own(root: Record) -> Code:
    """Return the code that a root itself names."""
    metadata = root.metadata or b""
    if b'"commit"' not in metadata and b'"versions"' not in metadata:
        return Code()
    details = orjson.loads(metadata).get(RESERVED) or {}
    commit, versions = details.get("commit"), details.get("versions")
    return Code(
        commit if isinstance(commit, str) else "",
        {name: str(text) for name, text in versions.items()} if isinstance(versions, dict) else {},
    )


def _process(session_id: str) -> int | None:
    """Return the part of an id that is the same for all sessions of a process; None for an id that
    is not one of ours."""
    if len(session_id) != 36 or session_id[14] != "7":
        return None
    try:
        counter = int(session_id[19:].replace("-", ""), 16)
    except ValueError:
        return None
    return (counter & (1 << 62) - 1) >> _PROCESS
