"""Sixteen times the input is nowhere near 256 times the work, for every pattern.

The measure is the processor time of one thread, as the ratio of two runs, each the best of two.
Linear work takes 16 times as long and quadratic work 256 times: a busy machine, which can double
or halve either figure, stays on the right side of 64.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from honeytrace._snapshot import bindings, credentials
from honeytrace._snapshot.redact import DEFAULT, SECRET_PATTERNS
from honeytrace._snapshot.snapshotter import Snapshotter

PIECES = [
    *("-eyJ", "eyJa.", "sk-", "a", "=", ":", '"', "'", "[", "://", "bearer ", "password="),
    *("--password ", "('token', ", '"key": "', "-----BEGIN PRIVATE KEY-----", "a=", "key "),
    *('\\"', "key=[", "http://a:", "password='\\", "authorization: "),
]
SMALL, LARGE = 8_000, 128_000


def cost(run: Callable[[str], object], text: str) -> float:
    def once() -> float:
        start = time.thread_time()
        run(text)
        return time.thread_time() - start

    return min(once() for _ in range(2))


def is_linear(run: Callable[[str], object], piece: str) -> None:
    small, large = piece * (SMALL // len(piece)), piece * (LARGE // len(piece))
    a, b = cost(run, small), cost(run, large)
    assert b < 64 * max(a, 0.001), f"{piece!r}: {a:.4f} s, of sixteen times as much {b:.4f} s"


@pytest.mark.parametrize("piece", PIECES)
def test_every_pattern_is_linear(piece: str) -> None:
    """Sixteen times the text is nowhere near 256 times the time, pattern by pattern."""
    searched = (bindings._PAIR, bindings._ARGUMENT, bindings._BRACKET, credentials._AUTHORITY)
    for pattern in (*SECRET_PATTERNS, *searched, bindings.binding_pattern(("email",))):
        is_linear(lambda text, p=pattern: [None for _ in p.finditer(text)], piece)  # type: ignore[misc]


@pytest.mark.parametrize("piece", PIECES)
def test_masking_is_linear(piece: str) -> None:
    """The same for a text as an error message, as a string, and as a key."""
    encode = Snapshotter().encode
    is_linear(DEFAULT.text, piece)
    is_linear(lambda text: encode([text]), piece)
    is_linear(lambda text: encode({("q", text): 1}), piece)
