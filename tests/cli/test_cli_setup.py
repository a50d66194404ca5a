"""`setup` changes a client's configuration as it showed, and nothing else in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_running import Cli


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    return tmp_path


@pytest.mark.parametrize(
    ("client", "configuration", "skill"),
    [
        ("claude", ".mcp.json", ".claude/skills/honeytrace/SKILL.md"),
        ("codex", "codex/config.toml", ".agents/skills/honeytrace/SKILL.md"),
        ("cursor", ".cursor/mcp.json", ".cursor/rules/honeytrace.mdc"),
    ],
)
def test_each_client(client: str, configuration: str, skill: str, cli: Cli, place: Path) -> None:
    """Server and skill are shown, and written when agreed; once more changes nothing."""
    shown = cli("setup", client, "--dry-run")
    assert "mcp" in shown.out
    assert not (place / configuration).exists()
    asked = cli("setup", client)
    assert asked.status == 1
    assert "--yes" in asked.err
    assert cli("setup", client, "--yes").status == 0
    text = (place / configuration).read_text()
    assert '"mcp"' in text
    assert (place / skill).read_text().startswith("---\n")
    again = cli("setup", client, "--yes")
    assert "nothing to change" in again.err
    assert (place / configuration).read_text() == text


def test_other_entries_stay(cli: Cli, place: Path) -> None:
    """Of JSON the other servers, of TOML every byte."""
    (place / ".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}, "more": 1}')
    assert cli("setup", "claude", "--yes", "--store", "other.db").status == 0
    document = json.loads((place / ".mcp.json").read_text())
    assert document["more"] == 1
    assert document["mcpServers"]["other"] == {"command": "x"}
    assert document["mcpServers"]["honeytrace"]["args"][-1] == str(place / "other.db")

    (place / "codex").mkdir()
    config = place / "codex" / "config.toml"
    config.write_text(
        'model = "m" # mine\n\n[mcp_servers.honeytrace]\ncommand = "old"\n\n[profiles.p]\nx = 1\n'
    )
    assert cli("setup", "codex", "--yes").status == 0
    text = config.read_text()
    assert text.startswith('model = "m" # mine\n\n[mcp_servers.honeytrace]\n')
    assert text.endswith("[profiles.p]\nx = 1\n")
    assert '"old"' not in text


def test_what_cannot_be_read_is_not_replaced(cli: Cli, place: Path) -> None:
    """An error names the file, which stays as it was."""
    for client, path, text in (
        ("claude", ".mcp.json", "// a comment\n{}"),
        ("cursor", ".cursor/mcp.json", "[1]"),
        ("codex", "codex/config.toml", "mcp_servers = {}\n"),
    ):
        file = place / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        ran = cli("setup", client, "--yes")
        assert ran.status == 1
        assert path in ran.err
        assert file.read_text() == text
