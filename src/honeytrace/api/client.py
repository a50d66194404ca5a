"""`HoneyHive`: the method form. Groups of methods that return the value and raise the error.

Every method has an `_async` twin. Requests are given as a model, as a dict, or as keyword fields;
`options` are those of one call. Nothing but names and types lives here: see `operations`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from honeytrace.api import models, operations
from honeytrace.api._group import Group
from honeytrace.api._options import RequestOptions
from honeytrace.api._v1 import V1
from honeytrace.api.core import HoneyHiveCore

__all__ = ["V1", "Events", "HoneyHive", "Session"]


class Session(Group):
    """`client.session`: the session reference."""

    def start_session(
        self,
        request: models.SessionStartRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.StartSessionResponse:
        """Start a session; see `SessionStartRequest` for its sixteen fields.

        Raises APIError: ValidationError before any I/O, SDKError for what the server refuses.
        """
        return self._call(operations.start_session(request, **fields), options)

    async def start_session_async(
        self,
        request: models.SessionStartRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.StartSessionResponse:
        """Await `start_session`."""
        return await self._call_async(operations.start_session(request, **fields), options)

    def get_session(
        self, session_id: str, *, options: RequestOptions | None = None
    ) -> models.Event:
        """Read a session back, from the first route that knows it (`Event.answered_by`).

        Raises SessionNotFoundError when none does; see `operations.get_session` for the order.
        """
        return self._call(operations.get_session(session_id), options)

    async def get_session_async(
        self, session_id: str, *, options: RequestOptions | None = None
    ) -> models.Event:
        """Await `get_session`."""
        return await self._call_async(operations.get_session(session_id), options)

    def update_session(
        self, session_id: str, *, options: RequestOptions | None = None, **fields: Any
    ) -> None:
        """Add to a session after the fact (`PUT /events`); fields as of `UpdateEventRequest`."""
        return self._call(operations.update_session(session_id, **fields), options)

    async def update_session_async(
        self, session_id: str, *, options: RequestOptions | None = None, **fields: Any
    ) -> None:
        """Await `update_session`."""
        return await self._call_async(operations.update_session(session_id, **fields), options)


class Events(Group):
    """`client.events`: the events of sessions, by the legacy routes."""

    def create_event(
        self,
        request: models.CreateEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Create one event."""
        return self._call(operations.create_event(request, **fields), options)

    async def create_event_async(
        self,
        request: models.CreateEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Await `create_event`."""
        return await self._call_async(operations.create_event(request, **fields), options)

    def update_event(
        self,
        request: models.UpdateEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> None:
        """Add to an event after the fact."""
        return self._call(operations.update_event(request, **fields), options)

    async def update_event_async(
        self,
        request: models.UpdateEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> None:
        """Await `update_event`."""
        return await self._call_async(operations.update_event(request, **fields), options)

    def create_event_batch(
        self,
        request: models.EventBatchRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Create many events. Raises PartialBatchError when a part was stored."""
        return self._call(operations.create_event_batch(request, **fields), options)

    async def create_event_batch_async(
        self,
        request: models.EventBatchRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Await `create_event_batch`."""
        return await self._call_async(operations.create_event_batch(request, **fields), options)

    def create_model_event(
        self,
        request: models.CreateModelEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Create the event of one LLM call."""
        return self._call(operations.create_model_event(request, **fields), options)

    async def create_model_event_async(
        self,
        request: models.CreateModelEventRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Await `create_model_event`."""
        return await self._call_async(operations.create_model_event(request, **fields), options)

    def create_model_event_batch(
        self,
        request: models.ModelEventBatchRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Create many such events. Raises PartialBatchError when a part was stored."""
        return self._call(operations.create_model_event_batch(request, **fields), options)

    async def create_model_event_batch_async(
        self,
        request: models.ModelEventBatchRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Await `create_model_event_batch`."""
        operation = operations.create_model_event_batch(request, **fields)
        return await self._call_async(operation, options)

    def get_events(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Export events by filter; `project` is required here."""
        return self._call(operations.get_events(request, **fields), options)

    async def get_events_async(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Await `get_events`."""
        return await self._call_async(operations.get_events(request, **fields), options)


class HoneyHive(HoneyHiveCore):
    """The HoneyHive API. Construct it like `HoneyHiveCore`:

    with HoneyHive(bearer_auth="…") as client:
        started = client.session.start_session(project="p", session_name="n", source="s")
        print(client.session.get_session(started.session_id).event_name)
    """

    @cached_property
    def session(self) -> Session:
        """Start, read and update sessions."""
        return Session(self)

    @cached_property
    def events(self) -> Events:
        """Create, update and export events."""
        return Events(self)

    @cached_property
    def v1(self) -> V1:
        """The newer routes."""
        return V1(self)
