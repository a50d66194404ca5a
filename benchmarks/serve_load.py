"""`honeytrace serve` under load: `python -m benchmarks.serve_load [--seconds 20] [--lists 50]`.

Four client processes send batches as fast as they are taken, while lists of the viewer follow what
arrives and one client sends single sessions. Prints sessions a second, the median and the worst of
the single requests and of `GET /`, and the server's memory at its highest.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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


def follow(url: str, until: float) -> None:
    """A list that is open in a browser."""
    with suppress(httpx.HTTPError), httpx.stream("GET", url, timeout=60) as reply:
        for _ in reply.iter_lines():
            if time.time() > until:
                return


def timed(client: httpx.Client, until: float, single: bool) -> list[float]:
    """Milliseconds of each request until then."""
    took = []
    while time.time() < until:
        begun = time.perf_counter()
        if single:
            client.post("/session/start", json={"session": session()}).raise_for_status()
        else:
            client.get("/").raise_for_status()
        took.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.05)
    return took


@contextmanager
def serving(store: Path) -> Iterator[tuple[str, int]]:
    """The server's address and process id."""
    command = [sys.executable, "-c", SERVE, str(store)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
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
        lists = [
            threading.Thread(target=follow, args=(f"{url}/live?scope=calls", until), daemon=True)
            for _ in range(options.lists)
        ]
        for each in (*clients, *lists):
            each.start()
        with httpx.Client(base_url=url, timeout=60) as client:
            pages: list[float] = []
            reader = threading.Thread(target=lambda: pages.extend(timed(client, until, False)))
            reader.start()
            singles = timed(client, until, True)
            reader.join()
        for process in clients:
            process.join()
        print(f"{sent.value / options.seconds:,.0f} sessions/s, peak {peak(pid):.0f} MB")
        for name, took in (("POST /session/start", singles), ("GET /", pages)):
            print(f"{name}: median {statistics.median(took):.0f} ms, worst {max(took):.0f} ms")


if __name__ == "__main__":
    main()
