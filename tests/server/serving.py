"""`honeytrace serve` as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    """The process, with its standard error on a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "honeytrace", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload] - those of Popen
    )


@contextmanager
def served(store: Path) -> Iterator[str]:
    """The URL at which the store is served; at the end the process has shut down in peace."""
    with start("--store", str(store)) as process:
        assert process.stderr is not None
        yield process.stderr.readline().rpartition(" ")[2].strip()
        process.terminate()
        assert process.stderr.read() == ""
        assert process.wait(30) == 0
