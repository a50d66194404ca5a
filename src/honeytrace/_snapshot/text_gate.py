"""A quick look at a string: could it bind a secret, or be one?

Every string of every recorded value is asked, so this is compiled where there is a compiler (from
the `.pyx` beside this file, which a test holds against this one): less than a nanosecond a
character. A yes to a harmless text costs a search by the slower patterns of `bindings` and
`shapes`, and nothing else.
"""

from __future__ import annotations

import re
from typing import Final

from .gate_words import BEGINNINGS, COUNTS, PREFIXES, RUN, SHORTEST, TAILS

__all__ = ["ends_like_name", "suspicious"]

_TAIL: Final = rf"(?:{'|'.join(TAILS)})\d{{0,3}}"
_BINDING: Final = re.compile(rf"{_TAIL}[ \t\n\"'\\\])!]{{0,6}}[=:]", re.A | re.I)
_COUNT: Final = re.compile(
    rf"(?<![\w.-])(?:{'|'.join(COUNTS)})[ \t\n\"'\\\])!]{{0,6}}\Z", re.A | re.I
)
_NAME: Final = re.compile(rf"{_TAIL}\Z", re.A | re.I)
_LONGEST_TAIL: Final = max(map(len, TAILS)) + 3
_LONGEST_COUNT: Final = max(map(len, COUNTS)) + 7
_ARGUMENT: Final = re.compile("--[A-Za-z]")
_USERINFO: Final = re.compile(r"://[^\s]{0,255}@", re.A)
_RUN: Final = re.compile(rf"[\w.-]{{{RUN}}}[\w.-]*", re.A)


def suspicious(text: str, most: int = -1) -> bool:
    """Tell whether a text is worth the search for secrets.

    Args:
        text: an exact str.
        most: characters that are looked at; all of them by default.
    """
    if 0 <= most < len(text):
        text = text[:most]
    if len(text) < SHORTEST:
        return False
    if ("=" in text or ":" in text) and _binds(text):
        return True
    if "--" in text and _ARGUMENT.search(text) is not None:
        return True
    if "://" in text and "@" in text and _USERINFO.search(text) is not None:
        return True
    if text[:7].lower().startswith(BEGINNINGS):
        return True
    return any(run.lstrip("._-").startswith(PREFIXES) for run in _RUN.findall(text))


def _binds(text: str) -> bool:
    return any(not _is_count(text, found.end() - 1) for found in _BINDING.finditer(text))


def _is_count(text: str, end: int) -> bool:
    """Return whether the name before the separator at `end` is one of `COUNTS`."""
    start = max(0, end - _LONGEST_COUNT)
    found = _COUNT.search(text, start, end)
    return found is not None and (found.start() == 0 or text[found.start() - 1].isascii())


def ends_like_name(text: str) -> bool:
    """Tell whether a text may be the name of a secret, as the first of a pair with its value."""
    return _NAME.search(text[-_LONGEST_TAIL:]) is not None
