"""The server in a TOML configuration: one table is changed, and no other byte.

The text is divided into statements, and those of the table are replaced. Python 3.10 has no parser
of TOML; where there is one, it checks that nothing else changed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .._base.lazy import pattern

__all__ = ["in_toml"]

_PLACE = ("mcp_servers", "honeytrace")
_KEYS = ("command", "args")

_TOKEN = pattern(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r"|#[^\n]*|[^\"'#\[\]{}\n]+|.",
    re.DOTALL,
)
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_NAME = rf"[ \t]*{_PART}(?:[ \t]*\.[ \t]*{_PART})*[ \t]*"
_HEADER = pattern(rf"[ \t]*(\[\[?)({_NAME})\]\]?[ \t]*(?:#[^\n]*)?\r?\n?")
_KEY = pattern(rf"({_NAME})=")


def in_toml(text: str, server: Sequence[Any]) -> str:
    """Return a TOML configuration with the table of the server, its command and arguments: in its
    place, or last.

    Raises ValueError if the file names the server in another form, or is not TOML.
    """
    after = _edited(text, server)
    if sys.version_info >= (3, 11):
        import tomllib

        expected: Any = tomllib.loads(text)
        entry = expected.setdefault(_PLACE[0], {}).setdefault(_PLACE[1], {})
        entry.update(zip(_KEYS, server, strict=True))
        if tomllib.loads(after) != expected:
            raise ValueError("the edit would change something else")
    return after


def _edited(text: str, server: Sequence[Any]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    ours = {
        key: f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in zip(_KEYS, server, strict=True)
    }
    table: tuple[str, ...] = ()
    found: list[str] = []
    place = None
    for statement in _statements(text):
        kept = statement
        if header := _HEADER.fullmatch(statement):
            table = _names(header[2])
            if header[1] == "[[" and table in (_PLACE, _PLACE[:1]):
                raise ValueError("the server is in a list of tables")
            if table == _PLACE:
                place = len(found) + 1
                kept = statement if statement.endswith("\n") else statement + newline
        elif key := _KEY.match(statement):
            names = _names(key[1])
            if table == _PLACE:
                if (said := ours.pop(names[0], None)) and statement.strip() != said:
                    kept = said + newline
            elif table[:2] != _PLACE and (*table, *names)[:2] in (_PLACE, _PLACE[:1]):
                raise ValueError("the server is named in another form")
        found.append(kept)
    rest = "".join(said + newline for said in ours.values())
    if place is not None:
        return "".join([*found[:place], rest, *found[place:]])
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return f"{text}{gap}[{'.'.join(_PLACE)}]{newline}{rest}"


def _statements(text: str) -> Iterator[str]:
    """Yield the lines of a text; one that goes on over several, in a value, is one."""
    said, depth = "", 0
    for token in _TOKEN.findall(text):
        said += token
        depth += (token in ("[", "{")) - (token in ("]", "}"))
        if token == "\n" and depth <= 0:
            yield said
            said, depth = "", 0
    if said:
        yield said


def _names(key: str) -> tuple[str, ...]:
    """Return the parts of a dotted key."""
    return tuple(
        json.loads(part) if part[0] == '"' else part.strip("'") for part in re.findall(_PART, key)
    )
