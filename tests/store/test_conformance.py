"""Every engine gives the answers of the store in memory, whatever comes in and is asked."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import answers, batches, queries
from hypothesis import HealthCheck, Phase, given, settings

from engines import ENGINES, opened, postgres_server
from honeytrace._record.record import Item
from honeytrace.store import Query, Store
from honeytrace.store.memory import MemoryStore

EXAMPLES = {"sqlite": 40, "postgres": 40, "chdb": 15}
"""Examples per engine, fewer where one takes a second; HONEYTRACE_EXAMPLES=500 before a release."""

_tenants = itertools.count()


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store of each engine; each example is a tenant of it."""
    directory: Path = tmp_path_factory.mktemp("engine")
    if request.param == "postgres":
        with postgres_server() as (url, _):
            store = opened("postgres", directory, url)
            yield store
            store.close()
        return
    store = opened(request.param, directory, "chdb:///")
    yield store
    store.close()


def test_an_engine_agrees_with_memory(engine: Store, request: pytest.FixtureRequest) -> None:
    """Batches, redeliveries, merges, updates before and after: every answer is the same."""
    name = request.node.callspec.params["engine"]
    given_examples = os.environ.get("HONEYTRACE_EXAMPLES")

    @settings(
        derandomize=given_examples is None,
        deadline=None,
        max_examples=int(given_examples or EXAMPLES[name]),
        # Shrinking would take minutes in an engine.
        phases=[Phase.explicit, Phase.generate, *[Phase.shrink] * (name == "sqlite")],
        suppress_health_check=list(HealthCheck),
    )
    @given(batches, queries)
    def agrees(batches: list[list[Item]], query: Query) -> None:
        tenant = engine.for_tenant(f"example-{next(_tenants)}")
        try:
            assert answers(tenant, batches, query) == answers(MemoryStore(), batches, query)
        finally:
            tenant.close()

    agrees()
