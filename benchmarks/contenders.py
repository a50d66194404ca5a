"""Who is measured: each tracer in a process of its own, with its own server where it has one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import peers

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Contender:
    label: str
    worker: str
    """`bare`, `honeytrace`, or the name of a peer."""
    arguments: tuple[Any, ...] = ()
    server: str = ""
    """`sink`, or `own`: `honeytrace serve`."""

    @property
    def is_peer(self) -> bool:
        return self.worker in peers.PINS

    @property
    def is_slow(self) -> bool:
        """Whether a tenth of the calls are enough."""
        return self.is_peer or self.arguments[:1] == ("sessions",)

    @property
    def python(self) -> str:
        return str(peers.python(self.worker)) if self.is_peer else sys.executable


def contenders() -> list[Contender]:
    """All of them; peers that are not installed too, so that a table can say so."""
    bare = [Contender(kind, "bare", (kind,)) for kind in ("untraced", "pass-through", "floor")]
    ours = [Contender("recording off", "honeytrace", ("off", True))]
    for label, destination, server in (
        ("null sink", "null", ""),
        ("embedded store", "store", ""),
        ("own server", "server", "own"),
        ("API, tree, one session", "tree", "sink"),
        ("API, sessions", "sessions", "sink"),
    ):
        ours.append(Contender(f"honeytrace: {label}", "honeytrace", (destination, True), server))
        name = f"honeytrace: {label}, no journal"
        ours.append(Contender(name, "honeytrace", (destination, False), server))
    return bare + ours + [Contender(name, name, (), "sink") for name in peers.PINS]


KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
"""glibc keeps what was freed. Else it depends on what lies beside it whether large values are
written into new pages, at four times the cost of `orjson.dumps`: for the floor as for anybody."""


def environment(home: str, **more: str) -> dict[str, str]:
    """Nothing of the caller's but the path: no keys, no proxies, no configuration."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    return {
        **keep,
        "HOME": home,
        "PYTHONPATH": str(ROOT),
        "DO_NOT_TRACK": "1",
        **KEEP_MEMORY,
        **more,
    }


def start(command: list[str], home: str, **more: Any) -> subprocess.Popen[str]:
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=home, env=environment(home), **{**quiet, **more})


class Server:
    """The other end of a contender, listening when this is made."""

    def __init__(self, contender: Contender, home: str, latency: float, *more: str) -> None:
        if contender.server == "own":
            command = [sys.executable, "-m", "honeytrace", "serve", "--port", "0", *more]
        else:
            # the peer's interpreter has what its bodies are compressed with
            command = [contender.python, "-m", "benchmarks.sink", "--latency", str(latency), *more]
        self.process = start(command, home, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        said = next((line for line in self.process.stdout if "http://" in line), None)
        if said is None:
            raise RuntimeError(f"the server of {contender.label} does not start")
        self.url = "http://" + said.partition("http://")[2].split()[0].rstrip("/")

    def received(self) -> int:
        """How many marked calls a sink has received."""
        with urllib.request.urlopen(f"{self.url}/_received") as reply:
            return int(json.load(reply)["markers"])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class Running:
    """A contender at work."""

    def __init__(self, contender: Contender, latency: float = 0.0) -> None:
        self.contender = contender
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        home = self._home.name
        self.server = Server(contender, home, latency) if contender.server else None
        arguments = [*contender.arguments]
        if contender.worker != "bare":  # the address comes after the destination
            arguments.insert(1, self.server.url if self.server else "")
        command = [contender.python, "-m", "benchmarks.worker", contender.worker]
        self.process = start([*command, json.dumps(arguments)], home, stdin=subprocess.PIPE)
        self.last: dict[str, Any] = {}

    def measure(self, workload: str, calls: int) -> dict[str, Any]:
        """What the worker found; raises RuntimeError where it has died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps([workload, calls]) + "\n")
            self.process.stdin.flush()
            self.last = json.loads(self.process.stdout.readline())
        except (OSError, ValueError) as error:
            raise RuntimeError(f"{self.contender.label} does not answer") from error
        return self.last

    def delivered(self) -> tuple[int, int] | None:
        """Delivered and recorded so far; None where nothing is to be delivered."""
        if self.contender.server == "sink" and self.server is not None:
            return self.server.received(), self.last["recorded"]
        if self.last.get("delivered") is not None:
            return self.last["delivered"], self.last["recorded"]
        return None

    def close(self) -> float:
        """End the worker as a program ends; gives the seconds that took, with 100 calls to send."""
        assert self.process.stdin is not None
        begin = time.perf_counter()
        self.process.stdin.close()
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        seconds = time.perf_counter() - begin
        if self.server is not None:
            self.server.close()
        self._home.cleanup()
        return seconds
