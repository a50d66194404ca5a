"""An exception, told in JSON: what it was, where, why, and what it brought along."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAMES = 40
_TEXT = 20_000
_CHAIN = 10

_ENDINGS = {
    "CancelledError": "cancelled",
    "KeyboardInterrupt": "interrupted",
    "SystemExit": "exited",
    "GeneratorExit": "closed",
}


def status_of(exc: BaseException) -> str:
    """`"error"` for a failure; cancelled, interrupted, exited and closed are told apart from it."""
    if isinstance(exc, Exception):
        return "error"
    for kind in type(exc).__mro__:
        if kind.__name__ in _ENDINGS:  # by name: importing asyncio for its class costs 30 ms
            return _ENDINGS[kind.__name__]
    return "error"


def error_text(exc: BaseException) -> str:
    """`Type: message`, whatever `__str__` does."""
    name = type(exc).__qualname__
    try:
        message = str(exc)
    except Exception:  # noqa: BLE001 - the user's __str__ may do anything
        message = "<its __str__ raised>"
    return _cut(f"{name}: {message}" if message else name, _TEXT)


def describe(
    exc: BaseException, redact: Callable[[str], str]
) -> tuple[str, str | None, dict[str, Any]]:
    """`(status, error, details)` of an exception, with every text passed through `redact`.

    `details` may have `traceback` (text, newest frames last), `causes` and `exceptions` (lists of
    `Type: message`, nearest first; a group's members), `notes` (list of text).
    """
    status = status_of(exc)
    if status == "closed":
        return status, None, {}

    def clean(text: str) -> str:
        return redact(text).encode("utf-8", "backslashreplace").decode()  # lone surrogates

    error = clean(error_text(exc))
    try:
        return status, error, _details(exc, clean)
    except Exception:  # noqa: BLE001 - the user's __getattribute__ may do anything
        return status, error, {}


def _details(exc: BaseException, clean: Callable[[str], str]) -> dict[str, Any]:
    details: dict[str, Any] = {"traceback": clean(_traceback(exc.__traceback__) + error_text(exc))}
    causes = [clean(error_text(cause)) for cause in _chain(exc)]
    if causes:
        details["causes"] = causes
    members = getattr(exc, "exceptions", None)
    if isinstance(members, (tuple, list)):
        details["exceptions"] = [
            clean(error_text(m)) for m in members[:_CHAIN] if isinstance(m, BaseException)
        ]
    notes = getattr(exc, "__notes__", None)
    if isinstance(notes, list):
        details["notes"] = [clean(_cut(n, _TEXT)) for n in notes[:_CHAIN] if isinstance(n, str)]
    return details


def _chain(exc: BaseException) -> list[BaseException]:
    seen = [exc]
    while len(seen) <= _CHAIN:
        last = seen[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or any(cause is other for other in seen):
            break
        seen.append(cause)
    return seen[1:]


def _traceback(tb: TracebackType | None) -> str:
    """The traceback as Python prints it, without honeytrace's own frames, newest frames kept."""
    import traceback

    try:
        frames = [
            frame
            for frame in traceback.extract_tb(tb, limit=-_FRAMES)
            if not frame.filename.startswith((_HERE, "<honeytrace"))
        ]
        text = "".join(traceback.format_list(frames))
    except Exception:  # noqa: BLE001 - a loader's get_source may do anything
        return ""
    return "Traceback (most recent call last):\n" + text[-_TEXT:]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…[cut {len(text) - limit} characters]"
