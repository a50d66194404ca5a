"""The place of a call in the source, and a link that opens it in an editor."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_EDITOR = "vscode://file/{path}:{line}"


@dataclass(frozen=True)
class CodePlace:
    """`function` as `module:qualname`, `at` as `file:line`, the commit, and a link or nothing."""

    function: str
    at: str
    commit: str
    link: str


def code_place(details: Mapping[str, Any], *, link: bool) -> CodePlace | None:
    """Return the place that a record names, or None.

    link: whether files of this machine may be looked for. A server with keys shows pages to people
    elsewhere, and would tell them which files it has. HONEYTRACE_EDITOR is the address that opens
    an editor, `vscode://file/{path}:{line}` by default.
    """
    code, commit = details.get("code"), details.get("commit")
    if not isinstance(code, str):
        return None
    function, _, at = code.partition("@")
    file, _, line = at.rpartition(":")
    path = _found(file) if link and line.isdecimal() else None
    address = "" if path is None else _address(path, line)
    return CodePlace(function, at, commit if isinstance(commit, str) else "", address)


def _address(path: str, line: str) -> str:
    form = os.environ.get("HONEYTRACE_EDITOR") or _EDITOR
    if form.lstrip().lower().startswith(("javascript:", "data:")):
        form = _EDITOR
    return form.replace("{path}", quote(path.lstrip("/"))).replace("{line}", line)


def _found(file: str) -> str | None:
    """Return the absolute path of a file: in the working directory, or on the path of imports."""
    for folder in ("", *sys.path):
        path = os.path.abspath(os.path.join(folder, file))
        if os.path.isfile(path):
            return path
    return None
