from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from server_running import running

from honeytrace.server import create_app
from honeytrace.store.sqlite import SQLiteStore


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--otlp-bodies", type=int, default=1_000, help="mutated OTLP bodies to send")


@pytest.fixture
def http(store: SQLiteStore) -> Iterator[httpx.Client]:
    """A client of a server over `store`."""
    with running(create_app(store)) as url, httpx.Client(base_url=url) as client:
        yield client
