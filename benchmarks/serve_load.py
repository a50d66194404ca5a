"""`honeytrace serve` under load: `python -m benchmarks.serve_load [--seconds 20] [--lists 50]`.

Four client processes send batches as fast as they are taken, while lists of the viewer follow what
arrives and one client sends single sessions. Prints sessions a second, the median and the worst of
the single requests and of `GET /`, and the server's memory at its highest.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import orjson

SERVE = "import sys; from honeytrace.server import serve; serve(sys.argv[1], port=0, ready=print)"
CLIENTS = 4
BATCH = 2_000
"""Sessions a request: 1 MB, as honeytrace's own sink sends."""


def session() -> dict[str, Any]:
    now = time.time() * 1000
    return {
        "session_id": str(uuid.uuid4()),
        "session_name": "answer",
        "project": "load",
        "start_time": now,
        "end_time": int(now),
        "duration": 1.5,
        "inputs": {"question": "x" * 200},
        "outputs": {"result": "y" * 100},
        "children_ids": [],
    }


def send(url: str, until: float, sent: Any) -> None:
    """Batches until then, each again when the server is busy."""
    with httpx.Client(base_url=url, timeout=60) as client:
        while time.time() < until:
            body = orjson.dumps({"sessions": [session() for _ in range(BATCH)]})
            while client.post("/session/start/batch", content=body).status_code != 200:
                time.sleep(0.1)
            with sent.get_lock():
                sent.value += BATCH


def follow(url: str, lists: int, until: float) -> None:
    """Lists that are open in browsers: what arrives is read and thrown away, in one process, which
    takes little of the processors that the server is measured with."""
    parts = urlsplit(url)
    with selectors.DefaultSelector() as waiting, ExitStack() as open_sockets:
        for _ in range(lists):
            each = socket.create_connection((parts.hostname, parts.port))
            open_sockets.enter_context(each)
            each.sendall(f"GET /live?scope=calls HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            waiting.register(each, selectors.EVENT_READ)
        while (left := until - time.time()) > 0 and waiting.get_map():
            for key, _ in waiting.select(left):
                each = cast(socket.socket, key.fileobj)
                if not each.recv(1 << 16):
                    raise ConnectionError("the server ended a stream")


def timed(url: str, until: float, single: bool) -> list[float]:
    """Milliseconds of each request until then, after one that is not counted."""
    took: list[float] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        client.get("/health").raise_for_status()
        while not took or time.time() < until:
            took.append(_timed(client, single))
            time.sleep(0.05)
    return took


def _timed(client: httpx.Client, single: bool) -> float:
    begun = time.perf_counter()
    if single:
        client.post("/session/start", json={"session": session()}).raise_for_status()
    else:
        client.get("/").raise_for_status()
    return (time.perf_counter() - begun) * 1000


@contextmanager
def serving(store: Path) -> Iterator[tuple[str, int]]:
    """The server's address and process id."""
    command = [sys.executable, "-c", SERVE, str(store)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def peak(pid: int) -> float:
    """The most memory the process had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--lists", type=int, default=50)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        serving(Path(directory) / "s.db") as (url, pid),
    ):
        until = time.time() + options.seconds
        sent = multiprocessing.Value("q", 0)
        clients = [
            multiprocessing.Process(target=send, args=(url, until, sent)) for _ in range(CLIENTS)
        ]
        lists = multiprocessing.Process(target=follow, args=(url, options.lists, until))
        for each in (*clients, lists):
            each.start()
        with multiprocessing.Pool(1) as pool:
            reader = pool.apply_async(timed, (url, until, False))
            singles = timed(url, until, True)
            pages = reader.get()
        lists.join()
        assert lists.exitcode == 0
        for process in clients:
            process.join()
        print(f"{sent.value / options.seconds:,.0f} sessions/s, peak {peak(pid):.0f} MB")
        for name, took in (("POST /session/start", singles), ("GET /", pages)):
            print(f"{name}: median {statistics.median(took):.0f} ms, worst {max(took):.0f} ms")


if __name__ == "__main__":
    main()
