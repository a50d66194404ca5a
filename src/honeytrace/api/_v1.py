"""The methods for the routes of HoneyHive's API since 1.1.0."""

from __future__ import annotations

from typing import Any

from honeytrace.api import models, operations
from honeytrace.api._group import Group
from honeytrace.api._options import RequestOptions


class V1(Group):
    """`client.v1`: the routes of HoneyHive's API since 1.1.0."""

    def create_session(
        self,
        request: models.CreateSessionRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.StartSessionResponse:
        """Start a session."""
        return self._call(operations.create_session_v1(request, **fields), options)

    async def create_session_async(
        self,
        request: models.CreateSessionRequest | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.StartSessionResponse:
        """Await `create_session`."""
        return await self._call_async(operations.create_session_v1(request, **fields), options)

    def create_event(
        self,
        request: models.CreateEventRequestV1 | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Create one event."""
        return self._call(operations.create_event_v1(request, **fields), options)

    async def create_event_async(
        self,
        request: models.CreateEventRequestV1 | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.CreateEventResponse:
        """Await `create_event`."""
        return await self._call_async(operations.create_event_v1(request, **fields), options)

    def create_event_batch(
        self,
        request: models.EventBatchRequestV1 | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Create many events. Raises PartialBatchError when a part was stored."""
        return self._call(operations.create_event_batch_v1(request, **fields), options)

    async def create_event_batch_async(
        self,
        request: models.EventBatchRequestV1 | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventBatchResponse:
        """Await `create_event_batch`."""
        return await self._call_async(operations.create_event_batch_v1(request, **fields), options)

    def get_event(self, event_id: str, *, options: RequestOptions | None = None) -> models.Event:
        """Read one event."""
        return self._call(operations.get_event_v1(event_id), options)

    async def get_event_async(
        self, event_id: str, *, options: RequestOptions | None = None
    ) -> models.Event:
        """Await `get_event`."""
        return await self._call_async(operations.get_event_v1(event_id), options)

    def update_event(
        self, event_id: str, *, options: RequestOptions | None = None, **fields: Any
    ) -> None:
        """Add to an event; fields as of `UpdateEventRequest`."""
        return self._call(operations.update_event_v1(event_id, **fields), options)

    async def update_event_async(
        self, event_id: str, *, options: RequestOptions | None = None, **fields: Any
    ) -> None:
        """Await `update_event`."""
        return await self._call_async(operations.update_event_v1(event_id, **fields), options)

    def search_events(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Find events by filter."""
        return self._call(operations.search_events_v1(request, **fields), options)

    async def search_events_async(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Await `search_events`."""
        return await self._call_async(operations.search_events_v1(request, **fields), options)

    def export_events(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Find events by filter, over the route that the API deprecates."""
        return self._call(operations.export_events_v1(request, **fields), options)

    async def export_events_async(
        self,
        request: models.EventQuery | models.JsonObject | None = None,
        *,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> models.EventsPage:
        """Await `export_events`."""
        return await self._call_async(operations.export_events_v1(request, **fields), options)
