"""Every exception honeytrace raises on purpose.

    HoneytraceError
    ├── ConfigurationError (ValueError)    misuse found when configuring or decorating
    ├── SessionNotFound (LookupError)      no reader knows the id
    ├── StoreError                         the embedded store cannot be read or written
    │   └── StoreDamagedError              it is corrupt, and is set aside
    └── honeytrace.api.errors.APIError     everything the HoneyHive client raises

Recording itself never raises into the traced program.
"""

from __future__ import annotations


class HoneytraceError(Exception):
    """Base of everything honeytrace raises on purpose."""


class ConfigurationError(HoneytraceError, ValueError):
    """An argument or an environment variable that cannot be meant; the message names the cure."""


class SessionNotFound(HoneytraceError, LookupError):  # noqa: N818 - reads as the field says it
    """No reader knows this session id; the message names where it was looked for."""


class StoreError(HoneytraceError):
    """The embedded store cannot be opened, read or written."""


class StoreDamagedError(StoreError):
    """The file is a store of ours and corrupt. It is never deleted, only moved aside."""
