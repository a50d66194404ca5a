from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from api_forms import FakeClock, Form
from api_loopback import Loopback, Request
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters

DOCUMENT = Path(__file__).parent / "data" / "honeyhive-openapi-1.0.21.yaml"


class PublishedRequest:
    """A captured request as openapi-core reads it."""

    host_url = "https://api.honeyhive.ai"

    def __init__(self, request: Request) -> None:
        self.path = request.path
        self.method = request.method.lower()
        self.body = request.body or None
        self.content_type = request.headers.get("content-type", "")
        self.parameters = RequestParameters(header=httpx.Headers(request.headers))


@pytest.fixture(scope="session")
def published() -> Callable[[Request], None]:
    """Raises for a request that HoneyHive's published OpenAPI document does not allow."""
    openapi = OpenAPI.from_file_path(str(DOCUMENT))
    return lambda request: openapi.validate_request(PublishedRequest(request))


@pytest.fixture
def server(published: Callable[[Request], None]) -> Iterator[Loopback]:
    """The loopback server; whatever reached it must be allowed by the published document."""
    with Loopback() as server:
        yield server
    for request in server.requests:
        if not request.path.startswith("/v1/"):  # newer than the document
            published(request)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["method", "method-async", "function", "function-async"])
def form(request: pytest.FixtureRequest) -> Form:
    return Form(request.param)
