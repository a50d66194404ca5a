"""HTTP clients that tell the server which session calls."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from ._context import inject

if TYPE_CHECKING:
    import aiohttp  # type: ignore[import-not-found,unused-ignore] # needed by those who use it
    from requests.adapters import HTTPAdapter


class _Done:
    """The result of a hook: an async client awaits it, a sync one ignores it."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return
        yield  # makes this a generator, which ends at once


_DONE = _Done()


def httpx_hooks() -> dict[str, list[Callable[..., Any]]]:
    """Hooks for `httpx.Client(event_hooks=httpx_hooks())`, and for `httpx.AsyncClient`."""
    return {"request": [_httpx_request]}


def _httpx_request(request: Any) -> _Done:
    inject(request.headers)
    return _DONE


def requests_adapter(**options: Any) -> HTTPAdapter:
    """An adapter for `session.mount("https://", requests_adapter())` of requests.

    options: those of `requests.adapters.HTTPAdapter`.
    """
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def add_headers(self, request: Any, **kwargs: Any) -> None:
            super().add_headers(request, **kwargs)
            inject(request.headers)

    return Adapter(**options)


def aiohttp_trace_config() -> aiohttp.TraceConfig:
    """A configuration for `aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()])`."""
    import aiohttp

    async def on_request_start(session: Any, context: Any, params: Any) -> None:
        inject(params.headers)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(on_request_start)
    return config
