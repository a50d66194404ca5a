"""The release workflow: it cannot run here, so its files are held against their schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def tool(name: str, *arguments: str, **env: str) -> str:
    """Run a tool of the environment that the tests run in, and return its standard output."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_valid(path: Path) -> None:
    """Each workflow meets the published schema of GitHub's workflow files."""
    tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="cibuildwheel needs Python 3.11")
@pytest.mark.parametrize(
    ("platform", "architecture", "kinds"),
    [
        ("linux", "x86_64", {"manylinux_x86_64", "musllinux_x86_64"}),
        ("linux", "aarch64", {"manylinux_aarch64", "musllinux_aarch64"}),
        ("macos", "arm64", {"macosx_arm64"}),
        ("windows", "AMD64", {"win_amd64"}),
    ],
)
def test_wheels_are_built_for_every_supported_python(
    platform: str, architecture: str, kinds: set[str]
) -> None:
    """cibuildwheel accepts our settings and would build a wheel for each Python and platform."""
    listed = tool(
        "cibuildwheel",
        *("--platform", platform, "--archs", architecture, "--print-build-identifiers", "."),
    ).split()
    pythons = {f"cp3{minor}" for minor in range(10, 14)}
    assert set(listed) == {f"{python}-{kind}" for python in pythons for kind in kinds}


def test_only_tags_are_published() -> None:
    """The publishing job waits for every build and runs for a version's tag alone."""
    import yaml

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == set(workflow["jobs"]) - {"publish"}
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert "secrets." not in json.dumps(workflow)
