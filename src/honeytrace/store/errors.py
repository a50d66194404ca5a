"""The kinds of `StoreError`, so that a sink can distinguish the cases.

StoreError
├── StoreBusyError        another writer holds the store; the same call may succeed later
├── StoreUnavailableError the engine cannot be reached; the same call may succeed later
├── StoreFullError        the disk has no room for the data
├── StoreDamagedError     the file was a store and is corrupt; it has to be moved aside
└── RecordRefusedError    a value of this batch can never be stored, even if it is retried
"""

from __future__ import annotations

from ..errors import StoreDamagedError, StoreError

__all__ = [
    "RecordRefusedError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreFullError",
    "StoreUnavailableError",
]


class StoreBusyError(StoreError):
    """Another process or thread kept the store locked for the whole busy timeout."""


class StoreUnavailableError(StoreError):
    """The engine does not answer: it is down, restarting, or out of reach."""


class StoreFullError(StoreError):
    """The disk, or the quota of this user, is full."""


class RecordRefusedError(StoreError):
    """A value in the batch cannot be stored: too big, lone surrogates, an integer over 64 bits."""
