"""Directories and files that their owner can use, whatever the umask of the program."""

from __future__ import annotations

import os
import stat
import sys

_ALL = stat.S_IRWXU


def make_directory(directory: str, mode: int = 0o700) -> bool:
    """Make a directory and its missing parents; return False if it exists. Raises OSError.

    The parents have the usual mode. With a umask of 0777, `os.makedirs` could not make a directory
    in the one that it has just made.
    """
    parent = os.path.dirname(directory)
    if parent and not os.path.lexists(parent):
        make_directory(parent, 0o777)
    try:
        os.mkdir(directory, mode)
    except FileExistsError:
        if os.path.isdir(directory):
            return False
        raise
    found = stat.S_IMODE(os.stat(directory).st_mode)
    if found & _ALL != _ALL:
        os.chmod(directory, found | _ALL)
    return True


def keep_private(fd: int) -> None:
    """Let the owner, and nobody else, read and write a new file of mode 0600 under any umask."""
    if sys.platform != "win32" and stat.S_IMODE(os.fstat(fd).st_mode) != 0o600:
        os.fchmod(fd, 0o600)


def ignore_in_git(directory: str) -> None:
    """Keep recorded prompts out of repositories: make git ignore a new directory."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        fd = os.open(os.path.join(directory, ".gitignore"), flags, 0o600)
    except OSError:  # the file exists, or nothing can be written here at all
        return
    try:
        keep_private(fd)
        os.write(fd, b"*\n")
    finally:
        os.close(fd)
