"""The prose of the package: plain sentences that name their subject first."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import honeytrace

SOURCE = Path(honeytrace.__file__).parent
NOUN_CLAUSE = re.compile(r"\s*(What|Where|Whether|Which|How|Who)\b")


def docstrings(tree: ast.AST) -> set[str]:
    """Every text that stands alone as a statement: docstrings, and those of attributes."""
    return {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def prose() -> tuple[set[tuple[Path, str]], list[str]]:
    """The docstrings of the package with their files, and all words of docstrings and comments."""
    texts: set[tuple[Path, str]] = set()
    words: list[str] = []
    for path in SOURCE.rglob("*.py"):
        source = path.read_text()
        own = docstrings(ast.parse(source))
        texts |= {(path, text) for text in own}
        comments = {
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        for text in own | comments:
            words += re.findall(r"[A-Za-z']+", text.lower())
    return texts, words


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    """At most one docstring in a hundred opens with a noun clause, such as "What was running"."""
    texts, _ = prose()
    found = [f"{path.name}: {text[:60]}" for path, text in texts if NOUN_CLAUSE.match(text)]
    assert len(found) <= len(texts) / 100, "\n".join(sorted(found))


def test_sentences_do_not_lean_on_what() -> None:
    """At most 2 of 1,000 words of docstrings and comments are "what"."""
    _, words = prose()
    assert words.count("what") * 1000 <= 2 * len(words)
