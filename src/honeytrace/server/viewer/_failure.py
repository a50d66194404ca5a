"""Errors as the templates draw them: frames of tracebacks, the program's own ones open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Failure", "Frame", "failures", "frames", "innermost", "type_of"]

_FRAME = re.compile(r'  File "([^"\n]*)", line (\d+), in ([^\n]*)\n((?:    [^\n]*\n?)*)')
_FOREIGN = re.compile(r"[/\\](site|dist)-packages[/\\]|[/\\]lib[/\\]python\d|^<")
"""Paths of installed packages, the standard library, and code without a file."""

_MOST = 60
"""Largest number of frames of one traceback; the rest is in its text."""


@dataclass(frozen=True)
class Frame:
    """A line of the program that an exception came through."""

    file: str
    line: int
    function: str
    code: str
    own: bool
    """True for code of the program, not of a package or Python itself."""


@dataclass(frozen=True)
class Failure:
    """An error, or a cause of one, with the frames it came through, the innermost last."""

    title: str
    """`Type: message`."""
    frames: Sequence[Frame]
    rest: str
    """The traceback as text, if no frame could be parsed."""


def failures(error: str, details: Mapping[str, Any]) -> list[Failure]:
    """Return the error of a session, then its causes, the nearest first. The text alone is returned
    if nothing else was recorded."""
    found = [_failure(error, details.get("traceback"))]
    causes, tracebacks = details.get("causes"), details.get("cause_tracebacks")
    for number, cause in enumerate(causes if isinstance(causes, list) else ()):
        known = isinstance(tracebacks, list) and number < len(tracebacks)
        found.append(_failure(str(cause), tracebacks[number] if known and tracebacks else ""))
    return found


def _failure(title: str, traceback: Any) -> Failure:
    text = traceback if isinstance(traceback, str) else ""
    read = frames(text)
    return Failure(title, read, "" if read else text)


def frames(traceback: str) -> list[Frame]:
    """Return the frames of a printed traceback, at most 60, the innermost last."""
    found = []
    for match in _FRAME.finditer(traceback):
        file, line, function, code = match.groups()
        lines = [each.strip() for each in code.splitlines()]
        told = "\n".join(each for each in lines if set(each) - set("^~ "))
        found.append(Frame(file, int(line), function, told, not _FOREIGN.search(file)))
    return found[-_MOST:]


def innermost(found: Sequence[Frame]) -> Frame | None:
    """Return the innermost frame of the program itself, or of any code if the program has none."""
    own = [each for each in found if each.own]
    return own[-1] if own else found[-1] if found else None


def type_of(error: str) -> str:
    """Return the type in `Type: message`."""
    name = error.partition(":")[0].strip()
    return name if re.fullmatch(r"[\w.<>]{1,80}", name) else "Error"
