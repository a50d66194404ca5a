"""Nodes over one engine, one of which is killed every two seconds while 100,000 sessions arrive."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engines import postgres_server
from killed_nodes import CLIENTS, Client, Shown, check_nodes

SESSIONS = 100_000


@pytest.mark.timeout(3_600)
def test_a_hundred_thousand_sessions(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each session arrives once and with its update, and a follower shows each once."""
    if not request.config.getoption("--full", default=False):
        pytest.skip("takes minutes: run with --full")
    pytest.importorskip("psycopg")

    next_kill = time.monotonic()

    def until_kill(kills: int, clients: list[Client], _: Shown) -> bool:
        for each in clients:
            assert each.stdin is not None
            each.stdin.close()
        nonlocal next_kill
        next_kill = max(next_kill + 2, time.monotonic())  # a restart takes some of the two seconds
        time.sleep(max(0.0, next_kill - time.monotonic()))
        return True

    with postgres_server() as (url, _):
        kills = check_nodes(url, tmp_path, SESSIONS // CLIENTS, until_kill)
    assert kills > 2
