"""Directories and files that outlive the process, private to this user."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from zlib import crc32

from .._base.directories import ignore_in_git, make_directory


def candidates(directory: str) -> list[str]:
    """Return the directories that may hold a journal, in the order in which they are tried.

    These are the configured one, one in the user's state directory and one for temporary files. The
    latter two are named after the configured directory, so that no program delivers the calls of
    another. A directory that cannot be named is left out: the working directory may be deleted,
    the user may have no home, and no temporary directory may be writable.
    """
    found = []
    with suppress(OSError):  # the working directory is gone
        directory = os.path.abspath(directory)
        found.append(directory)
    own = f"{crc32(directory.encode('utf-8', 'surrogateescape')):08x}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    if os.path.isabs(state):  # a user without a home leaves the "~" as it is
        found.append(os.path.join(state, "honeytrace", "journal", own))
    with suppress(OSError):  # no temporary directory can be written
        temporary = os.path.abspath(_temporary())
        found.append(os.path.join(temporary, f"honeytrace-{os.geteuid()}-{own}"))
    return found


def _temporary() -> str:
    """Return the directory that `tempfile.gettempdir()` names; it raises OSError without one.

    tempfile makes a file to see whether it can, and its import takes 5 ms; readers do neither.
    """
    if os.name == "posix" and "tempfile" not in sys.modules:
        given = map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))
        for each in (*given, "/tmp", "/var/tmp", "/usr/tmp"):
            if each and os.path.isdir(each) and os.access(each, os.W_OK | os.X_OK):
                return each
    import tempfile

    return tempfile.gettempdir()


def private(directory: str) -> str:
    """Return `directory`, made with mode 0700 if it is missing. Raises OSError like `owned`."""
    parent = os.path.dirname(directory)
    if not os.path.isdir(parent):  # a user who may rename entries in it could replace the directory
        make_directory(parent)
        ignore_in_git(parent)
    make_directory(directory)
    return owned(directory)


def owned(directory: str) -> str:
    """Return `directory`. Raises OSError if it is another user's, a symlink, or open to others."""
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "not a directory of this user", directory)
    if found.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EPERM, "others may write to it", directory)
    return directory


def lock(fd: int) -> bool:
    """Take the lock of a journal's owner; return False if another process has it."""
    import fcntl  # not available on Windows

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def reserve(fd: int, size: int) -> None:
    """Allocate the file's blocks now: on a full disk, a page without a block causes a SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        for at in range(0, size, 1 << 20):
            os.pwrite(fd, bytes(min(1 << 20, size - at)), at)
