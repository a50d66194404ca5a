"""A quick look at a key: could it name a secret by the built-in list?

A program may key a mapping by ids, thousands of new ones in each call. The classification of a name
in `secrets` takes a hundred times as long as this look. A yes to a harmless name costs that
classification; a no must be right.
"""

from __future__ import annotations

from typing import Final

from .gate_words import COOKIE, LONGEST_NAME, NAMING, PROSE, VALUES

__all__ = ["HINTS", "hints", "is_harmless_value", "may_name"]

HINTS: Final = (
    *("auth", "bearer", "code", "cookie", "cred", "csrf", "cvv", "dsn", "jwt", "key", "mnemonic"),
    *("otp", "pass", "phrase", "pin", "pw", "secret", "sess", "sig", "ssn", "str", "token", "xsrf"),
    *("aslo", "chtwo", "dgang", "enord", "lasan", "nha", "nnwort", "rasen"),  # of other languages
)
"""Each name of a secret in ASCII has one of these in it, in lower or upper case."""


def _beginnings() -> bytes:
    """Return which three letters may be the first of a hint, by five bits of each."""
    table = bytearray(1 << 15)
    for hint in HINTS:
        thirds = [ord(hint[2]) & 31] if len(hint) > 2 else range(32)
        for third in thirds:
            table[(ord(hint[0]) & 31) << 10 | (ord(hint[1]) & 31) << 5 | third] = 1
    return bytes(table)


_BEGINNINGS: Final = _beginnings()
_LETTERS: Final = 0x7FFF  # five bits of each of three characters
_ASCII: Final = 127
_LETTER: Final = ord("@")


def hints(name: str) -> bool:
    """Tell whether a name, an exact str, has something in it that the name of a secret has."""
    place = 0
    for letter in name:
        code = ord(letter)
        if code > _ASCII:  # an ASCII letter may be its lower case
            return True
        place = (place << 5 | (code & 31)) & _LETTERS
        if code >= _LETTER and _BEGINNINGS[place]:
            return _has_hint(name)
    # a hint of two letters at the end has no third
    return bool(_BEGINNINGS[place << 5 & _LETTERS]) and _has_hint(name)


def may_name(text: str) -> bool:
    """Tell whether a text of any length may be the name of a secret."""
    end = text[-LONGEST_NAME:]
    return hints(end) and len(end.split(None, PROSE)) < PROSE


def is_harmless_value(key: str, members: dict[object, object]) -> bool:
    """Tell whether a key of a dict is `value`, and no name that may be a secret's is beside it."""
    if key not in VALUES:
        return False
    for naming, name in members.items():  # a lookup may run the code of a key
        if type(naming) is not str:
            continue
        if naming == COOKIE or (naming in NAMING and type(name) is str and may_name(name)):
            return False
    return True


def _has_hint(name: str) -> bool:
    if not name.isascii():
        return True
    lower = name.lower()
    return any(hint in lower for hint in HINTS)
