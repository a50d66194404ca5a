"""Sessions as rows of an answer: a line each, with a reference that the verbs take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..._display.html import preview
from ..marks import Mark
from ..recorded import RecordedSession
from .budget import cut

__all__ = ["call_row", "marked"]

_NAME, _GIST, _ERROR = 60, 80, 120
"""Characters."""


def call_row(session: RecordedSession, ref: str, **more: Any) -> dict[str, Any]:
    """Return a call as a row; what is usual or absent is left out."""
    row: dict[str, Any] = {"ref": ref, "name": cut(session.session_name, _NAME), **more}
    if session.event_type in ("model", "tool"):
        row["type"] = session.event_type
    if session.status != "ok":
        row["status"] = cut(session.status, 20)
    row["ms"] = None if session.duration is None else round(session.duration, 1)
    if session.error:
        row["error"] = cut(session.error, _ERROR)
    if session.inputs:
        row["in"] = cut(preview(session.inputs), _GIST)
    if session.outputs and not session.error:
        row["out"] = cut(preview(session.outputs), _GIST)
    return row


def marked(row: dict[str, Any], marks: Iterable[Mark]) -> dict[str, Any]:
    """Add the marks of a call to its row."""
    found = [f"{mark.kind}: {cut(mark.text, 100)}" for mark in marks]
    if found:
        row["marks"] = found[:4]
    return row
