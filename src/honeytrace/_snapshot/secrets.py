"""Names that secrets are bound to.

Names are compared word by word (`openaiApiKey`, `X-API-Key` and `api_key` alike), so that the
vocabulary of language models (`max_tokens`, `eos_token`) stays readable. The list of words follows
the default deny lists of sentry-sdk and logfire, without `session`, which names everything here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from .gate_words import LONGEST_NAME, PROSE
from .name_gate import hints

HARMLESS: Final = 0
SECRET: Final = 1
TOKEN: Final = 2  # a credential or a piece of text: the value decides
CODE: Final = 3  # a short secret, or a count

# One word of the name decides, also when it has grown together with another: dbpassword.
_WORD: Final = re.compile(
    r".*(?:password|passwd|passphrase|passcode|credential|apikey|privatekey|connectionstring).*"
    r"|.*(?:passwort|kennwort|contrase[nñ]a|senha|motdepasse|wachtwoord|has[lł]o|l[oö]senord"
    r"|passord|adgangskode|salasana|пароль|密码|密碼|パスワード|비밀번호)"
    r"|.*(?:pwd|secrets?|secretkey|accesskey|cookies?)"
    r"|authorization|bearer|jwts?|csrf|xsrf|ssn|phpsessid|jsessionid|dsn|mnemonic|cvv|userpass"
    r"|seedphrase|recoveryphrase"
    r"|(?:access|auth|id|refresh|csrf|xsrf|api|bot|session)token"
)
# `<word>_key` when it grants something.
_KEY: Final = re.compile(
    "access|account|activation|admin|anthropic|api|app|application|auth|aws|azure|client|cohere"
    "|consumer|cookie|datadog|decryption|deepseek|deploy|encryption|fireworks|functions|gcp"
    "|gemini|github|gitlab|google|gpg|groq|hf|hmac|huggingface|ingest|integration|jwt|langfuse"
    "|langsmith|licen[cs]e|maps|master|mistral|oauth|openai|openrouter|perplexity|pgp|pinecone"
    "|private|replicate|root|rsa|secret|sendgrid|serp|server|service|session|shared|signing|ssh"
    "|ssl|stripe|subscription|tavily|tls|together|twilio|vault|webhook|write|xai"
)
_TOKENS: Final = re.compile(
    "access|api|auth|bearer|bot|csrf|device|github|id|oauth|oauth2|personal|push|refresh|secret"
    "|service|session|slack|user|xsrf"
)
# `<word>_token` where it is a piece of text, its price, or a place in a list of pages.
_TEXT_TOKEN: Final = re.compile(
    "per|max|min|num|total|first|input|output|prompt|completion|special|stop|bos|eos|pad|unk|sep|cls"
    "|mask|image|audio|reasoning|draft|generated|predicted|next|page|continuation|sync|logprob"
    "|unexpected|tokenizer"
)
_CODES: Final = re.compile(
    "access|auth|authorization|backup|device|invite|login|mfa|otp|pass|pin|recovery|security"
    "|verification"
)
_PASSES: Final = re.compile(
    "admin|auth|basic|db|email|ftp|http|imap|login|mail|my|mysql|pg|postgres|proxy|redis|root"
    "|smtp|ssh|user"
)
_PINS: Final = re.compile("access|auth|card|login|my|new|old|security|sim|user")
_SIGNED: Final = re.compile("amz|goog|google|hmac|hub|request|sha256|slack|stripe|url|webhook")
# The last word of a name that speaks about a secret, and does not hold it.
_ABOUT: Final = re.compile(
    "age|alg|algorithm|at|budget|counts?|enabled|endpoint|error|errors|expir(?:es|y|ation|ed)"
    "|fields?|files?|format|hint|ids?|kind|label|length|len|limits?|message|method|mode|names?"
    "|path|pattern|policy|prefix|prompt|provider|required|rotation|schemes?|size|source|status"
    "|strength|ttl|type|ur[il]|usage|valid|version"
)
_IN_TWO_WORDS: Final = frozenset(
    (("seed", "phrase"), ("recovery", "phrase"), ("mnemonic", "phrase"), ("de", "passe"))
)
_IN_QUERY: Final = frozenset(("key", "code", "sig", "signature", "hmac", "auth", "pass", "pin"))

_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD: Final = re.compile(r"[\W_]+")
_DIGITS: Final = "0123456789"


def words(name: str) -> list[str]:
    """Split a name: `"X-openAIApiKey2"` -> `["x", "open", "ai", "api", "key2"]`."""
    return [w for w in _NOT_WORD.split(_HUMPS.sub("_", name).lower()) if w]


@lru_cache(maxsize=4096)
def _classify(name: str) -> int:
    if type(name) is str and not hints(name):  # most names: the rest takes ten times as long
        return HARMLESS
    if len(name.split(None, PROSE)) >= PROSE:
        return HARMLESS
    bare = [w for w in (word.strip(_DIGITS) for word in words(name)) if w]
    if not bare:
        return HARMLESS
    last, before = bare[-1], bare[-2] if len(bare) > 1 else ""
    if _ABOUT.fullmatch(last) and bare[-2:] != ["secret", "id"]:
        return HARMLESS
    if last in ("token", "tokens"):
        return _classify_token(last, before, bare)
    if any(map(_WORD.fullmatch, bare)) or last in ("auth", "pw"):
        return SECRET
    if any(_KEY.fullmatch(a) and b in ("key", "keys") for a, b in pairwise(bare)):
        return SECRET
    if (before in ("connection", "conn") and last in ("string", "str")) or (
        last in ("code", "codes") and _CODES.fullmatch(before)
    ):
        return SECRET
    if (before, last) in _IN_TWO_WORDS:
        return SECRET
    return _classify_short(last, before)


def _classify_token(last: str, before: str, bare: list[str]) -> int:
    if any(map(_WORD.fullmatch, bare[:-1])):
        return SECRET
    if last == "tokens":
        return TOKEN if _TOKENS.fullmatch(before) else HARMLESS
    return HARMLESS if _TEXT_TOKEN.fullmatch(before) else TOKEN


def _classify_short(last: str, before: str) -> int:
    if last in ("otp", "totp"):
        return CODE
    if last == "pass" and (not before or _PASSES.fullmatch(before)):
        return CODE
    if last == "pin" and (not before or _PINS.fullmatch(before)):
        return CODE
    if last in ("sig", "signature") and (
        _SIGNED.fullmatch(before) or (not before and last == "sig")
    ):
        return CODE
    return HARMLESS


def classify(name: str) -> int:
    """Return HARMLESS, SECRET, TOKEN or CODE for a key, field or parameter name."""
    return _classify(name if len(name) <= LONGEST_NAME else name[-LONGEST_NAME:])


def sensitive_by_default(name: str) -> bool:
    """Tell whether the built-in list calls a name sensitive, whatever its value."""
    return classify(name) != HARMLESS


def sensitive_in_query(name: str) -> bool:
    """Tell whether a parameter of a URL or form is sensitive that would not be elsewhere."""
    return name.lower() in _IN_QUERY


_AMBIGUOUS: Final = re.compile("new|last|start|end|cached|current|previous|prev|old")
_SMALL: Final = 1_000_000  # no vocabulary has as many tokens
_SHORT_CODE: Final = 1_000
_LONG: Final = 16  # characters that no piece of text has


def holds_secret(name: str, kind: int, value: Any, siblings: Mapping[str, Any]) -> bool:
    """Tell whether a value under a name of this kind is a secret.

    None and booleans never are: "no key was given" helps debugging.
    """
    if value is None or value is True or value is False:
        return False
    if kind == TOKEN:
        return _is_credential(name, value, siblings)
    if kind == CODE and (type(value) is float or type(value) is int):
        return type(value) is int and abs(value) >= _SHORT_CODE
    return True


def _is_credential(name: str, value: Any, siblings: Mapping[str, Any]) -> bool:
    """Tell a credential from a piece of model output, a token id, and a count."""
    bare = words(name[-LONGEST_NAME:])
    kind: type = type(value)
    if kind is float:
        return False
    if bare[-1].startswith("tokens"):
        if kind is int:
            return False
        return not (kind in (list, tuple) and all(type(item) is int for item in value[:100]))
    if kind is int:
        return bool(abs(value) >= _SMALL)
    if kind is dict:
        return not (("id" in value and "text" in value) or "logprob" in value)
    if siblings.get("type") == "token" or type(siblings.get("logprob")) in (float, int):
        return False
    if len(bare) > 1 and _AMBIGUOUS.fullmatch(bare[-2]):
        return kind is not str or looks_generated(value)
    return True


def looks_generated(text: str) -> bool:
    """Tell whether a text could be a generated or chosen secret, and not a word."""
    if any(map(str.isspace, text[:200])):
        return False
    head = text[:200]
    mixed = any(map(str.isdigit, head)) and any(map(str.isalpha, head))
    return len(text) >= _LONG or (mixed and len(text) >= 6)
