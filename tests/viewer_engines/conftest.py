"""The viewer's fixtures over a store in a database engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import httpx
import pytest

from engines import postgres_server
from honeytrace.store import Store, open_store

sys.path.append(str(Path(__file__).parents[1] / "viewer"))

from viewer_fixtures import chromium, page, url

__all__ = ["chromium", "page", "url"]

_PATIENCE = 60.0
"""Seconds to wait for a page: chdb shares the processor with the browser and the server."""


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """Wait longer for pages than the viewer's tests do over SQLite."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    sync_api.expect.set_options(timeout=_PATIENCE * 1000)
    yield
    sync_api.expect.set_options(timeout=5_000)


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """A client of the viewer over `store`."""
    with httpx.Client(base_url=url, timeout=_PATIENCE) as client:
        yield client


_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server without its database."""
    pytest.importorskip("psycopg")
    with postgres_server() as (url, _):
        yield url.rpartition("/")[0]


@pytest.fixture(scope="session")
def chdb() -> Iterator[Store]:
    """The engine of this process."""
    pytest.importorskip("chdb", reason="no chdb: pip install chdb")
    with closing(open_store("chdb:///")) as store:
        yield store


@pytest.fixture(params=["postgres", "chdb"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store: a database of its own in PostgreSQL, a tenant in chdb."""
    number = next(_numbers)
    if request.param == "chdb":
        yield request.getfixturevalue("chdb").for_tenant(f"viewer{number}")
        return
    import psycopg

    server = request.getfixturevalue("postgres")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE viewer{number} TEMPLATE template0")
    with closing(open_store(f"{server}/viewer{number}")) as store:
        yield store
