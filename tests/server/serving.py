"""`honeytrace serve` as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def start(*arguments: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """The process, with its standard error on a pipe; whatever happens, it does not outlive us."""
    process = subprocess.Popen(
        [sys.executable, "-m", "honeytrace", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload] - those of Popen
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def served(store: Path) -> Iterator[str]:
    """The URL at which the store is served; at the end the process has shut down in peace."""
    with start("--store", str(store)) as process:
        assert process.stderr is not None
        yield process.stderr.readline().rpartition(" ")[2].strip()
        process.terminate()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
