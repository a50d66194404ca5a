"""The commit of the program that records, read once a process."""

from __future__ import annotations

import os
from functools import cache

_LENGTH = 12
"""Characters of a commit that are kept. Git itself shows fewer, and every root carries them."""
_LONGEST = 40
"""Characters of a commit that is no hash: a tag, a build number."""
_HASHES = (40, 64)
"""Digits of a hash, SHA-1 and SHA-256."""


@cache
def commit() -> str | None:
    """Return the commit: `HONEYTRACE_COMMIT`, otherwise the one checked out around the working
    directory, abbreviated; None if neither is known.

    Git's files are read, because a subprocess would cost milliseconds and a zombie in some
    containers. Changes since the commit are not looked for.
    """
    given = os.environ.get("HONEYTRACE_COMMIT", "").strip()
    found = given or _checked_out()
    if found is None:
        return None
    return found[: _LENGTH if _is_hash(found) else _LONGEST]


def _checked_out() -> str | None:
    try:
        directory = os.getcwd()
        while not os.path.exists(os.path.join(directory, ".git")):
            above = os.path.dirname(directory)
            if above == directory:
                return None
            directory = above
        return _head(os.path.join(directory, ".git"))
    except (OSError, ValueError):  # no permission, or a file that is not text
        return None


def _head(git: str) -> str | None:
    """Return the hash that HEAD stands for. Source: gitrepository-layout(5)."""
    if os.path.isfile(git):  # a worktree or a submodule
        git = os.path.join(os.path.dirname(git), _line(git).partition("gitdir: ")[2])
    head = _line(os.path.join(git, "HEAD"))
    _, is_reference, name = head.partition("ref: ")
    if not is_reference:
        return head if _is_hash(head) else None
    common = os.path.join(git, "commondir")
    shared = os.path.join(git, _line(common)) if os.path.exists(common) else git
    for place in (git, shared):
        if os.path.exists(os.path.join(place, name)):
            return _line(os.path.join(place, name))
    with open(os.path.join(shared, "packed-refs"), encoding="utf-8") as packed:
        found = (line.split() for line in packed)
        return next((words[0] for words in found if words[1:] == [name]), None)


def _is_hash(text: str) -> bool:
    return len(text) in _HASHES and not text.strip("0123456789abcdef")


def _line(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.readline().strip()
