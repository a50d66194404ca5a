"""Words of a text and terms of a search, the same for every engine.

Texts are compared in a normal form: lower case, no accents, full-width letters made narrow. A word
is a run of letters and digits of one script, so that "GPT" is a word of "使用GPT模型" and of
"GPT를". In scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese),
every character is a word of its own, and neighbouring characters are found as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .._base.lazy import orjson, pattern
from .._record.record import Record

__all__ = ["Parts", "Term", "in_json", "joined", "mentions", "parts_of", "terms", "words"]

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Character ranges of the scripts without spaces, for a character class."""

_LATIN = "0-9a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_WORD = pattern(f"(?![\\W_])[{_UNSPACED}]|[{_LATIN}]+|[^\\W_{_LATIN}{_UNSPACED}]+")
_PLAIN_WORD = pattern("[a-z0-9]+")
_SPACED = bytes(ord(chr(n).lower()) if n < 128 and chr(n).isalnum() else 32 for n in range(256))
"""A table for `bytes.translate`: letters in lower case, and spaces for all signs."""
_ACCENTS = pattern("[\u0300-\u036f]")
# JSON's escapes end words; otherwise the "n" of "\n" would join the first word of the next line.
_ESCAPE = pattern(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)


Parts = tuple["str | None", "str | None", "str | None", "str | None"]
"""The searched texts: name and error as plain text, inputs and outputs as JSON text."""


class Term(NamedTuple):
    """One condition of a search: either a phrase of words, or signs that occur literally."""

    words: tuple[str, ...]
    """Words that follow one another, with only signs in between."""
    prefix: bool
    """The last word may be the beginning of a longer one."""
    signs: str
    """The literal characters, such as an emoji, of a term without words."""


def words(text: str) -> list[str]:
    """Return the words of a text, in order, in their normal form."""
    if text.isascii():
        return _PLAIN_WORD.findall(text.lower())
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall(unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).casefold())


def terms(text: str) -> list[Term]:
    """Return the conditions of a search text; all of them must hold. An empty text has none.

    Terms are separated by spaces. A term without a letter or digit is searched for literally, and
    so is a pictogram next to letters; other signs next to letters are ignored.
    """
    text = text.encode("utf-8", "replace").decode().replace("\0", " ")
    found: list[Term] = []
    for part in text.split():
        phrase = tuple(words(part))
        if phrase:
            found.append(Term(phrase, False, ""))
        # A text may have or lack the variation selector that makes a sign a coloured picture.
        runs = re.findall(r"[^\w\s]+|_+", part.replace("\ufe0f", ""))
        found += [Term((), False, run) for run in runs if not phrase or _is_picture(run)]
    if found and found[-1].words and len(found[-1].words[-1]) > 1:
        # A single letter begins too many words to be useful.
        found[-1] = found[-1]._replace(prefix=True)
    return found


def _is_picture(run: str) -> bool:
    return any(unicodedata.category(each) == "So" for each in run)


def mentions(parts: Parts, wanted: list[Term]) -> bool:
    """Return whether a session with these texts meets every term."""
    text = ""
    for term in wanted:
        if not term.words:
            if not _has_signs(parts, term.signs):
                return False
            continue
        text = text or joined(parts)
        if f" {' '.join(term.words)}{'' if term.prefix else ' '}" not in text:
            return False
    return True


def joined(parts: Parts) -> str:
    """Return all words of these texts with a space before, between and after them."""
    name, error, inputs, outputs = parts
    json = f"{inputs or ''} {outputs or ''}"
    if "\\" in json:
        json = _ESCAPE.sub(" ", json)
    text = f"{name} {error or ''} {json}"
    if text.isascii():  # as `words` does, in a fifth of the time
        return f" {b' '.join(text.encode().translate(_SPACED).split()).decode()} "
    return f" {' '.join(words(text))} "


def parts_of(record: Record) -> Parts:
    """Return the texts of a record that a search looks at."""
    return (
        record.event_name,
        record.error,
        None if record.inputs is None else record.inputs.decode(),
        None if record.outputs is None else record.outputs.decode(),
    )


def in_json(signs: str) -> str:
    """Return signs as written inside a JSON string."""
    return orjson.dumps(signs).decode()[1:-1]


def _has_signs(parts: Parts, signs: str) -> bool:
    name, error, inputs, outputs = parts
    escaped = in_json(signs)
    return (
        signs in (name or "")
        or signs in (error or "")
        or escaped in (inputs or "")
        or escaped in (outputs or "")
    )
