"""The viewer as `serve` runs it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

CODE = "import sys; from honeytrace.server import serve; serve(sys.argv[1], port=0, ready={ready})"


@contextmanager
def process(store: Path, ready: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", CODE.format(ready=ready), str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_it_says_when_it_can_be_reached(tmp_path: Path) -> None:
    """To whoever asked, with the address: a browser can be opened there."""
    with process(tmp_path / "s.db", "lambda url: print(url, flush=True)") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        assert httpx.get(url).status_code == 200


def test_a_page_left_open_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A stop ends its stream in order, and says nothing of it."""
    with process(tmp_path / "s.db", "lambda url: print(url, flush=True)") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        url = running.stdout.readline().strip()
        with httpx.stream("GET", f"{url}/live", timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry")
            running.terminate()
            assert "" in list(lines)  # until the server ended it
        assert running.wait(30) == 0
        assert running.stderr.read().count("\n") == 1  # its greeting
