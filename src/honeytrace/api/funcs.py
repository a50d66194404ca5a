"""The session's standalone functions: they take the core first and never raise.

Any other operation has the same form as `core.call(operations.create_event(…), options)`.
"""

from __future__ import annotations

from typing import Any

from honeytrace.api import models, operations
from honeytrace.api._options import RequestOptions
from honeytrace.api.core import HoneyHiveCore
from honeytrace.api.errors import APIError
from honeytrace.api.result import Result


def session_start_session(
    core: HoneyHiveCore,
    request: models.SessionStartRequest | models.JsonObject | None = None,
    *,
    options: RequestOptions | None = None,
    **fields: Any,
) -> Result[models.StartSessionResponse, APIError]:
    """Start a session; see `Session.start_session`."""
    return core.call(operations.start_session(request, **fields), options)


async def session_start_session_async(
    core: HoneyHiveCore,
    request: models.SessionStartRequest | models.JsonObject | None = None,
    *,
    options: RequestOptions | None = None,
    **fields: Any,
) -> Result[models.StartSessionResponse, APIError]:
    """Await `session_start_session`."""
    return await core.call_async(operations.start_session(request, **fields), options)


def session_get_session(
    core: HoneyHiveCore, session_id: str, *, options: RequestOptions | None = None
) -> Result[models.Event, APIError]:
    """Read a session back; see `Session.get_session`."""
    return core.call(operations.get_session(session_id), options)


async def session_get_session_async(
    core: HoneyHiveCore, session_id: str, *, options: RequestOptions | None = None
) -> Result[models.Event, APIError]:
    """Await `session_get_session`."""
    return await core.call_async(operations.get_session(session_id), options)
