"""Masking of secrets, before any byte leaves the process.

Three kinds of rule, each fail-closed. *Names*: the value bound to a sensitive name is replaced
whole, however the binding is written. *Shapes and patterns*: anything like a credential inside a
text is replaced. *A function* `(path, value) -> value` sees every recorded JSON value and returns
its replacement; one that raises leaves `FAILED` in the value's place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from ..errors import ConfigurationError
from .bindings import binding_pattern, mask_bindings
from .credentials import MASK, SECRET_PATTERNS, cut_before_word, mask_shapes
from .gate_words import LONGEST_NAME
from .secrets import (
    HARMLESS,
    SECRET,
    classify,
    holds_secret,
    sensitive_by_default,
    words,
)
from .text_gate import suspicious

__all__ = [
    "DEFAULT",
    "FAILED",
    "MASK",
    "SECRET_PATTERNS",
    "Label",
    "Redactor",
    "Said",
    "note",
    "redactor",
    "safe_name",
    "sensitive_by_default",
    "unused",
]

FAILED: Final = "[redaction failed]"
LONGEST_TEXT: Final = 64_000
"""Characters of one text that are searched; the rest of an error text is cut."""

RedactFunction: TypeAlias = Callable[[str, Any], Any]
RedactRule: TypeAlias = "str | re.Pattern[str] | RedactFunction"


class Said(str):
    """Text a value says of itself (its message, its repr). It may quote secrets: masked as text."""

    __slots__ = ()


class Label(str):
    """Text that no value wrote: the name of a type, a date, an id. It is not searched."""

    __slots__ = ()


class Redactor:
    """The rules of masking. Immutable, and safe to share between threads.

    Args:
        rules: names (matched word by word: `"email"` masks `customer_email` and `emailAddress`),
            compiled `str` patterns, and functions `(path, value) -> value`, in any mixture.
            They add to the built-in names.

    Raises:
        ConfigurationError: for a rule that is none of these.
    """

    __slots__ = ("_binding", "_names", "functions", "is_gated", "names", "patterns", "reads_values")

    def __init__(self, rules: Iterable[RedactRule] = ()) -> None:
        names: list[list[str]] = []
        patterns: list[re.Pattern[str]] = []
        functions: list[RedactFunction] = []
        for rule in rules:
            if isinstance(rule, str) and words(rule):
                names.append(words(rule))
            elif isinstance(rule, re.Pattern) and isinstance(rule.pattern, str):
                patterns.append(rule)
            elif callable(rule):
                functions.append(rule)
            else:
                raise ConfigurationError(
                    f"redact: {rule!r} is no rule. Give names ('email'), patterns compiled from "
                    "str (re.compile(r'\\d{16}')), or a function (path, value) -> value"
                )
        self._names = tuple(names)
        self.names: dict[str, tuple[str, bool]] = {}
        """Names that hold no secret themselves: name → (name, whether a value under it may)."""
        self._binding = binding_pattern(tuple(name[-1] for name in names))
        self.patterns = tuple(patterns)
        self.functions = tuple(functions)
        self.reads_values = bool(patterns or functions)
        self.is_gated = not names and not patterns
        """Only texts that `suspicious` tells of, or that bind a name, may hold a secret."""

    def sensitive(self, name: str) -> bool:
        """Tell whether some value under this key or parameter name is masked."""
        return self._kind(name) != HARMLESS

    def masks(self, name: str, value: Any, siblings: Mapping[str, Any]) -> bool:
        """Tell whether this value is masked, under this name and beside these others."""
        kind = self._kind(name)
        return kind != HARMLESS and holds_secret(name, kind, value, siblings)

    def _kind(self, name: str) -> int:
        if self._names:
            end = name[-LONGEST_NAME:]
            if self._may_be_named(end) and self._named(words(end)):
                return SECRET
        return classify(name)

    def _may_be_named(self, name: str) -> bool:
        """Return whether all words of one rule are somewhere in the name: a quick look."""
        lower = name.lower()
        return any(all(word in lower for word in want) for want in self._names)

    def _named(self, have: list[str]) -> bool:
        return any(
            want == have[i : i + len(want)]
            for want in self._names
            for i in range(len(have) - len(want) + 1)
        )

    def text(self, text: str, receipt: list[str] | None = None, path: str = "") -> str:
        """Mask free text (an error message, a traceback, a repr), of at most `LONGEST_TEXT`.

        Masked are `name=value`, `name: value` and `"name": "value"` with a sensitive name, all of
        `SECRET_PATTERNS`, and the user's patterns.
        """
        try:
            kept = text if len(text) <= LONGEST_TEXT else cut_before_word(text, LONGEST_TEXT)
            masked = self._search(kept, prose=False)
        except Exception:  # noqa: BLE001 - whatever failed, the text must not get through
            note(receipt, f"{path} (redaction failed)")
            return FAILED
        if masked != kept:
            note(receipt, path)
        left_out = len(text) - len(kept)
        return f"{masked}…[cut {left_out} characters]" if left_out else masked

    def value(self, text: str) -> str:
        """Mask a string that the program passed, where it looks as if it bound a secret."""
        if not suspicious(text):
            return text
        try:
            return self._search(text, prose=True)
        except Exception:  # noqa: BLE001 - fail closed
            return FAILED

    def _search(self, text: str, *, prose: bool) -> str:
        if not self._names and not suspicious(text):
            # the gate costs a thousandth of the search, and most tracebacks hold no secret
            masked = mask_bindings(text, None, self.sensitive, prose=prose)
            return substitute(masked, self.patterns)
        masked = mask_bindings(text, self._binding, self.sensitive, prose=prose)
        return substitute(mask_shapes(masked), self.patterns)


def substitute(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
    """Return `text` with the matches of all patterns masked."""
    for pattern in patterns:
        text = pattern.sub(MASK, text)
    return text


_MOST_PATHS: Final = 100
_AND_MORE: Final = "…"


def note(receipt: list[str] | None, path: str) -> None:
    """Add a path to a receipt, once, while there is room."""
    if receipt is not None and path and path not in receipt and len(receipt) <= _MOST_PATHS:
        receipt.append(path if len(receipt) < _MOST_PATHS else _AND_MORE)


def unused(key: str, taken: Container[str]) -> str:
    """Return `key`, numbered when an earlier key became the same text (1 and "1")."""
    number, name = 1, key
    while name in taken:
        number += 1
        name = f"{key} [{number}]"
    return name


@lru_cache(maxsize=4096)
def safe_name(key: str) -> str:
    """Return a key as it stands in a path: a key can itself be a secret (`{"sk-…": 3}`)."""
    return mask_shapes(key[:LONGEST_NAME])[:80]


DEFAULT: Final = Redactor()


def redactor(redact: object) -> Redactor | None:
    """Return the redactor of a `redact=` option: None or True mean the defaults, False nothing.

    Raises:
        ConfigurationError: for anything that is no rule.
    """
    if redact is None or redact is True:
        return DEFAULT
    if redact is False:
        return None
    if isinstance(redact, Redactor):
        return redact
    if isinstance(redact, str | re.Pattern) or callable(redact):
        return Redactor((redact,))
    if isinstance(redact, Iterable):
        return Redactor(redact)
    raise ConfigurationError(
        f"redact={redact!r} is not understood. Give False, names, compiled patterns, "
        "or a function (path, value) -> value"
    )
