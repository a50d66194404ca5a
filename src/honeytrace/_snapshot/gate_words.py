"""The words that the first look at a text goes by, interpreted or compiled."""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 6
"""Characters: a shorter text binds nothing."""

RUN: Final = 20
"""Characters of the shortest run that a credential makes."""

_TAILS: Final = (
    "key keys token tokens secret secrets password passwd pwd pass phrase passcode code codes"
    " credential credentials cookie cookies authorization auth bearer jwt csrf xsrf ssn sessid sig"
    " signature hmac dsn otp pin string n_str cvv mnemonic pw"
)
TAILS: Final = tuple(_TAILS.split())
"""Ends of names before `=` or `:`, in lower case."""

_PREFIXES: Final = (
    "sk- sk_ pk- pk_ rk- rk_ gsk_ xai- csk- pcsk_ nvapi- pplx- r8_ lsv2_ ls__ fw_ tvly- jina_ sess-"
    " AIza ya29. GOCSPX- AQ.A ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gl ATATT3 dckr_pat_ hf_ pypi-"
    " npm_ xox xapp- SK SG. key- lin_api_ ntn_ hooks.slack dapi hvs. hvb. hvr. dp. shp do sbp_"
    " glsa_ NRAK- ph whsec_ AGE-SECRET hh_ eyJ AKIA ASIA"
)
PREFIXES: Final = tuple(_PREFIXES.split())
"""Beginnings of credentials, in a run of at least `RUN` word characters, dots and hyphens."""

BEGINNINGS: Final = ("bearer ", "basic ")
"""Beginnings of a header's value, in lower case."""
