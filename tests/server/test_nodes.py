"""Several nodes over one PostgreSQL, killed while clients send: every session once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import postgres_server
from killed_nodes import Client, Shown, check_nodes

pytest.importorskip("psycopg")

SESSIONS, KILLS = 80, 2


@pytest.mark.timeout(300)
def test_nodes_that_are_killed_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Four clients and three nodes, one of which is killed again and again and comes back: each
    session and each update is there once, and a follower shows each session once."""
    with postgres_server() as (url, _):

        def until_kill(kills: int, clients: list[Client], shown: Shown) -> bool:
            """Let each client send another part, and wait until some of it has arrived."""
            before = len(shown.ids)
            for each in clients:
                assert each.stdin is not None
                each.stdin.write("\n")
                each.stdin.flush()
            if kills < KILLS:
                shown.wait(before + 1)
            return kills < KILLS

        kills = check_nodes(url, tmp_path, SESSIONS, until_kill)
    assert kills == KILLS
