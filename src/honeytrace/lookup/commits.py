"""Commits of the git repository around the working directory, and the functions they touch."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Commit", "commits_between"]

_MOST = 200
"""Commits that are read."""
_TIMEOUT = 20.0
"""Seconds for git."""

_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
"""A commit that git may be asked about: recorded text never becomes an option of git."""
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@ ?(.*)")
_DEFINED = re.compile(r"^[+-]?\s*(?:async\s+def|def|class)\s+(\w+)")
_HEAD, _FIELD = "\x1e", "\x1f"


class Commit(NamedTuple):
    """A commit. `functions` are those that its diff names, as `file:name`; `moment` is ISO 8601."""

    commit: str
    author: str
    moment: str
    subject: str
    files: Sequence[str]
    functions: Sequence[str]

    def touches(self, code: str | None) -> bool:
        """Return whether this commit changes the function at `module:name@file:line`."""
        if code is None or "@" not in code:
            return False
        named, _, place = code.partition("@")
        file = place.rpartition(":")[0] or place
        function = named.rpartition(":")[2].rpartition(".")[2]
        return any(
            _same_file(path, file) and name in (function, "")
            for path, _, name in (each.rpartition(":") for each in self.functions)
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything for JSON."""
        return {
            **self._asdict(),
            "files": list(self.files),
            "functions": list(self.functions),
        }


def commits_between(good: str, bad: str) -> list[Commit] | None:
    """Return the commits that `bad` has and `good` has not, the newest first.

    None if either is no hash, or git or the repository does not know them. If `bad` is older than
    `good`, these are the commits that were undone.
    """
    if not (_COMMIT.fullmatch(good) and _COMMIT.fullmatch(bad)):
        return None
    if good == bad:
        return []
    found = _log(f"{good}..{bad}")
    return _log(f"{bad}..{good}") if found == [] else found


def _log(between: str) -> list[Commit] | None:
    form = _HEAD + _FIELD.join(("%h", "%an", "%aI", "%s"))
    command = ("git", "--no-pager", "log", f"--max-count={_MOST}", f"--format={form}", "-p", "-U0")
    quiet = ("--no-color", "--no-ext-diff", "--no-textconv", between, "--")
    try:
        done = subprocess.run([*command, *quiet], capture_output=True, timeout=_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return list(_parsed(done.stdout.decode("utf-8", "replace")))


def _parsed(log: str) -> Iterator[Commit]:
    for part in log.split(_HEAD)[1:]:
        head, _, diff = part.partition("\n")
        commit, author, moment, subject = (head.split(_FIELD, 3) + [""] * 4)[:4]
        yield Commit(commit, author, moment, subject, *_touched(diff))


def _touched(diff: str) -> tuple[list[str], list[str]]:
    """Return the files of a diff, and the functions: of hunk heads and of changed definitions.

    A hunk outside every function, such as a prompt at module level, counts for the whole file.
    """
    files: dict[str, None] = {}
    functions: dict[str, None] = {}
    file = ""
    for line in diff.split("\n"):
        if line.startswith("+++ ") or (line.startswith("--- ") and not line.endswith("/dev/null")):
            name = line[4:].strip().strip('"')
            if name != "/dev/null":
                file = name[2:] if name[:2] in ("a/", "b/") else name
                files[file] = None
        elif hunk := _HUNK.match(line):
            inside = _DEFINED.match(hunk[3])
            functions[f"{file}:{inside[1] if inside else ''}"] = None
        elif line[:1] in ("+", "-") and (defined := _DEFINED.match(line)):
            functions[f"{file}:{defined[1]}"] = None
    return list(files), list(functions)


def _same_file(path: str, recorded: str) -> bool:
    """Return whether a path of the repository and a recorded one may be the same file."""
    one, other = path.replace("\\", "/"), recorded.replace("\\", "/")
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")
