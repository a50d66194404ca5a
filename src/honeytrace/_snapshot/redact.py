"""Masking of secrets, before any byte leaves the process.

Three kinds of rule, each fail-closed. *Names*: the value under a sensitive key is replaced whole.
*Patterns*: what matches inside a text is replaced; on by default for text that a value says of
itself (errors, reprs), opt-in for recorded values, since it reads every character. *A function*
`(path, value) -> value` sees every recorded JSON value and returns its replacement; one that raises
leaves `FAILED` in the value's place.

Names are compared word by word (`openaiApiKey`, `X-API-Key` and `api_key` alike), so that the
vocabulary of language models (`max_tokens`, `eos_token`) stays readable. The list of words follows
the default deny lists of sentry-sdk and logfire, without `session`, which names everything here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeAlias

from .._interrupts import interrupts
from .._lazy import orjson
from ..errors import ConfigurationError

MASK: Final = "[redacted]"
FAILED: Final = "[redaction failed]"

RedactFunction: TypeAlias = Callable[[str, Any], Any]
RedactRule: TypeAlias = "str | re.Pattern[str] | RedactFunction"

SECRET_PATTERNS: Final[tuple[re.Pattern[str], ...]] = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)", re.S
    ),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # JSON Web Token
    re.compile(r"(?i)(?<=\bbearer )\s*[\w.~+/=-]{6,}"),
    re.compile(r"\b(?:sk|pk|rk)[-_][\w-]{16,}"),  # OpenAI, Anthropic, Stripe, Langfuse
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),  # AWS access key id
    re.compile(r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"),
    re.compile(r"\bxox[a-z]-[\w-]{10,}"),  # Slack
    re.compile(r"\bAIza[\w-]{35}"),  # Google
    re.compile(r"\bhf_[A-Za-z0-9]{20,}|\bpypi-[\w-]{20,}|\bnpm_[A-Za-z0-9]{20,}"),
    re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"),  # user:password in a URL
)
"""What well-known credentials look like: masked in error text, opt-in for values."""

# One word of the name decides, also when grown together with another: dbpassword, clientsecret.
_WORD: Final = re.compile(
    r".*(?:password|passwd|passphrase|credential|apikey|privatekey).*"
    r"|.*(?:pwd|secrets?|secretkey|accesskey|cookies?)"
    r"|authorization|bearer|jwt|csrf|xsrf|ssn|phpsessid|jsessionid"
    r"|(?:access|auth|id|refresh|csrf|xsrf|api)token"
)
# `<word>_key` and `<word>_tokens` when they grant something.
_KEY: Final = re.compile(
    "api|access|private|secret|signing|encryption|ssh|master|account|subscription|shared|auth|deploy"
)
_TOKENS: Final = re.compile("access|refresh|auth|api|bearer|csrf|xsrf|secret|id|session")
# `<word>_token` where it is a piece of text, or its price.
_TEXT_TOKEN: Final = re.compile(
    "per|max|min|num|new|next|first|last|total|input|output|prompt|completion|special|start|end"
    "|stop|bos|eos|pad|unk|sep|cls|mask|image|cached|reasoning"
)
# The last word of a name that speaks about a secret, and does not hold it.
_ABOUT: Final = re.compile("counts?|length|len|size|limits?|type|kind|usage|budget|policy|names?")

_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD: Final = re.compile(r"[\W_]+")
_LONGEST_CACHED: Final = 128
_PROSE: Final = 5  # a key of this many words between spaces is text, not a name


def words(name: str) -> list[str]:
    """`"X-openAIApiKey2"` -> `["x", "open", "ai", "api", "key2"]`."""
    return [w for w in _NOT_WORD.split(_HUMPS.sub("_", name).lower()) if w]


@lru_cache(maxsize=4096)
def sensitive_by_default(name: str) -> bool:
    """Whether the built-in list calls this key or parameter name sensitive."""
    if len(name.split(None, _PROSE)) >= _PROSE:
        return False
    bare = [w for w in (word.strip("0123456789") for word in words(name)) if w]
    if not bare or _ABOUT.fullmatch(bare[-1]):
        return False
    if any(map(_WORD.fullmatch, bare)) or bare[-1] == "auth":
        return True
    if bare[-1] == "token":
        return len(bare) == 1 or not _TEXT_TOKEN.fullmatch(bare[-2])
    if bare[-1] == "tokens":
        return len(bare) > 1 and bool(_TOKENS.fullmatch(bare[-2]))
    return any(_KEY.fullmatch(a) and b in ("key", "keys") for a, b in pairwise(bare))


class Said(str):
    """Text a value says of itself (its repr, its message). It may quote secrets: masked as text."""

    __slots__ = ()


class Redactor:
    """What to mask. Immutable, and safe to share between threads.

    Args:
        rules: names (matched word by word: `"email"` masks `customer_email` and `emailAddress`),
            compiled `str` patterns, and functions `(path, value) -> value`, in any mixture.
            They add to the built-in names.

    Raises:
        ConfigurationError: for a rule that is none of these.
    """

    __slots__ = ("_functions", "_names", "_patterns", "reads_values")

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
        self._patterns = tuple(patterns)
        self._functions = tuple(functions)
        self.reads_values = bool(patterns or functions)

    def sensitive(self, name: str) -> bool:
        """Whether the value under this key or parameter name is masked."""
        judge: Callable[[str], bool] = sensitive_by_default
        if len(name) > _LONGEST_CACHED:
            judge = sensitive_by_default.__wrapped__
        return judge(name) or (bool(self._names) and self._named(words(name)))

    def _named(self, have: list[str]) -> bool:
        return any(
            want == have[i : i + len(want)]
            for want in self._names
            for i in range(len(have) - len(want) + 1)
        )

    def apply(self, tree: Any, receipt: list[str] | None = None, path: str = "") -> Any:
        """Mask a tree of plain JSON values (consumed; use the returned one).

        `receipt` gains the path of each masked value, once: `inputs.docs[].password`.
        """
        return _Pass(self, receipt).value(tree, path, self._functions)

    def text(self, text: str, receipt: list[str] | None = None, path: str = "") -> str:
        """Mask free text (an error message, a traceback, a repr).

        Masked are `name=value`, `name: value` and `"name": "value"` with a sensitive name, all of
        `SECRET_PATTERNS`, and the user's patterns.
        """
        try:
            masked = self._substitute(self._assignments(text), SECRET_PATTERNS)
            masked = self._substitute(masked, self._patterns)
        except Exception:  # noqa: BLE001 - whatever failed, the text must not get through
            _note(receipt, f"{path} (redaction failed)")
            return FAILED
        if masked != text:
            _note(receipt, path)
        return masked

    @staticmethod
    def _substitute(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
        for pattern in patterns:
            text = pattern.sub(MASK, text)
        return text

    def _assignments(self, text: str) -> str:
        parts: list[str] = []
        done = 0
        for found in _ASSIGNMENT.finditer(text):
            if found.start() >= done and self.sensitive(found["name"]):
                parts += text[done : found.end()], MASK
                done = _value_end(text, found.end(), found["name"])
        return "".join([*parts, text[done:]])


class _Pass:
    """One walk over one tree."""

    __slots__ = ("_receipt", "_rules")

    def __init__(self, rules: Redactor, receipt: list[str] | None) -> None:
        self._rules = rules
        self._receipt = receipt

    def value(self, value: Any, path: str, functions: tuple[RedactFunction, ...]) -> Any:
        for function in functions:
            replaced = self._replace(function, path, value)
            if replaced is not value:
                # The replacement is not shown to functions again: one that nests would never end.
                return self.value(replaced, path, ())
        if type(value) is Said:
            return self._rules.text(str(value), self._receipt, path)
        if type(value) is str:
            return self._string(value, path)
        if type(value) is list:
            return [self.value(item, path + "[]", functions) for item in value]
        if type(value) is dict:
            tree: dict[str, Any] = {}
            for key, item in value.items():
                name = unused(self._key(key, path), tree)
                tree[name] = self._member(key, item, value, path, functions)
            return tree
        return value

    def _key(self, key: str, path: str) -> str:
        if type(key) is Said:
            return self._rules.text(str(key), self._receipt, path)
        return self._string(key, path)

    def _member(
        self, key: str, value: Any, siblings: dict[str, Any], path: str, functions: Any
    ) -> Any:
        name = _safe_name(key[:_LONGEST_CACHED])
        inner = f"{path}.{name}" if path else name
        # None and booleans hold no secret, and "no key was given" is what one debugs.
        if value is None or value is True or value is False or not self._rules.sensitive(key):
            return self.value(value, inner, functions)
        if key == "token" and "logprob" in siblings:
            return self.value(value, inner, functions)  # a piece of model output, not a credential
        _note(self._receipt, inner)
        return MASK

    def _string(self, value: str, path: str) -> str:
        if not self._rules._patterns:
            return value
        try:
            masked = self._rules._substitute(value, self._rules._patterns)
        except Exception:  # noqa: BLE001 - fail closed
            masked = FAILED
        if masked != value:
            _note(self._receipt, path)
        return masked

    def _replace(self, function: RedactFunction, path: str, value: Any) -> Any:
        try:
            replaced = function(path, value)
            if replaced is value:
                return value
            replaced = orjson.loads(orjson.dumps(replaced))
        except BaseException as error:  # fail closed
            if interrupts(error):
                raise
            _note(self._receipt, f"{path} (redaction failed)")
            return FAILED
        if replaced != value:
            _note(self._receipt, path)
        return replaced


# Anchored at the start of a run and bounded, so that no text makes the search quadratic.
_ASSIGNMENT: Final = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]{1,80}(?: key)?)[\"']?\s*(?:!?=+>?|:=?)\s*", re.I
)
_ANNOTATION: Final = re.compile(r"[\w.|]{1,80}(?:\[[^\]]{0,80}\])?\s*=\s*")  # password: str = "…"
_QUOTED: Final = re.compile(
    r"[bru]{0,2}(?:\"(?:[^\"\\]|\\.)*(?:\"|$)|'(?:[^'\\]|\\.)*(?:'|$))", re.S | re.I
)
_BARE: Final = re.compile(r"(?:(?:bearer|basic|digest|token)\s+)?[^\s,;&)\]}\"']*", re.I)
_LINE: Final = re.compile(r"[^\r\n]*")
_BRACKET: Final = re.compile(_QUOTED.pattern + r"|[\[({]|[\])}]", re.S | re.I)


def _value_end(text: str, start: int, name: str) -> int:
    """Where the value that starts at `start` ends; too late rather than too early."""
    quoted = _QUOTED.match(text, start)
    if quoted:
        return quoted.end()
    if text[start : start + 1] in ("[", "(", "{"):
        depth = 0
        for bracket in _BRACKET.finditer(text, start):
            depth += {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}.get(bracket[0], 0)
            if depth == 0:
                return bracket.end()
        return len(text)
    annotation = _ANNOTATION.match(text, start)
    if annotation:
        return _value_end(text, annotation.end(), name)
    whole_line = "cookie" in name.lower()  # a=1; b=2
    found = (_LINE if whole_line else _BARE).match(text, start)
    return found.end() if found else start


_MOST_PATHS: Final = 100
_AND_MORE: Final = "…"


def _note(receipt: list[str] | None, path: str) -> None:
    if receipt is not None and path not in receipt and len(receipt) <= _MOST_PATHS:
        receipt.append(path if len(receipt) < _MOST_PATHS else _AND_MORE)


def unused(key: str, taken: Container[str]) -> str:
    """`key`, numbered when an earlier key became the same text (1 and "1")."""
    number, name = 1, key
    while name in taken:
        number += 1
        name = f"{key} [{number}]"
    return name


@lru_cache(maxsize=4096)
def _safe_name(key: str) -> str:
    """A key as it stands in a path: a key can itself be a secret (`{"sk-…": 3}`)."""
    return Redactor._substitute(key, SECRET_PATTERNS)[:80]


DEFAULT: Final = Redactor()


def redactor(redact: object) -> Redactor | None:
    """The `redact=` option: None or True mean the defaults, False nothing, the rest adds rules.

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
