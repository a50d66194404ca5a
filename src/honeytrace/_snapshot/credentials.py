"""Shapes of well-known credentials in text.

Every pattern finds a fixed beginning, which costs the same at any place, and then takes the rest of
the run: no text makes a search quadratic. tests/snapshot/test_linear.py doubles the input of each.
"""

from __future__ import annotations

import re
from typing import Final

_PREFIXES: Final = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek, Stripe, Langfuse
    r"(?:sk|pk|rk)[-_][\w-]{16}",
    # Groq, xAI, Cerebras, Pinecone, NVIDIA, Perplexity, Replicate, LangSmith, Fireworks
    r"gsk_\w{16}|xai-[\w-]{16}|csk-[\w-]{16}|pcsk_\w{16}|nvapi-[\w-]{16}|pplx-[\w-]{16}",
    r"r8_\w{16}|lsv2_\w{16}|ls__\w{16}|fw_\w{16}|tvly-[\w-]{16}|jina_\w{16}|sess-[\w-]{20}",
    # Google: API keys, OAuth tokens and client secrets
    r"AIza[\w-]{30}|ya29\.[\w-]{10}|GOCSPX-[\w-]{16}|AQ\.A[\w-]{20}",
    # GitHub, GitLab, Atlassian, Docker, Hugging Face, PyPI, npm
    r"gh[pousr]_\w{20}|github_pat_\w{20}|gl[a-z]{2,6}-[\w-]{16}|ATATT3[\w-]{16}|dckr_pat_[\w-]{16}",
    r"hf_[A-Za-z0-9]{20}|pypi-[\w-]{20}|npm_[A-Za-z0-9]{20}",
    # Slack, Telegram, Twilio, SendGrid, Mailgun, Linear, Notion
    r"xox[a-z]-[\w-]{10}|xapp-[\w-]{10}|(?:bot)?\d{8,10}:AA[\w-]{30}|SK[0-9a-f]{32}|SG\.[\w-]{10}",
    r"key-[0-9a-f]{32}|lin_api_\w{20}|ntn_\w{20}|hooks\.slack\.com/services/\w{8}|discord(?:app)?\.com/api/webhooks/\d{10}",
    # Databricks, Vault, Doppler, Shopify, DigitalOcean, Supabase, Grafana, New Relic, PostHog
    r"dapi[0-9a-f]{30}|hv[sbr]\.[\w-]{16}|dp\.[a-z]{2,5}\.\w{16}|shp[a-z]{2}_[0-9a-f]{30}",
    r"do[opr]_v1_[0-9a-f]{30}|sbp_[0-9a-f]{30}|glsa_\w{20}|NRAK-\w{20}|ph[cx]_\w{20}",
    # signing secrets of webhooks, age, HoneyHive
    r"whsec_[\w+/=]{16}|AGE-SECRET-KEY-1\w{16}|hh_[\w-]{20}",
)

SECRET_PATTERNS: Final[tuple[re.Pattern[str], ...]] = (
    re.compile(
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:.*?-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|.*)",
        re.S,
    ),
    re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # JSON Web Token
    re.compile(r"eyJ(?:hbGciOi|0eXAiOi|raWQiOi|lbmMiOi|4NXQiOi|jdHkiOi|qd2siOi)[\w.-]*"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),  # AWS access key id
    re.compile(rf"\b(?:{'|'.join(_PREFIXES)})[\w.~+/=-]*"),
    re.compile(
        r"(?i)(?<=\bbearer )\s{0,8}(?:[\w.~+/=-]{16}|(?=[a-z_.~+/=-]{0,40}\d)[\w.~+/=-]{6})"
        r"[\w.~+/=-]*"
    ),
    re.compile(r"(?i)(?<=\bbasic )\s{0,8}(?=[a-z+/]{0,80}[0-9=])[a-z0-9+/]{8}[a-z0-9+/=]*"),
)
"""The shapes of well-known credentials."""

MASK: Final = "[redacted]"

_LONGEST_END: Final = 64
"""Characters of a last word that `cut_before_word` leaves out."""
_LAST_WORD: Final = re.compile(r"[\w.~+/=-]+\Z")

_AUTHORITY: Final = re.compile(r"(?<=://)[^\s\"'<>`\\]{1,2048}")
_PORT: Final = re.compile(r"[^:@]{0,255}:\d{1,5}(?:[/?#,]|$)")
_LONG_USER: Final = 16  # characters; a user name alone of this length is a token


def mask_shapes(text: str) -> str:
    """Return `text` with every known credential and every password in a URL masked."""
    for pattern in SECRET_PATTERNS:
        text = pattern.sub(MASK, text)
    return _AUTHORITY.sub(_mask_userinfo, text) if "://" in text else text


def cut_before_word(text: str, limit: int) -> str:
    """Return at most `limit` characters, without the last word: half a secret looks like none."""
    # Searched from its start, a long text would take as many steps a character as words are long.
    found = _LAST_WORD.search(text, max(0, limit - _LONGEST_END), limit)
    return text[: limit if found is None else found.start()]


def _mask_userinfo(found: re.Match[str]) -> str:
    """Mask `user:password@`, where the password may hold `/`, `@`, `?` and `#` unescaped."""
    run = found[0]
    if "@" not in run or _PORT.match(run):
        return run
    # An `@` of the query is none of the user's, unless the authority has none of its own.
    before_query = re.split(r"[?#]", run, maxsplit=1)[0]
    end = (before_query if "@" in before_query else run).rindex("@")
    user = run[:end]
    if ":" not in user and (len(user) < _LONG_USER or "/" in user):
        return run
    if user.startswith(MASK):
        return run
    return MASK + run[end:]
