"""The words in which two texts differ."""

from __future__ import annotations

import difflib
import re

__all__ = ["Words", "differing_words"]

_COMPARED = 3_000
"""Most characters of two texts that are compared word by word, which takes quadratic time."""

_ALIKE = 0.4
"""Share of common words below which the differing words are not marked: nearly all would be."""

Words = list[tuple[str, bool]]
"""A text as pieces, each with a flag for a difference."""


def differing_words(before: object, after: object) -> tuple[Words, Words] | None:
    """Return both texts as pieces; None if they are no texts, or have too little in common."""
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    if len(before) + len(after) > _COMPARED:
        return None
    olds, news = (re.findall(r"\s+|\w+|[^\w\s]", text) for text in (before, after))
    matcher = difflib.SequenceMatcher(None, olds, news, autojunk=False)
    common = sum(
        not word.isspace()
        for block in matcher.get_matching_blocks()
        for word in olds[block.a : block.a + block.size]
    )
    words = sum(not word.isspace() for word in (*olds, *news))
    if 2 * common < _ALIKE * words:
        return None
    old: Words = []
    new: Words = []
    for tag, a, b, c, d in matcher.get_opcodes():
        old.append(("".join(olds[a:b]), tag != "equal"))
        new.append(("".join(news[c:d]), tag != "equal"))
    return old, new
