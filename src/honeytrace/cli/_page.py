"""One HTML file, written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile

from ._terminal import say

__all__ = ["save"]


def save(path: str, html: str) -> None:
    """Write the file, readable by its user alone, and say so; `-` is standard output.

    An existing file is replaced at the end, so that an interrupt leaves it as it was.
    """
    data = html.encode("utf-8", "replace")
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    directory = os.path.dirname(os.path.abspath(path))
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".honeytrace-", suffix=".html")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    say(f"wrote {path} ({len(data):,} bytes): it holds recorded values; look before you share it")
