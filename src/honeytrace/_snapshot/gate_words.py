"""The words that the first look at a text goes by, interpreted or compiled."""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 6
"""Characters: a shorter text binds nothing."""

_TAILS: Final = (
    "key keys token tokens secret secrets password passwd pwd pass phrase passcode code codes"
    " credential credentials cookie cookies authorization auth bearer jwt csrf xsrf ssn sessid sig"
    " signature hmac dsn otp pin string n_str cvv mnemonic pw passwort kennwort contrasena"
    " contraseña senha passe wachtwoord haslo hasło losenord lösenord passord adgangskode salasana"
    " пароль 密码 密碼 パスワード 비밀번호"
)
TAILS: Final = tuple(_TAILS.split())
"""Ends of names before `=` or `:`, in lower case."""

_COUNTS: Final = (
    "tokens prompt_tokens completion_tokens total_tokens input_tokens output_tokens max_tokens"
    " cached_tokens reasoning_tokens audio_tokens text_tokens image_tokens max_output_tokens"
    " max_completion_tokens cache_read_input_tokens cache_creation_input_tokens"
    " accepted_prediction_tokens rejected_prediction_tokens"
)
COUNTS: Final = tuple(_COUNTS.split())
"""Whole names before `=` or `:` that end like a secret's and hold a count. Every answer of a model
has some of them, and the search that they would cause takes fifty times as long as this look."""

_PREFIXES: Final = (
    "sk- sk_ pk- pk_ rk- rk_ gsk_ xai- csk- pcsk_ nvapi- pplx- r8_ lsv2_ ls__ fw_ tvly- jina_ sess-"
    " AIza ya29. GOCSPX- AQ.A ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gl ATATT3 dckr_pat_ hf_ pypi-"
    " npm_ xox xapp- SK SG. key- lin_api_ ntn_ hooks.slack dapi hvs. hvb. hvr. dp. shp do sbp_"
    " glsa_ NRAK- ph whsec_ AGE-SECRET hh_ eyJ AKIA ASIA"
)
PREFIXES: Final = tuple(_PREFIXES.split())
"""Beginnings of credentials, in a run of at least 20 word characters, dots and hyphens."""

BEGINNINGS: Final = ("bearer ", "basic ")
"""Beginnings of a header's value, in lower case."""

LONGEST_NAME: Final = 128
"""Characters of a name that are looked at; the last ones count, since they name the thing."""
PROSE: Final = 5
"""A key of this many words between spaces is text, not a name."""

VALUES: Final = frozenset(("value", "Value", "VALUE"))
"""Keys whose value is bound to the name that stands beside them, under one of `NAMING`."""
NAMING: Final = frozenset(("name", "key", "Name", "Key", "NAME", "KEY", "header", "field"))
COOKIE: Final = "httpOnly"
"""A key that only cookies of browsers have, whatever their name."""
