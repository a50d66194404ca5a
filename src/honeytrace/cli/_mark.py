"""A small file that notes the place up to which a store was read, so that a run can resume."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import orjson

from .._config import without_password
from ..store import Store

__all__ = ["Mark", "mark_file"]


def mark_file(url: str, purpose: str) -> Path:
    """Return the file of marks for a store: beside it, or for an engine in `.honeytrace` of the
    working directory."""
    if "://" not in url:
        return Path(f"{url}.{purpose}.json")
    name = re.sub(r"[^\w.-]+", "-", without_password(url))
    return Path(os.path.abspath(".honeytrace"), f"{name}.{purpose}.json")


class Mark:
    """The place that was reached in `reader` on the way to `target`: an entry of the file."""

    def __init__(self, reader: Store, file: Path, target: str) -> None:
        self._reader = reader
        self._file = file
        self._target = target

    def place(self) -> int:
        """Return the place to go on from; 0 when the session that stood there is gone, as in a new
        store of the same name."""
        last = self.entry().get("session_id")
        if not isinstance(last, str) or self._reader.get(last) is None:
            return 0
        return int(self.entry().get("place", 0))

    def entry(self) -> dict[str, Any]:
        """Return all that was noted."""
        found = self._marks().get(self._target)
        return found if isinstance(found, dict) else {}

    def set(self, place: int, event_id: str, **more: Any) -> None:
        """Note the last session that arrived there; who is killed in between repeats a batch."""
        entry = self.entry() | {"place": place, "session_id": event_id} | more
        marks = self._marks() | {self._target: entry}
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        unfinished.write_bytes(orjson.dumps(marks, option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(unfinished, self._file)

    def _marks(self) -> dict[str, Any]:
        try:
            marks = orjson.loads(self._file.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return marks if isinstance(marks, dict) else {}
