"""Every exception honeytrace raises on purpose.

    HoneytraceError
    ├── ConfigurationError (ValueError)    misuse found when configuring or decorating
    ├── SessionNotFound (LookupError)      no reader knows the id
    ├── StoreError                         the embedded store cannot be read or written
    │   └── StoreDamagedError              it is corrupt, and is set aside
    ├── ReplayError                        a recording cannot be replayed; nothing has run
    └── honeytrace.api.errors.APIError     everything the HoneyHive client raises

    NotRecorded (BaseException)            a strict replay was asked for what was not recorded

Recording itself never raises into the traced program.
"""

from __future__ import annotations


class HoneytraceError(Exception):
    """Base of everything honeytrace raises on purpose."""


class ConfigurationError(HoneytraceError, ValueError):
    """An invalid argument or environment variable; the message names the cure."""


class SessionNotFound(HoneytraceError, LookupError):  # noqa: N818 - reads as the field says it
    """No reader knows this session id; the message names where it was looked for."""


class StoreError(HoneytraceError):
    """The embedded store cannot be opened, read or written."""


class StoreDamagedError(StoreError):
    """The file is a honeytrace store and corrupt. It is never deleted, only moved aside."""


class ReplayError(HoneytraceError):
    """A recording cannot be replayed: not imported, not rebuilt, not answered. Nothing has run."""


class NotRecorded(BaseException):
    """A strict replay was asked for a call that was not recorded.

    It is no `Exception`, because the `except Exception` of an agent, or a retry, would take it for
    a failure of the model, and the replay would pass.
    """


for _public in (
    ConfigurationError,
    HoneytraceError,
    NotRecorded,
    ReplayError,
    SessionNotFound,
    StoreError,
):
    _public.__module__ = "honeytrace"  # where users find them
