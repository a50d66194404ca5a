"""Short names: #1, #2, … stand for the sessions of the last list that a terminal showed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson

__all__ = ["recalled", "remember"]


def _file() -> Path:
    """Return the file for this terminal's last list.

    The directory is that of the XDG Base Directory Specification for state.
    """
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state and os.path.isabs(state) else Path.home() / ".local" / "state"
    session = os.getsid(0) if hasattr(os, "getsid") else 0
    return base / "honeytrace" / f"list-{session}.json"


def remember(ids: Sequence[str]) -> None:
    """Keep the ids of a list for `recalled`; without a place to write, there are no short names."""
    try:
        file = _file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in sorted(file.parent.glob("list-*.json"), key=os.path.getmtime)[:-20]:
            old.unlink(missing_ok=True)
        file.write_bytes(orjson.dumps(list(ids)))
    except (OSError, RuntimeError):  # the latter where there is no home directory
        pass


def recalled(number: int) -> str | None:
    """Return the id of the session with this number in the last list, counted from 1."""
    try:
        ids = orjson.loads(_file().read_bytes())
    except (OSError, RuntimeError, ValueError):
        return None
    found = ids[number - 1] if isinstance(ids, list) and 0 < number <= len(ids) else None
    return found if isinstance(found, str) else None
