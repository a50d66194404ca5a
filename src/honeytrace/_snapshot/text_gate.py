"""A quick look at a string: could it bind a secret, or be one?

Every string of every recorded value is asked. A yes to a harmless text costs a search by the slower
patterns of `bindings` and `credentials`, and nothing else; a no must be right. So the gate looks
for the few characters that every secret has beside it, and for long runs of word characters.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Final

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .gate_words import BEGINNINGS, COUNTS, PREFIXES, SHORTEST, TAILS

if not cython.compiled:  # otherwise text_gate.pxd has them in C
    from .._base.primitives import find, next_mark, next_run, run_end

__all__ = ["ends_like_name", "suspicious"]

_SHORTEST: Final = SHORTEST
_RUN: Final = 20
"""Characters of the shortest run of word characters that may be a credential."""
_LONGEST_TAIL: Final = max(map(len, TAILS))
_SKIPPED: Final = 6
"""Quotes, brackets and spaces between a name and its separator."""
_SPACES: Final = 8
"""Spaces between a bracket and the name of a pair, as `bindings` allows."""
_LONGEST_NAME: Final = 80
_DIGITS: Final = 3
"""Digits behind a name: `api_key2`."""
_BEFORE: Final = len("whsec")
_SCHEME: Final = len(BEGINNINGS[0])
_HOOKS: Final = ("hooks.slack", "discord")
"""Hosts whose paths are credentials."""
_USERINFO: Final = 255
"""Characters between `://` and `@`."""
_COUNTS: Final = frozenset(COUNTS)
_LONGEST_COUNT: Final = max(map(len, COUNTS))
_LAST_WORD: Final = re.compile(r"[\w.-]*\Z", re.A)
_SPACE: Final = re.compile(r"[ \t-\r]")


def _by_end() -> dict[str, tuple[str, ...]]:
    """Return the tails by their last two letters, in any case, so that few are compared."""
    found: dict[str, tuple[str, ...]] = {}
    for tail in TAILS:
        for pair in product(*({letter, letter.upper()} for letter in tail[-2:])):
            end = "".join(pair)
            found[end] = (*found.get(end, ()), tail)
    return found


_TAILS: Final = _by_end()
_ENDS: Final = bytes(
    any(
        ord(end[0]) & 31 == place >> 5 and ord(end[1]) & 31 == place & 31
        for end in {tail[-2:] for tail in TAILS}
    )
    for place in range(1 << 10)
)
"""Which two letters may be the last of a tail, by five bits of each: no look at a dictionary."""

_STARTS: Final = bytearray(1 << 14)
"""Which two characters may be the first of a credential, by seven bits of each."""
for _prefix in PREFIXES:
    _STARTS[ord(_prefix[0]) << 7 | ord(_prefix[1])] = 1

_PREFIXES: Final = {
    letter: tuple(prefix for prefix in PREFIXES if prefix[0] == letter)
    for letter in {prefix[0] for prefix in PREFIXES}
}


def suspicious(text: str) -> bool:
    """Tell whether a text, an exact str, is worth the search for secrets."""
    size = len(text)
    if size < _SHORTEST:
        return False
    at = next_mark(text, 0, size)
    while at >= 0:
        if _is_suspect(text, at, size):
            return True
        at = next_mark(text, at + 1, size)
    if text[0] in "bB" and text[:7].lower().startswith(BEGINNINGS):
        return True
    return size >= _RUN and _has_credential(text, size)


def _is_suspect(text: str, at: int, size: int) -> bool:
    """Return whether the mark at this place stands beside a secret."""
    mark = text[at]
    if mark == "=":
        return _binds(text, at)
    if mark == ":":
        twice = at + 2 < size and text[at + 1] == text[at + 2]
        if twice and (text[at + 1] == "A" or (text[at + 1] == "/" and _is_address(text, at, size))):
            return True
        return _binds(text, at)
    if mark == "-":  # `--name`
        return at + 2 < size and text[at + 1] == "-" and _is_letter(text[at + 2])
    if mark == "_":  # a webhook's secret has `+` and `/`, which end a run
        return at >= _BEFORE and text[at - 1] == "c" and text.startswith("whsec", at - _BEFORE)
    return _is_pair(text, at + 1, size)


def _is_letter(character: str) -> bool:
    return "a" <= character <= "z" or "A" <= character <= "Z"


def _is_pair(text: str, at: int, size: int) -> bool:
    """Return whether a quoted name and a comma follow a bracket: `('name', 'value')`."""
    first = at  # brackets, since prose has more commas and quotes
    while at < size and at - first < _SPACES and text[at].isspace():
        at += 1
    if at < size and text[at] == "b":
        at += 1
    if at < size and (text[at] == "'" or text[at] == '"'):
        end = find(text, text[at], at + 1, min(size, at + 2 + _LONGEST_NAME))
        return 0 <= end < size - 1 and text[end + 1] == "," and _ends_with_tail(text, end)
    return False


def ends_like_name(text: str) -> bool:
    """Tell whether a text may be the name of a secret, as the first of a pair with its value."""
    return _ends_with_tail(text, len(text))


def _binds(text: str, at: int) -> bool:
    """Return whether a name that may be a secret's ends before the separator at `at`."""
    end = at
    while end > 0 and at - end < _SKIPPED and text[end - 1] in " \t\n\"'\\])!*`":
        end -= 1
    return _ends_with_tail(text, end) and not _is_count(text, end)


def _is_count(text: str, end: int) -> bool:
    """Return whether the whole name that ends here is that of a count."""
    tail = text[max(0, end - _LONGEST_COUNT - 1) : end]
    found = _LAST_WORD.search(tail)
    if found is None or found[0].lower() not in _COUNTS:
        return False
    return found.start() == 0 or tail[found.start() - 1].isascii()


def _ends_with_tail(text: str, end: int) -> bool:
    first = end
    while end > 0 and first - end < _DIGITS and "0" <= text[end - 1] <= "9":
        end -= 1
    if end < 2 or not _ENDS[(ord(text[end - 2]) & 31) << 5 | (ord(text[end - 1]) & 31)]:
        return False
    tails = _TAILS.get(text[end - 2 : end])
    if tails is None:
        return False
    return text[max(0, end - _LONGEST_TAIL) : end].lower().endswith(tails)


def _is_address(text: str, at: int, size: int) -> bool:
    """Return whether a user's name or a hook's path stands in the address behind `://`."""
    if text.startswith(_HOOKS, at + 3, size):
        return True
    found = find(text, "@", at + 3, min(size, at + 4 + _USERINFO))
    return found >= 0 and _SPACE.search(text, at + 3, found) is None


def _is_scheme(text: str, end: int) -> bool:
    """Return whether the name of a scheme, `Bearer`, stands before a run."""
    if text[end - 2] not in "rRcC":
        return False
    return text[end - _SCHEME : end].lower().endswith(BEGINNINGS)


def _has_credential(text: str, size: int) -> bool:
    """Return whether a long run of word characters begins as credentials do."""
    start = next_run(text, 0, size)
    while start >= 0:
        end = run_end(text, start, size)
        while start < end and text[start] in "._-":
            start += 1
        if start >= _SCHEME and text[start - 1] == " " and _is_scheme(text, start):
            return True
        if (
            start + 1 < end
            and _STARTS[(ord(text[start]) & 127) << 7 | (ord(text[start + 1]) & 127)]
        ):
            prefixes = _PREFIXES.get(text[start])
            if prefixes is not None and text.startswith(prefixes, start, end):
                return True
        start = next_run(text, end, size)
    return False
