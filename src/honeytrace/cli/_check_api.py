"""Check that the API answers at the configured address and accepts the key."""

from __future__ import annotations

from http import HTTPStatus

from .._config import Config
from ..api import (
    APIError,
    EventFilter,
    HoneyHiveCore,
    SDKError,
    SessionNotFoundError,
    ValidationError,
    operations,
)
from ._target import address

__all__ = ["said", "trouble"]

_PATIENCE = 5.0
"""Seconds that it has to answer."""

_NOBODY = "00000000-0000-7000-8000-000000000000"
"""An id that no session has."""

_LATER = (408, 425, 429, 500, 502, 503, 504)


def trouble(settings: Config) -> str | None:
    """Return the problem with the API and its cure, or None if the API answers as it should.

    The request asks for a session that cannot exist, so it changes nothing on the server.
    """
    timeout = min(settings.request_timeout, _PATIENCE)
    try:
        with HoneyHiveCore(
            settings.api_key, server_url=settings.server_url, timeout=timeout
        ) as core:
            return _asked(core, settings.project, address(settings))
    except ValidationError as error:
        return said(error, address(settings))


def _asked(core: HoneyHiveCore, project: str, url: str) -> str | None:
    found = core.call(operations.get_session(_NOBODY))
    if found.ok:
        return _other(url, "200 to whatever it is asked")
    if not isinstance(found.error, SessionNotFoundError):
        return said(found.error, url)
    if found.error.conclusive:
        return None
    # no route for one session: HoneyHive has had, in all its versions, one that lists events
    wanted = [EventFilter(field="session_id", value=_NOBODY)]
    listed = core.call(operations.get_events(project=project, filters=wanted, limit=1))
    return None if listed.ok else said(listed.error, url)


def said(error: APIError, url: str) -> str:
    """An error of the API at this address, for somebody at a command line."""
    if isinstance(error, ValidationError):
        if error.raw_response is None:
            return f"{error}: check HH_API_KEY and HH_API_URL"
        return _other(url, str(error))
    if not isinstance(error, SDKError):
        return f"{url}: {error}; check HH_API_URL and the network"
    status = error.status_code
    if status in (401, 403):
        return f"{url} refuses the key ({status}): set HH_API_KEY anew"
    if status in _LATER:
        return f"{url} answers {status} {HTTPStatus(status).phrase}: try again later"
    return _other(url, f"{status} {error.content_type}")


def _other(url: str, how: str) -> str:
    return f"something answers at {url}, but not as HoneyHive does ({how}): check HH_API_URL"
