"""A request body in chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Streamed(NamedTuple):
    """A body that comes in chunks of `size` bytes together; `chunks` may be iterated again."""

    chunks: Iterable[bytes]
    size: int
