"""Short names: #1, #2, … stand for the sessions of the last list that a terminal showed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

import orjson

from .._base.lazy import pattern

__all__ = ["recalled", "remember"]

_LIST = pattern(r"list-\d+\.json")
_KEPT = 20
"""Lists of terminals that are kept beside a new one."""


def _file() -> str:
    """Return the file for this terminal's last list.

    The directory is that of the XDG Base Directory Specification for state.
    """
    state = os.environ.get("XDG_STATE_HOME")
    if not state or not os.path.isabs(state):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    session = os.getsid(0) if hasattr(os, "getsid") else 0
    return os.path.join(state, "honeytrace", f"list-{session}.json")


def remember(ids: Sequence[str]) -> None:
    """Keep the ids of a list for `recalled`; without a place to write, there are no short names."""
    file = _file()
    directory = os.path.dirname(file)
    with suppress(OSError):
        if not os.path.isabs(file):  # a user without a home leaves the "~" as it is
            return
        os.makedirs(directory, mode=0o700, exist_ok=True)
        lists = [each for each in os.scandir(directory) if _LIST.fullmatch(each.name)]
        for old in sorted(lists, key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            os.unlink(old.path)
        with open(file, "wb") as kept:
            kept.write(orjson.dumps(list(ids)))


def recalled(number: int) -> str | None:
    """Return the id of the session with this number in the last list, counted from 1."""
    try:
        with open(_file(), "rb") as kept:
            ids = orjson.loads(kept.read())
    except (OSError, ValueError):
        return None
    found = ids[number - 1] if isinstance(ids, list) and 0 < number <= len(ids) else None
    return found if isinstance(found, str) else None
