"""Secrets in a text, by the name they are bound to.

Found are `name=value`, `name: value` and `"name": "value"` (also as JSON inside JSON), the pair
`("name", "value")`, the argument `--name value`, and the parameters of a URL or form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from .credentials import MASK
from .secrets import looks_generated, sensitive_in_query

Sensitive = Callable[[str], bool]

_KEYWORDS: Final = (
    "key|token|secret|pass|pwd|pw|cred|auth|cookie|bearer|jwt|csrf|xsrf|ssn|sess|sig|hmac|dsn|otp"
    "|pin|string|str|code|cvv|mnemonic|phrase|kennwort|contrase|senha|wachtwoord|has[lł]o|l[oö]senord"
    "|adgangskode|salasana|пароль|密码|密碼|パスワード|비밀번호"
)
_AFTER: Final = r"[\w-]{0,24}[\\\"'\])\s*`]{0,6}(?:!?=+>?|:=?)\s{0,8}(?:\*{1,3}\s{1,8})?"
_NAME: Final = re.compile(r"[\\\"'\])\s*`]{0,6}([\w.-]{1,80})(?: ([\w-]{1,40}))?")
_NOT_AFTER_TEXT: Final = (
    "unexpected expected unknown illegal unrecognized special next previous last stop end"
)
_NOT_AFTER: Final = frozenset(_NOT_AFTER_TEXT.split())
_PAIR: Final = re.compile(r"[\[(]\s{0,8}b?([\"'])([\w.-]{1,80})\1,\s{0,8}(?=b?[\"'])")
_PAIR_END: Final = re.compile(r"\s{0,8},?\s{0,8}[\])]")
_ARGUMENT: Final = re.compile(
    r"(?<![\w-])--?([A-Za-z][\w-]{1,60})([\"'],\s{0,8}|\s{1,8})(?=[^\s-])"
)

_ANNOTATION: Final = re.compile(r"[\w.|]{1,80}(?:\[[^\]]{0,80}\])?\s{0,8}=\s{0,8}")  # x: str = "…"
_QUOTED: Final = re.compile(
    r"[bruf]{0,2}(?:\"(?:[^\"\\]|\\.|\\$)*(?:\"|$)|'(?:[^'\\]|\\.|\\$)*(?:'|$))", re.S | re.I
)
_ESCAPED: Final = re.compile(r"\\{1,16}[\"']")  # the quote of JSON inside JSON
_BARE: Final = re.compile(
    r"(?:(?:bearer|basic|digest|token|apikey)\s{1,8})?"
    r"(?:[^\s,;&)\]}\"']|[)\]}\"'](?=\w)|[,;&](?![\s\"']|$|[\w.-]{1,40}\s?[=:]))*",
    re.I,
)
_LINE: Final = re.compile(r"[^\r\n\"']*")
_BRACKET: Final = re.compile(_QUOTED.pattern + r"|[\[({]|[\])}]", re.S | re.I)
_DEPTH: Final = {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}
_SCHEME: Final = re.compile(r"(?:bearer|basic|digest|token|apikey)\s{1,8}", re.I)
_PROSE: Final = re.compile(r"[A-Za-z][a-z]{0,40}(?=[,;.!?]?\s+[A-Za-z]|[.!?](?:\s|$))")


def binding_pattern(more: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Compile the search for possibly sensitive names before `=` or `:`.

    Args:
        more: last words of names that the program added, matched like the built-in ones.
    """
    keywords = "|".join((_KEYWORDS, *map(re.escape, more)))
    return re.compile(f"(?:{keywords}){_AFTER}", re.I)


def mask_bindings(
    text: str, pattern: re.Pattern[str] | None, sensitive: Sensitive, *, prose: bool = False
) -> str:
    """Return `text` with the values of sensitive names masked.

    Args:
        text: any text; the cost is linear in its length.
        pattern: the result of `binding_pattern`; None searches arguments and pairs alone.
        sensitive: decides over a name.
        prose: the text was written by a person: `password: see below` stays.
    """
    bound = () if pattern is None else _bindings(text, pattern, sensitive, prose)
    spans = sorted((*bound, *_others(text, sensitive)))
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done and end > start:
            parts += text[done:start], MASK
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _bindings(
    text: str, pattern: re.Pattern[str], sensitive: Sensitive, prose: bool
) -> Iterator[tuple[int, int]]:
    done = 0
    for found in pattern.finditer(text):
        start = found.end()
        if found.start() < done:
            continue
        separator = text[found.start() : start].rstrip().rfind("=")
        name = _name_before(text, found.start(), start)
        if name is None:
            continue
        asked = separator >= 0 and _in_query(text, found.start(), name)
        if not (asked or sensitive(name)):
            continue
        end = _value_end(text, start, name)
        if prose and separator < 0 and _is_prose(text, start):
            continue
        done = end
        if prose and end - start > 1 and text[start] == text[end - 1] == '"':
            start, end = start + 1, end - 1  # JSON stays JSON
        yield start, end


def _name_before(text: str, start: int, end: int) -> str | None:
    """Return the name that ends before the separator; with the word before it, if that decides."""
    head = text[max(0, start - 100) : end].rstrip()
    head = head.rstrip("*").rstrip().rstrip("=:!>").rstrip()  # `**Password:** x` of Markdown
    found = _NAME.match(head[::-1])
    if found is None:
        return None
    name, before = found[1][::-1], found[2]
    if before is not None:
        word = before[::-1].lower()
        if name.lower() == "token" and word in _NOT_AFTER:
            return None
        if name.lower() in ("key", "keys", "string", "code", "phrase", "passe"):
            return f"{word} {name}"
    return name.lstrip(".-")


def _in_query(text: str, start: int, name: str) -> bool:
    begin = text.rfind(name, max(0, start - 80), start + len(name) + 24)
    return begin > 0 and text[begin - 1] in "?&" and sensitive_in_query(name)


def _is_prose(text: str, start: int) -> bool:
    """Return True if the text after a colon is a sentence, and not a value."""
    scheme = _SCHEME.match(text, start)  # `Authorization: token 9f8e`
    start = start if scheme is None else scheme.end()
    found = _PROSE.match(text, start, start + 200)
    return found is not None and not looks_generated(found[0])


def _others(text: str, sensitive: Sensitive) -> Iterator[tuple[int, int]]:
    """Yield the values of command-line arguments and of pairs of quoted strings."""
    done = 0
    for found in _ARGUMENT.finditer(text) if "-" in text else ():
        if found.start() >= done and sensitive(found[1]):
            done = _value_end(text, found.end(), found[1])
            yield found.end(), done
    done = 0
    for found in _PAIR.finditer(text):
        if found.start() >= done and sensitive(found[2]):
            done = _value_end(text, found.end(), found[2])
            if done == len(text) or _PAIR_END.match(text, done):
                yield found.end(), done


def _value_end(text: str, start: int, name: str | None, *, annotated: bool = True) -> int:
    """Return where the value that starts at `start` ends; too late rather than too early."""
    escaped = _ESCAPED.match(text, start)
    if escaped:
        end = text.find(escaped[0], escaped.end())
        return len(text) if end < 0 else end + len(escaped[0])
    quoted = _QUOTED.match(text, start)
    if quoted:
        return quoted.end()
    if text[start : start + 1] in ("[", "(", "{"):
        depth = 0
        for bracket in _BRACKET.finditer(text, start):
            depth += _DEPTH.get(bracket[0], 0)
            if depth == 0:
                return bracket.end()
        return len(text)
    annotation = _ANNOTATION.match(text, start) if annotated else None
    if annotation:
        return _value_end(text, annotation.end(), name, annotated=False)
    lowered = (name or "").lower()
    whole_line = "cookie" in lowered or "authorization" in lowered  # a=1; b=2
    found = (_LINE if whole_line else _BARE).match(text, start)
    return found.end() if found else start
