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

_SOURCE, _WHAT, _HOW = 60, 30, 60
"""Tokens of the source, of a note of what is left out, and of the call that gives it."""
_REFERENCES = ("ref", "path", "before", "after", "root")
"""Parts of a row that are given back as arguments: never shortened."""

_ENVELOPE = 240
"""Tokens kept free for the envelope, the source, and the notes of what is left out."""

_TAG = pattern("<(?=[A-Za-z/|!?])")
_PIECES = pattern(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|\n+| {2,}|[^\x00-\x7f]+|[^\sA-Za-z0-9]")


class Reply(NamedTuple):
    """A finished answer: its text, the document in it, and the estimate of its tokens."""

    text: str
    document: dict[str, Any]
    tokens: int


def tokens(text: str) -> int:
    """Return an estimate of the tokens of a text, rather too many than too few.

    Counted are one token for every five letters of a word, for every two digits, for every sign,
    and for every two bytes of other characters; a capital letter begins a word, as it does in
    Base64. No text counts less than a token for every four characters.
    """
    return max(sum(map(_piece, _PIECES.findall(text))), (len(text) + 3) // 4)


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
        self._head: dict[str, Any] = {"verb": verb, "source": _fitting(cut(source, 160), _SOURCE)}
        self._rows: list[Any] = []
        self._left: list[dict[str, str]] = []
        self._budget = budget
        self.room = budget - _ENVELOPE
        """Tokens that are still free."""

    @property
    def rows(self) -> int:
        """The number of rows so far."""
        return len(self._rows)

    def fact(self, name: str, value: Any) -> bool:
        """Add a fact beside the rows; return False if it does not fit."""
        cost = tokens(quoted({name: value}))
        if cost > self.room:
            return False
        self.room -= cost
        self._head[name] = value
        return True

    def row(self, value: Any, *, must: bool = False) -> bool:
        """Add a row; return False if it does not fit.

        must: the values of an object are shortened until it fits, since an answer without a row
        would lead its reader to ask the same again.
        """
        cost = tokens(quoted(value)) + 1
        if must and cost > self.room:
            value = _shortened(value, self.room)
            cost = tokens(quoted(value)) + 1
        if cost > self.room:
            return False
        self.room -= cost
        self._rows.append(value)
        return True

    def left_out(self, what: str, how: str) -> None:
        """Say what the answer leaves out, and the call that gives it."""
        if len(self._left) < 3:
            if tokens(quoted(how)) > _HOW:
                offset = how.rpartition("offset=")[2].rstrip(")")
                going_on = f"the same call with offset={offset}"
                how = going_on if offset.isdecimal() else "a larger budget"
            self._left.append({"what": _fitting(cut(what, 120), _WHAT), "how": how})

    def done(self, rows: Sequence[Any] | None = None) -> Reply:
        """Return the finished answer; `rows` are its rows in another order."""
        found = list(self._rows if rows is None else rows)
        document = {**self._head, "data": found, "left_out": self._left}
        text = quoted(document)
        # notes longer than the envelope
        while (count := tokens(text)) > self._budget and (found or len(self._left) > 1):
            if found:
                found.pop()
                self._left = [
                    {"what": "rows at the end", "how": "a larger budget"},
                    *self._left[:2],
                ]
            else:
                self._left.pop()
            document = {**self._head, "data": found, "left_out": self._left}
            text = quoted(document)
        return Reply(text, document, count)


def _fitting(text: str, most: int) -> str:
    """Return the beginning of a text that has at most this many tokens when it is quoted."""
    while tokens(quoted(text)) > most:
        text = f"{text[: len(text) * 3 // 4]}…"
    return text


def _shortened(row: dict[str, Any], room: int) -> dict[str, Any]:
    """Return a row that fits, the longest values shortened or left out; references stay whole."""
    short = dict(row)
    while tokens(quoted(short)) + 1 > room:
        costs = {key: tokens(quoted(short[key])) for key in short if key not in _REFERENCES}
        if not costs:
            break
        longest = max(costs, key=lambda key: costs[key])
        value = short[longest]
        if isinstance(value, str) and len(value) > 8:
            short[longest] = f"{value[: len(value) // 2]}…"
        else:
            del short[longest]
    return short
