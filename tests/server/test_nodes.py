"""Several nodes over one PostgreSQL, killed while clients send: every session once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import postgres_server
from honeytrace.store import Query, open_store
from killed_nodes import Client, check_nodes

pytest.importorskip("psycopg")

SESSIONS, KILLS = 80, 2


@pytest.mark.timeout(300)
def test_nodes_that_are_killed_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Four clients and three nodes, one of which is killed again and again and comes back: each
    session and each update is there once, and a follower shows each session once."""
    with postgres_server() as (url, _):
        store = open_store(url, tenant="team")

        def until_kill(kills: int, clients: list[Client]) -> bool:
            """Let each client send another part, and wait until some of it has arrived."""
            before = store.count(Query())
            for each in clients:
                assert each.stdin is not None
                each.stdin.write("\n")
                each.stdin.flush()
            while kills < KILLS and store.count(Query()) == before:
                store.arrived(0, 1)
            return kills < KILLS

        kills = check_nodes(url, tmp_path, SESSIONS, until_kill)
        store.close()
    assert kills == KILLS
