"""Sessions made from the transcript of an agent that honeytrace did not record.

Ids come from those in the transcript, so an import that is repeated changes nothing. Values are
masked and bounded as if they had been recorded.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .._base.lazy import orjson
from .._record.merge import as_object
from .._record.record import RESERVED, Record
from ..lookup.times import iso_ms

__all__ = ["Encode", "Maker", "milliseconds", "project_of", "text_of", "timed"]

Encode = Callable[[Any, list[Any], str], bytes]
"""A function that returns a value as masked JSON; the list gains the paths of masked values."""

_SPACE = uuid.UUID("6b9f0c2e-6f0e-5d5c-9d43-6a1c0d7b8f21")


def milliseconds(moment: Any) -> float | None:
    """Return epoch milliseconds of an ISO 8601 text; None for any other value."""
    return iso_ms(moment) if isinstance(moment, str) else None


def timed(lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield lines; one without a time has that of the line before it, or of the first with one."""
    found = list(lines)
    times = (line.get("timestamp") for line in found)
    last = next((time for time in times if milliseconds(time) is not None), None)
    for line in found:
        payload = line.get("payload")
        own = line.get("timestamp") or (
            payload.get("timestamp") if isinstance(payload, dict) else None
        )
        if milliseconds(own) is not None:
            last = own
        elif last is not None:
            line = {**line, "timestamp": last}
        yield line


def project_of(directory: Any) -> str:
    """Return the name of a working directory, as the project of its sessions."""
    path = directory if isinstance(directory, str) else ""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def text_of(content: Any) -> str:
    """Return the text of a message's content: a text, or the texts among its blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (each.get("text") for each in content if isinstance(each, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


class Maker:
    """Makes the records of one transcript. `session` is its own id, `source` the agent's name."""

    def __init__(self, encode: Encode, source: str, session: str, project: str) -> None:
        self._encode = encode
        self._source, self._session, self._project = source, session, project
        self.root_id = self.id_of()

    def id_of(self, *parts: str, session: str | None = None) -> str:
        """Return the id of a thing in the transcript, or in that of another session."""
        name = "\n".join((self._source, session or self._session, *parts))
        return str(uuid.uuid5(_SPACE, name))

    def record(
        self,
        event_id: str,
        name: str,
        start: float,
        end: float | None,
        *,
        parent_id: str | None = None,
        root_id: str | None = None,
        event_type: str = "chain",
        error: str | None = None,
        status: str | None = None,
        details: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Record:
        """Return a record. Times are epoch milliseconds; `fields` are values, not yet masked."""
        masked: list[Any] = []
        encoded = {
            key: as_object(self._encode(value, masked, key))
            for key, value in fields.items()
            if value not in (None, {}, [])
        }
        if error is not None:
            error = str(orjson.loads(self._encode(error, masked, "error")))
        own = dict(details or {})
        if masked:
            own["masked"] = [path for path in masked if isinstance(path, str)]
        metadata = orjson.loads(encoded.get("metadata") or b"{}")
        if own:
            metadata[RESERVED] = own
        is_root = parent_id is None
        return Record(
            event_id=event_id,
            session_id=event_id,
            parent_id=parent_id,
            root_id=event_id if is_root else root_id or self.root_id,
            event_type="session" if is_root else event_type,
            event_name=name[:200] or "unknown",
            project=self._project,
            source=self._source,
            status=status or ("error" if error else "ok"),
            start_time=start,
            end_time=None if end is None else -(-int(end * 1000) // 1000),
            duration=None if end is None else max(end - start, 0.0),
            error=error,
            children_ids=b"[]",
            config=encoded.get("config"),
            inputs=encoded.get("inputs"),
            outputs=encoded.get("outputs"),
            metrics=encoded.get("metrics"),
            feedback=None,
            metadata=orjson.dumps(metadata) if metadata else None,
            user_properties=None,
        )
