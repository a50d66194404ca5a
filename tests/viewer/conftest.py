from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from viewer_site import serving

from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def http(store: SQLiteStore) -> Iterator[httpx.Client]:
    """A client of the viewer over `store`."""
    with serving(store) as url, httpx.Client(base_url=url) as client:
        yield client
