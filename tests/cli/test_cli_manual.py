"""docs/cli.md says what is true."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from cli_manual import EXAMPLE, PAGE, rendered
from cli_running import Cli, record, stored

from honeytrace.cli import _COMMANDS

TEXT = PAGE.read_text()


def meant(text: str) -> object:
    """An example; of help, which each release of click draws a little differently, the words."""
    if "Options:" not in text:
        return text
    return set(re.findall(r"-{0,2}[a-z][a-z-]+", re.sub(r"\[[^]]*\]|<[^>]*>", "", text)))


@pytest.mark.skipif(sys.platform == "win32", reason="time zones cannot be set there")
def test_every_example_is_what_the_command_shows() -> None:
    """Help and pictures alike; `python tests/cli/cli_manual.py` writes them anew."""
    now = rendered(TEXT)
    examples = [list(map(meant, found)) for found in EXAMPLE.findall(TEXT)]
    assert examples == [list(map(meant, found)) for found in EXAMPLE.findall(now)]
    assert EXAMPLE.sub("", now) == EXAMPLE.sub("", TEXT)


def test_every_command_has_its_help_in_the_manual() -> None:
    """And the manual has no others."""
    helped = re.findall(r"^\$ honeytrace ([a-z]+) --help$", TEXT, re.MULTILINE)
    assert sorted(helped) == sorted(_COMMANDS)


def test_every_json_field_is_in_the_manual(cli: Cli, tmp_path: Path) -> None:
    """Of a session, of figures, of a comparison and of doctor."""
    metadata = {"honeytrace": {"traceback": "…"}}
    records = [
        record(name, error="E: e", metadata=metadata, outputs={"result": name})
        for name in ("one", "two")
    ]
    path = str(stored(tmp_path / "s.db", *records))
    documented = set(re.findall(r"`([a-z_0-9]+)`", TEXT))
    for command in (
        ["list"],
        ["show", "one"],
        ["stats"],
        ["diff", "one", "two"],
        ["doctor"],
        ["prune", "--older-than", "9999w"],
    ):
        for document in cli(*command, "--json", "--store", path).documents:
            assert set(document) <= documented
    (compared,) = cli("diff", "one", "two", "--json", "--store", path).documents
    assert set(compared["sessions"][0]) <= documented
    assert set(compared["sessions"][0]["changes"][0]) <= documented
