"""The connection to the engine hangs, is refused, and comes back: nothing is lost."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from server_running import running

from engines import postgres_server
from honeytrace.errors import StoreError
from honeytrace.server import create_app
from honeytrace.server._outage import Outage
from honeytrace.store import open_store
from honeytrace.store.errors import StoreFullError, StoreUnavailableError
from loopback_proxy import proxied
from surroundings import environ

psycopg = pytest.importorskip("psycopg")

from honeytrace.store import _pg_pool  # noqa: E402 - needs the extra

CLIENT = """
import sys, honeytrace
n = 0
while sys.stdin.readline():
    for _ in range(20):
        with honeytrace.session("work", session_id=f"s{n}"):
            pass
        honeytrace.update_session(f"s{n}", feedback={"seen": n})
        n += 1
    print("recorded", flush=True)
sys.exit(0 if honeytrace.flush(timeout=120).complete else 1)
"""


def test_an_engine_that_hangs_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests are answered 503 with Retry-After, within the deadline; the client keeps what was
    not taken and delivers all of it; one log line tells of the outage and one of its end."""
    monkeypatch.setattr(_pg_pool, "_ANSWER", 0.5)
    monkeypatch.setattr(_pg_pool, "_CONNECT", 1)
    monkeypatch.setattr(_pg_pool, "_AWAY", 0.05)
    caplog.set_level(logging.WARNING)
    with (
        postgres_server() as (url, _),
        proxied(int(url.rpartition(":")[2].partition("/")[0])) as proxy,
    ):
        through = url.replace(url.rpartition(":")[2].partition("/")[0], str(proxy.port))
        store = open_store(through)
        with running(create_app(store)) as address, httpx.Client(base_url=address) as http:
            env = environ(HH_API_KEY="k", HH_API_URL=address, HONEYTRACE_FLUSH_INTERVAL="0.05")
            command = [sys.executable, "-c", CLIENT]
            with subprocess.Popen(
                command,
                env=env,
                cwd=tmp_path,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as client:
                assert client.stdin is not None
                assert client.stdout is not None

                def record() -> None:
                    client.stdin.write("\n")  # type: ignore[union-attr]
                    client.stdin.flush()  # type: ignore[union-attr]
                    assert client.stdout.readline() == "recorded\n"  # type: ignore[union-attr]

                record()
                for away in (proxy.hang, proxy.refuse):
                    away()
                    record()
                    for _ in range(3):
                        reply = http.post("/session/start", json={"session": {}}, timeout=60)
                        assert reply.status_code == 503
                        assert int(reply.headers["retry-after"]) > 0
                    assert http.get("/ready").status_code == 503
                    # neither needs the store, so neither says that it is back
                    assert http.get("/health").status_code == 200
                    assert http.post("/v1/metrics", json={}).status_code == 200
                proxy.resume()
                record()
                client.stdin.close()
                assert client.wait(180) == 0
            _until(lambda: len(_said(caplog)) == 2)
        store.close()
        direct = open_store(url)
        assert direct.size().sessions == 80
        found = direct.get_many([f"s{n}" for n in range(80)])
        assert [each.feedback for each in found] == [b'{"seen":%d}' % n for n in range(80)]
        direct.close()
    said = _said(caplog)
    assert len(said) == 2, said
    assert "the store cannot be used, so requests are answered 503" in said[0]
    assert "the store answers again" in said[1]


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("honeytrace")]


def _until(holds: Callable[[], object]) -> None:
    """Wait for another thread."""
    for _ in range(1200):
        if holds():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come")


def test_an_outage_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its errors say; another kind has its own line, and a store that comes and goes has
    one pair of lines a minute."""
    now = [1000.0]
    monkeypatch.setattr("honeytrace.server._outage.time.monotonic", lambda: now[0])
    outage = Outage(logging.getLogger("honeytrace.server"))

    def answer(error: StoreError | None = None) -> None:
        asked = threading.Event()

        def answers() -> None:
            asked.set()
            if error is not None:
                raise error

        outage.over(answers)
        if outage._kind is not None:
            assert asked.wait(60)
            _until(lambda: not outage._asking.locked() and (error or outage._kind is None))

    def lines(*errors: StoreError | None) -> list[str]:
        caplog.clear()
        for error in errors:
            if error is None:
                answer()
            else:
                outage.tell(error)
        return [each.getMessage() for each in caplog.records]

    assert lines(None) == []
    (first,) = lines(StoreUnavailableError("refused"), StoreUnavailableError("no answer"))
    assert first.endswith("refused")
    assert len(lines(StoreFullError("full"))) == 1
    caplog.clear()
    answer(StoreUnavailableError("a request succeeded that did not need the store"))
    assert not caplog.records
    (over,) = lines(None, None)
    assert over.endswith("503: 3")
    assert lines(StoreUnavailableError("refused"), None, StoreUnavailableError("refused")) == []
    now[0] += 60
    assert len(lines(StoreUnavailableError("refused"), None)) == 2


def test_a_pool_whose_connections_are_all_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that waits too long for one is told that the store is busy; the server is not taken
    to be away, and the next call succeeds."""
    from honeytrace.store.errors import StoreBusyError

    monkeypatch.setattr(_pg_pool, "_CONNECTIONS", 2)
    monkeypatch.setattr(_pg_pool, "_CONNECT", 1)
    with postgres_server() as (url, _):
        store = open_store(url)
        pool = store._pool  # type: ignore[attr-defined]
        with pool.connection(), pool.connection(), pytest.raises(StoreBusyError, match="in use"):
            store.ready()
        store.ready()
        store.close()
