"""Answers that fit a budget of tokens by construction, in which recorded text is quoted data.

An answer is one line of JSON. Everything recorded stands inside JSON strings, beside its source, so
it can neither end the message nor pass for words of ours. Characters that a terminal, a browser or
a model's chat format may obey are written as JSON escapes: every character that is not printable,
such as control, direction and invisible ones, and `<` before a letter, `/`, `|`, `!` or `?`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from ..._base.lazy import pattern
from ...errors import ConfigurationError

__all__ = ["DEFAULT", "SMALLEST", "Answer", "Reply", "cut", "quoted", "tokens"]

DEFAULT = 4_000
"""Tokens of an answer."""
SMALLEST = 400
"""The smallest budget in tokens: less has no room for an answer beside its envelope."""

_ENVELOPE = 240
"""Tokens kept free for the envelope, the source, and the notes of what is left out."""

_TAG = pattern("<(?=[A-Za-z/|!?])")
_PIECES = pattern(r"[A-Za-z]+|[0-9]+|\n+| {2,}|[^\x00-\x7f]+|[^\sA-Za-z0-9]")


class Reply(NamedTuple):
    """A finished answer: its text, the document in it, and the estimate of its tokens."""

    text: str
    document: dict[str, Any]
    tokens: int


def tokens(text: str) -> int:
    """Return an estimate of the tokens of a text, rather too many than too few.

    Counted are one token for every five letters of a word, for every two digits, for every sign,
    and for every two bytes of other characters. Tokenizers of current models need fewer.
    """
    return sum(map(_piece, _PIECES.findall(text)))


def _piece(piece: str) -> int:
    first = piece[0]
    if not first.isascii():
        return (len(piece.encode("utf-8", "replace")) + 1) // 2
    if first.isalpha():
        return (len(piece) + 4) // 5
    return (len(piece) + 1) // 2 if first.isdigit() else 1


def quoted(value: Any) -> str:
    """Return a value as JSON that nothing which reads it obeys."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, RecursionError):
        text = '"(nested too deeply to be shown)"'
    text = _TAG.sub("\\\\u003c", text)
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(sign: str) -> str:
    """Return a sign, or its JSON escape if it is one that nobody sees."""
    if sign.isprintable():
        return sign
    units = sign.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def cut(text: str, length: int) -> str:
    """Return the beginning of a text on one line, with a mark if it is cut."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length and len(text) <= 4 * length else line[: length - 1] + "…"


class Answer:
    """An answer that is built up to its budget.

    source: the origin of everything recorded in it. Rows that do not fit are refused, and the verb
    says with `left_out` how to get them.
    """

    def __init__(self, verb: str, source: str, budget: int) -> None:
        if not isinstance(budget, int) or budget < SMALLEST:
            raise ConfigurationError(f"a budget is at least {SMALLEST} tokens, not {budget!r}")
        self._head: dict[str, Any] = {"verb": verb, "source": cut(source, 160)}
        self._rows: list[Any] = []
        self._left: list[dict[str, str]] = []
        self._budget = budget
        self.room = budget - _ENVELOPE
        """Tokens that are still free."""

    def fact(self, name: str, value: Any) -> bool:
        """Add a fact beside the rows; return False if it does not fit."""
        cost = tokens(quoted({name: value}))
        if cost > self.room:
            return False
        self.room -= cost
        self._head[name] = value
        return True

    def row(self, value: Any) -> bool:
        """Add a row; return False if it does not fit."""
        cost = tokens(quoted(value)) + 1
        if cost > self.room:
            return False
        self.room -= cost
        self._rows.append(value)
        return True

    def left_out(self, what: str, how: str) -> None:
        """Say what the answer leaves out, and the call that gives it."""
        if len(self._left) < 3:
            self._left.append({"what": cut(what, 120), "how": cut(how, 120)})

    def done(self, rows: Sequence[Any] | None = None) -> Reply:
        """Return the finished answer; `rows` are its rows in another order."""
        found = list(self._rows if rows is None else rows)
        document = {**self._head, "data": found, "left_out": self._left}
        text = quoted(document)
        while (count := tokens(text)) > self._budget and found:  # notes longer than the envelope
            found.pop()
            self._left = [{"what": "rows at the end", "how": "a larger budget"}, *self._left[:2]]
            document = {**self._head, "data": found, "left_out": self._left}
            text = quoted(document)
        return Reply(text, document, count)
