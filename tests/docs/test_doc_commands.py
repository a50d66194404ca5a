"""Every `honeytrace` command that the documentation prints is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.exceptions import NoArgsIsHelpError

from honeytrace.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:console|sh|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(honeytrace [a-z][^`\n]*)`")
STOPS = {"|", "||", "&&", ";", "&", ">", "<", "&>", ">&"}


def commands(page: Path) -> list[list[str]]:
    """The arguments of each `honeytrace` in a page's shell blocks and in its running text."""
    text = page.read_text()
    lines = [
        line.removeprefix("$ ")
        for block in BLOCK.findall(text)
        for line in block.splitlines()
        if line.startswith("$ ") or "$ " not in block
    ]
    found = []
    for line in [*lines, *INLINE.findall(text)]:
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:  # the line is prose with an apostrophe
            continue
        while "honeytrace" in words:
            words = words[words.index("honeytrace") + 1 :]
            ends = [n for n, word in enumerate(words) if word in STOPS]
            found.append(words[: ends[0]] if ends else words)
    return [each for each in found if each and re.fullmatch(r"[a-z]+|-.*", each[0])]


def parse(arguments: list[str]) -> None:
    """Parse a command without running it; raises UsageError for an unknown option."""
    group: click.Command = app
    with click.Context(group, info_name="honeytrace") as context:
        while isinstance(group, click.Group) and arguments and not arguments[0].startswith("-"):
            command = group.get_command(context, arguments[0])
            if command is None:
                raise click.UsageError(f"no command {arguments[0]}")
            group, arguments = command, arguments[1:]
        if group is not app and not {"--help", "-h"} & {*arguments}:
            with group.make_context("honeytrace", list(arguments), resilient_parsing=False):
                pass


def refusal(arguments: list[str]) -> str | None:
    """Return why the command line refuses these arguments; None if it takes them."""
    try:
        parse(arguments)
    except (click.MissingParameter, NoArgsIsHelpError):  # the running text only names a command
        return None
    except click.UsageError as error:
        return f"{shlex.join(arguments)}: {error.format_message()}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_printed_commands_are_taken(page: Path) -> None:
    """No page prints a command or an option that does not exist."""
    assert [told for arguments in commands(page) if (told := refusal(arguments))] == []


def test_a_wrong_command_is_found() -> None:
    """The check itself tells an option that does not exist."""
    assert refusal(["search", "word", "--nonsense"])
    assert refusal(["nonsense"])
