"""The embedded store answers like the one in memory, also by the ways that only large ones take."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from conformance import answers, batches, queries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from honeytrace._record.record import Item
from honeytrace.store import Query, _file, _fulltext, _json_index, _plan, _zone_map
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore


@pytest.mark.parametrize("large", ["", "few texts are read", "texts are read"])
@settings(derandomize=True, deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(batches, queries, st.sets(st.integers(0, 3)))
def test_engines_agree(
    large: str, batches: list[list[Item]], query: Query, indexed: set[int]
) -> None:
    """Whatever comes in, in whatever order, both stores hold and find the same; also by the ways
    that only large stores take, whenever their indexes were brought up to date."""
    with pytest.MonkeyPatch.context() as patched:
        for module, name in LIMITS if large else ():
            if large == "few texts are read" or name != "_READ":
                patched.setattr(module, name, 1)
        patched.setattr(_file, "TURN", 0.0)
        agree(batches, query, indexed)


#: How many rows make a store large.
LIMITS = [
    (_plan, "WINDOW"),
    (_plan, "NEAR"),
    (_plan, "READ_FIRST"),
    (_plan, "RARE"),
    (_plan, "TIES"),
    (_json_index, "CATCH_UP"),
    (_fulltext, "_READ"),
    (_fulltext, "_BLOCK"),
    (_zone_map, "ZONE"),
    (_zone_map, "MOST"),
    (_zone_map, "CATCH_UP"),
]


def agree(batches: list[list[Item]], query: Query, indexed: set[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = SQLiteStore(Path(directory) / "x.db")

        def index(number: int) -> None:
            if number in indexed and number < 3:
                file.index()
            elif number in indexed:
                # another thread is at it, and queries take what there is
                file._indexing.acquire()

        said = answers(file, batches, query, index)
        file.close()
        assert said == answers(MemoryStore(), batches, query)
