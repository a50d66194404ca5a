"""Every Python block of the documentation's pages runs, from top to bottom, as one program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from surroundings import environ

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "index.md", *sorted((DOCS / "how-to").glob("*.md"))]
BLOCK = re.compile(r"(<!-- not run: [^>]+ -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in this language, but for those that say why they are not run."""
    found = BLOCK.findall(page.read_text())
    return [text for skipped, name, text in found if name == language and not skipped]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_programs_run(page: Path, tmp_path: Path) -> None:
    """The page's Python blocks, one after the other, end without an error."""
    program = "\n\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_tutorial_commands_find_what_they_promise(tmp_path: Path) -> None:
    """The commands of the tutorial show the runs that its programs recorded."""
    pipeline, _, agent, *_ = blocks(DOCS / "tutorial.md", "python")
    (tmp_path / "rag.py").write_text(pipeline)
    (tmp_path / "agent.py").write_text(agent)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environ(XDG_STATE_HOME=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("rag.py")
    assert "build_prompt" in run("-m", "honeytrace", "show", "@last")
    assert "search" in run("-m", "honeytrace", "show", "@last:3")
    run("agent.py")
    shown = run("-m", "honeytrace", "show", "@last")
    assert "search_flights" in shown
    assert "198" in shown
    assert "convert" in run("-m", "honeytrace", "search", "convert")
