from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from viewer_site import serving

from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "sessions.db")
    yield store
    store.close()


@pytest.fixture
def http(store: SQLiteStore) -> Iterator[httpx.Client]:
    """A client of the viewer over `store`."""
    with serving(store) as url, httpx.Client(base_url=url) as client:
        yield client
