"""What the README says is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_run(tmp_path: Path) -> None:
    """The README's program runs in an empty directory and prints the tree that it shows."""
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    tree = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert tree == ["ask", "└─ retrieve", "{'question': 'Dutch trains', 'k': 3}"]
    assert done.stderr == ""


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and of the pages in docs/ names a file that is there."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_two_commands_exist() -> None:
    """The Makefile has the targets that the README names."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"make ([a-z-]+)", README)) <= set(targets)
