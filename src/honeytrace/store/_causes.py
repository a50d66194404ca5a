"""Errors of the store's file in plain words, with the cure."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing

from ..errors import StoreError
from ._connection import uri_of
from .errors import RecordRefusedError, StoreBusyError, StoreDamagedError, StoreFullError
from .migrations import APPLICATION_ID

__all__ = ["store_error", "unwritable"]

_ELSEWHERE = "choose another path, configure(store=…) or HONEYTRACE_STORE"

_CAUSES: tuple[tuple[str, type[StoreError], str], ...] = (
    ("locked", StoreBusyError, "another process keeps it locked: end that process or try again"),
    ("not a database", StoreError, f"it is not a store: {_ELSEWHERE}"),
    ("malformed", StoreError, f"it is not a store: {_ELSEWHERE}"),
    (
        "full",
        StoreFullError,
        "the disk is full: free some space, or delete old sessions (honeytrace prune)",
    ),
    ("readonly", StoreError, f"it is read-only: make it writable, or {_ELSEWHERE}"),
    ("unable to open", StoreError, "it cannot be opened: make it and its directory writable"),
)
"""SQLite's fixed messages and their meaning. Python exposes SQLite's error codes only from 3.11
on."""

_DAMAGE = ("not a database", "malformed")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def store_error(error: Exception, path: str | os.PathLike[str]) -> StoreError:
    """Return the `StoreError` for an SQLite error of the store at `path`, with the cure."""
    if (
        isinstance(error, (sqlite3.OperationalError, OSError))
        or type(error) is sqlite3.DatabaseError
    ):
        return _unusable(error, os.fspath(path))
    return RecordRefusedError(f"the store cannot take this value: {error}")


def unwritable(path: str) -> str | None:
    """Return the reason why this user cannot write a store at `path`, with the cure; None if no
    obstacle is known."""
    if os.path.isdir(path):
        return f"it is a directory: name a file in it, or {_ELSEWHERE}"
    place = path = os.path.normpath(path)
    while not os.path.lexists(place) and place != (above := os.path.dirname(place) or "."):
        place = above
    if place != path and not os.path.isdir(place):
        return f"{place} is not a directory: remove it, or {_ELSEWHERE}"
    for found in {place, os.path.dirname(place) or "." if place == path else place}:
        if not os.path.lexists(found) or os.access(found, os.W_OK):
            continue
        if _is_readonly(found):
            return f"{found} is on a read-only file system: {_ELSEWHERE}"
        return f"{found} is not writable for this user: make it writable, or {_ELSEWHERE}"
    return None


def _unusable(error: Exception, path: str) -> StoreError:
    cannot = f"the store {path} cannot be used: "
    if any(sign in str(error) for sign in _DAMAGE) and _is_ours(path):
        return StoreDamagedError(f"{cannot}it is damaged; SQLite's .recover may read it ({error})")
    if isinstance(error, OSError) and error.errno in _FULL:
        return StoreFullError(f"{cannot}{_CAUSES[3][2]} ({error})")
    is_about_place = isinstance(error, OSError) or any(
        sign in str(error) for sign in ("readonly", "unable to open", "disk I/O")
    )
    if is_about_place and (reason := unwritable(path)):
        return StoreError(f"{cannot}{reason} ({error})")
    for sign, kind, meaning in _CAUSES:
        if sign in str(error):
            return kind(f"{cannot}{meaning} ({error})")
    return StoreError(f"{cannot}check the disk, or {_ELSEWHERE} ({error})")


def _is_readonly(place: str) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # Windows has no statvfs
        return False


def _is_ours(path: str) -> bool:
    """Return whether the file was a honeytrace store, by the application id in its header."""
    try:
        with closing(sqlite3.connect(f"{uri_of(path)}?mode=ro", uri=True, timeout=0)) as conn:
            (owner,) = conn.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error:
        return False
    return bool(owner == APPLICATION_ID)
