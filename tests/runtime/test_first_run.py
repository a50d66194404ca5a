"""The first run in a terminal: one line says where sessions go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from surroundings import environ

PROGRAM = """
import honeytrace
with honeytrace.session("s"):
    pass
honeytrace.flush()
"""
LINE = "honeytrace: recording to .honeytrace/sessions.db (`honeytrace ui` shows it)"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_a_terminal_is_told_once_where_sessions_go(tmp_path: Path) -> None:
    """The run that creates the store prints one line to a terminal; later runs print nothing."""
    assert in_terminal(tmp_path).split("\r\n") == [LINE, ""]
    assert in_terminal(tmp_path) == ""


def test_pipes_are_told_nothing(tmp_path: Path) -> None:
    """A program whose standard error is a file or a pipe keeps its output to itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / ".honeytrace" / "sessions.db").exists()


def in_terminal(directory: Path) -> str:
    """Run the program with a pseudo-terminal as standard error; return the text it shows."""
    import pty

    outside, inside = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=directory, env=environ(), stderr=inside
        )
        os.close(inside)
        shown = b""
        while True:
            try:
                data = os.read(outside, 4096)
            except OSError:  # Linux reports EIO once the other side is closed
                break
            if not data:
                break
            shown += data
        assert process.wait(60) == 0
        return shown.decode()
    finally:
        os.close(outside)
