"""A quick look at a string: could it bind a secret, or be one?

Every string of every recorded value is asked, so the answer costs less than a nanosecond a
character where it is compiled. `suspicious` may say yes to a harmless text, which then is searched
by the slower patterns of `bindings` and `shapes`.
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST: Final = 6
"""Characters: a shorter text binds nothing."""

_TAILS_TEXT: Final = (
    "key keys token tokens secret secrets password passwd pwd pass phrase passcode code"
    " codes credential credentials cookie cookies authorization auth bearer jwt csrf"
    " xsrf ssn sessid sig signature hmac dsn otp pin string n_str cvv mnemonic pw"
)
TAILS: Final = tuple(_TAILS_TEXT.split())
"""Ends of names before `=` or `:`."""

_PREFIXES_TEXT: Final = (
    "sk- sk_ pk- pk_ rk- rk_ gsk_ xai- csk- pcsk_ nvapi- pplx- r8_ lsv2_ ls__ fw_ tvly-"
    " jina_ sess- AIza ya29. GOCSPX- AQ.A ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gl ATATT3"
    " dckr_pat_ hf_ pypi- npm_ xox xapp- SK SG. key- lin_api_ ntn_ hooks.slack dapi hvs."
    " hvb. hvr. dp. shp do sbp_ NRAK- ph whsec_ AGE-SECRET hh_ eyJ AKIA ASIA"
)
PREFIXES: Final = tuple(_PREFIXES_TEXT.split())
"""Beginnings of credentials, in a run of at least 20 word characters."""

_BINDING: Final = re.compile(
    rf"(?:{'|'.join(TAILS)})\d{{0,3}}[ \t\n\"'\\\])!]{{0,6}}[=:]", re.A | re.I
)
_ARGUMENT: Final = re.compile("--[A-Za-z]")
_USERINFO: Final = re.compile(r"://[^\s]{0,255}@", re.A)
_RUN: Final = re.compile(r"[\w.-]{20}[\w.-]*", re.A)
_BEGINNINGS: Final = ("bearer ", "basic ")


def suspicious(text: str) -> bool:
    """Tell whether a text is worth the search for secrets."""
    if len(text) < SHORTEST:
        return False
    if ("=" in text or ":" in text) and _BINDING.search(text) is not None:
        return True
    if "--" in text and _ARGUMENT.search(text) is not None:
        return True
    if "://" in text and "@" in text and _USERINFO.search(text) is not None:
        return True
    if text[:7].lower().startswith(_BEGINNINGS):
        return True
    return any(run.lstrip("._-").startswith(PREFIXES) for run in _RUN.findall(text))
