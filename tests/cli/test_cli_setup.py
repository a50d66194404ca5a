"""`setup` changes a client's configuration as it showed, and nothing else in it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from cli_running import Cli

from honeytrace.cli._json_edit import in_json
from honeytrace.cli._toml_edit import in_toml


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


SERVER = ("/bin/honeytrace", ["mcp"])


WRITTEN = """\
    "honeytrace": {
      "command": "/bin/honeytrace",
      "args": [
        "mcp"
      ]
    }
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '{\n\t"n": 123456789012345678901234567890,\n\t"mcpServers": {}\n}\n',
            '{\n\t"n": 123456789012345678901234567890,\n\t"mcpServers": {\nHERE\t}\n}\n',
        ),
        (
            '{\r\n  "a": "\\u001b\\ud800", "a": 1.0e5\r\n}',
            '{\r\n  "a": "\\u001b\\ud800", "a": 1.0e5,\r\n  "mcpServers": {\r\nHERE  }\r\n}',
        ),
        (
            '{"mcpServers":{"honeytrace":{"args":["mcp"],"command":"/bin/honeytrace","env":{}}}}',
            '{"mcpServers":{"honeytrace":{"args":["mcp"],"command":"/bin/honeytrace","env":{}}}}',
        ),
    ],
)
def test_no_other_byte_of_json_changes(before: str, after: str) -> None:
    """Long numbers, escapes, repeated keys, indentation and ends of lines stay."""
    here = WRITTEN.replace("  ", "\t") if "\t" in before else WRITTEN
    here = here.replace("\n", "\r\n") if "\r" in before else here
    after = after.replace("HERE", here)
    assert in_json(before, SERVER) == after
    assert in_json(after, SERVER) == after


def test_more_that_is_set_for_the_server_stays() -> None:
    """Its environment and time limits, in JSON as in TOML, and comments between tables."""
    given = {"mcpServers": {"honeytrace": {"command": "x", "env": {"A": "1"}}, "o": {"b": []}}}
    edited = json.loads(in_json(json.dumps(given), SERVER))
    assert edited["mcpServers"]["honeytrace"] == {
        "command": "/bin/honeytrace",
        "env": {"A": "1"},
        "args": ["mcp"],
    }
    assert edited["mcpServers"]["o"] == {"b": []}
    text = (
        '[mcp_servers.honeytrace] # mine\ncommand = "x"\nargs = [\n"mcp", # ]\n["x"]\n]\n'
        'env = {A = "1"}\n\n# about the other\n[mcp_servers.other]\ncommand = "y"'
    )
    assert in_toml(text, SERVER) == (
        '[mcp_servers.honeytrace] # mine\ncommand = "/bin/honeytrace"\nargs = ["mcp"]\n'
        'env = {A = "1"}\n\n# about the other\n[mcp_servers.other]\ncommand = "y"'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        'model = "m"',
        'model = "m"\r\n[a]\r\nb = 1\r\n',
        "# [mcp_servers.honeytrace] was here\n",
        'x = """\n[mcp_servers.honeytrace]\ncommand = 1\n"""\n',
        "x = '''\n[mcp_servers.honeytrace]\n'''\n",
        '[mcp_servers.honeytrace2]\ncommand = "z"\n',
        '[mcp_servers.honeytrace.env]\nA = "1"\n',
        "[mcp_servers.honeytrace]",
        'x = [\n[1],\n[2],\n]\n[ mcp_servers . "honeytrace" ]\nargs = []\n[a]\n',
    ],
)
def test_toml_stays_what_it_said(text: str) -> None:
    """The table of the server is added or changed, and a second run changes nothing."""
    after = in_toml(text, SERVER)
    assert in_toml(after, SERVER) == after
    rest = after.replace('command = "/bin/honeytrace"', "").replace('args = ["mcp"]', "")
    gone = text.replace("args = []", "")
    assert rest.split() in (gone.split(), [*gone.split(), "[mcp_servers.honeytrace]"])
    assert ("\r\n" in text) == ("\r\n" in after)
    assert after.replace("\r\n", "").count("\r") == 0


@pytest.mark.parametrize(
    "text",
    [
        '[mcp_servers]\nhoneytrace = {command = "x"}\n',
        'mcp_servers.honeytrace.command = "x"\n',
        "mcp_servers = {}\n",
        "[[mcp_servers]]\na = 1\n",
    ],
)
def test_another_form_of_the_server_is_not_named_twice(text: str) -> None:
    """A table beside it would make the whole file unreadable for the client."""
    with pytest.raises(ValueError, match="server"):
        in_toml(text, SERVER)


def test_a_link_and_the_rights_of_its_target_stay(cli: Cli, place: Path) -> None:
    """And nothing else is left beside it."""
    (place / "kept").mkdir()
    target = place / "kept" / "mine.json"
    target.write_text('\ufeff{"a": 1}')
    target.chmod(0o600)
    (place / ".mcp.json").symlink_to(target)
    assert cli("setup", "claude", "--yes").status == 0
    assert (place / ".mcp.json").is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text().startswith('\ufeff{"a": 1,')
    assert list((place / "kept").iterdir()) == [target]


def test_what_cannot_be_written_is_named(
    cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only place ends it with the file's name, and leaves nothing behind."""
    (place / ".mcp.json").write_text("{}")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    ran = cli("setup", "claude", "--yes")
    assert ran.status == 1
    assert ".mcp.json cannot be written: Read-only" in ran.err
    assert (place / ".mcp.json").read_text() == "{}"
    assert [each.name for each in place.iterdir()] == [".mcp.json"]
