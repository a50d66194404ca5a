"""Sixteen times the input is nowhere near 256 times the work, for every pattern.

The measure is the processor time of one thread, as the ratio of two runs, each the best of up to
six. Linear work takes 16 times as long and quadratic work 256 times. A busy host can quadruple the
time of one run, but not of all six.
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
    *('\\"', "key=[", "http://a:", "password='\\", "authorization: ", "**key:** ", "`", "*"),
]
SMALL, LARGE = 8_000, 128_000  # characters
REPEATS = 5


def seconds(run: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    run(text)
    return time.thread_time() - start


def is_linear(run: Callable[[str], object], piece: str) -> None:
    small, large = piece * (SMALL // len(piece)), piece * (LARGE // len(piece))
    least, most = seconds(run, small), seconds(run, large)
    for _ in range(REPEATS):
        if most < 64 * max(least, 0.001):
            return
        least, most = min(least, seconds(run, small)), min(most, seconds(run, large))
    pytest.fail(f"{piece!r}: {least:.4f} s, of sixteen times as much {most:.4f} s")


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
