"""A traced program, told of the server by the two variables of HoneyHive's users alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import served

from surroundings import environ

PIPELINE = Path(__file__).with_name("traced_pipeline.py")


@pytest.mark.parametrize("layout", ["sessions", "tree"])
def test_a_traced_pipeline_is_read_back_whole(layout: str, tmp_path: Path) -> None:
    """The process that recorded and another that only knows the root's id see the same tree."""
    with served(tmp_path / "sessions.db") as url:
        env = environ(HH_API_KEY="key", HH_API_URL=url, HONEYTRACE_LAYOUT=layout)

        def run(*arguments: str) -> list[str]:
            command = [sys.executable, str(PIPELINE), *arguments]
            ran = subprocess.run(
                command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
            )
            assert ran.returncode == 0, ran.stderr
            assert ran.stderr == ""
            return ran.stdout.splitlines()

        root, *recorded = run()
        read = run(root)
    assert read == recorded
    assert [re.sub(r"  [\d.]+ (µs|ms|s)\b", "", line) for line in read] == [
        "ask",
        "├─ retrieve",
        "│  ├─ embed",
        "│  └─ rank",
        "├─ guess  ✗ ValueError: no idea",
        "└─ generate",
    ]
