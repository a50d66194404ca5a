"""Redaction: which names are sensitive, what becomes of text, and that failing shows no value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from honeytrace._snapshot import redact
from honeytrace._snapshot.credentials import MASK, SECRET_PATTERNS
from honeytrace._snapshot.redact import DEFAULT, FAILED, LONGEST_TEXT, Redactor, redactor
from honeytrace._snapshot.secrets import sensitive_by_default
from honeytrace._snapshot.snapshotter import Snapshotter
from honeytrace.errors import ConfigurationError

DOC = Path(__file__).parents[2] / "docs" / "snapshot.md"


HARMLESS = """
prompt_tokens completion_tokens num_tokens max_new_tokens cached_tokens token_ids
tokenizer pad_token token_type stop_token model messages keyboard monkey compass
cost_per_token sessionId children_ids tokens_per_second
enhanced passenger paraphrase phrase class_name trend contrast
"""
SECRET = """
APIKey openAIApiKey x-api-key azure_openai_api_key2 DB_PASSWORD db.password MYSQL_PWD
githubAccessToken id_token basic_auth gcpServiceCredentials ssh_key signing_keys
Ocp-Apim-Subscription-Key clientsecret PHPSESSID sessionToken
Passwort dbKennwort contraseña contrasena senha mot_de_passe motDePasse wachtwoord hasło haslo
lösenord losenord passord salasana adgangskode пароль 密码 密碼 パスワード 비밀번호 seed_phrase
"""


def apply(
    tree: Any, receipt: list[str] | None = None, path: str = "", rules: Redactor = DEFAULT
) -> Any:
    """Return a value as it is recorded under these rules."""
    return orjson.loads(Snapshotter(redactor=rules).encode(tree, receipt, path))


def names_in_doc() -> list[tuple[str, bool]]:
    table = DOC.read_text("utf-8").partition("| masked | not masked |")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if "`" in line]
    return [
        (name, sensitive)
        for _, masked, plain, _ in rows
        for cell, sensitive in ((masked, True), (plain, False))
        for name in re.findall(r"`([^`]+)`", cell)
    ]


@pytest.mark.parametrize(("name", "sensitive"), names_in_doc())
def test_documented_names(name: str, sensitive: bool) -> None:
    """Every name in the documentation's table is treated as the table says."""
    assert sensitive_by_default(name) is sensitive


@pytest.mark.parametrize("name", HARMLESS.split())
def test_language_model_vocabulary_stays(name: str) -> None:
    """What a language model application calls its harmless values stays readable."""
    assert not sensitive_by_default(name)


@pytest.mark.parametrize("name", SECRET.split())
def test_spellings_of_secrets(name: str) -> None:
    """Snake, camel, kebab and shouting spellings are one name."""
    assert sensitive_by_default(name)


def test_text_as_a_key_is_no_name() -> None:
    """A question used as a dict key does not mask its answer; a short label does."""
    assert not sensitive_by_default("How do I reset my password?")
    assert sensitive_by_default("Admin password")


def test_receipt_names_each_place_once() -> None:
    """The receipt lists paths from the given root, list indices folded, never the values."""
    tree = {"headers": {"Authorization": "abc"}, "docs": [{"token": "t1"}, {"token": "t2"}]}
    receipt: list[str] = []
    masked = apply(tree, receipt, "inputs")
    assert masked == {"headers": {"Authorization": MASK}, "docs": [{"token": MASK}] * 2}
    assert receipt == ["inputs.headers.Authorization", "inputs.docs[].token"]


def test_receipt_is_bounded_and_says_so() -> None:
    """A thousand masked places make a short receipt that admits there were more."""
    receipt: list[str] = []
    apply({f"user{i}": {"password": "x"} for i in range(1000)}, receipt)
    assert len(receipt) == 101
    assert receipt[-1] == "…"


def test_receipt_does_not_quote_a_secret_key() -> None:
    """A path through a key that is itself a credential shows the mask instead."""
    receipt: list[str] = []
    apply({"sk-" + "a" * 30: {"password": "x"}}, receipt)
    assert receipt == [f"{MASK}.password"]


def test_absence_of_a_secret_is_shown() -> None:
    """None and booleans under a sensitive name stay, numbers and empty containers do not."""
    tree = {"api_key": None, "token": True, "password": 1234, "secret": {}}
    assert apply(tree) == {
        "api_key": None,
        "token": True,
        "password": MASK,
        "secret": MASK,
    }


def test_log_probabilities_keep_their_tokens() -> None:
    """`token` beside `logprob` is model output."""
    tree = {"content": [{"token": "Hello", "logprob": -0.1}], "token": "abc"}
    assert apply(tree) == {
        "content": [{"token": "Hello", "logprob": -0.1}],
        "token": MASK,
    }


def test_user_names_add_to_the_defaults() -> None:
    """A user's name is matched by whole words, wherever they stand in the key."""
    masked = apply(
        {"customerEmail": "a", "emails": "b", "home-address-1": "c", "api_key": "d"},
        rules=Redactor(["email", "home address"]),
    )
    assert masked == {"customerEmail": MASK, "emails": "b", "home-address-1": MASK, "api_key": MASK}


def test_patterns_reach_values_and_keys() -> None:
    """A user's pattern is replaced in strings and in keys, and keys made equal are all kept."""
    receipt: list[str] = []
    masked = apply(
        {"note": "is 1234.", "1111": 1, "2222": 2},
        receipt,
        "inputs",
        Redactor([re.compile(r"\d{4}")]),
    )
    assert masked == {"note": f"is {MASK}.", MASK: 1, f"{MASK} [2]": 2}
    assert receipt == ["inputs.note", "inputs"]


def test_function_sees_paths_and_replaces() -> None:
    """A function is asked from the outside in, and its replacement is not shown to it again."""
    seen: list[str] = []

    def rule(path: str, value: Any) -> Any:
        seen.append(path)
        return {"id": 7, "password": "p"} if path == "in.user" else value

    receipt: list[str] = []
    masked = apply({"user": {"name": "Ann"}, "n": [1]}, receipt, "in", Redactor([rule]))
    assert masked == {"user": {"id": 7, "password": MASK}, "n": [1]}
    assert seen == ["in", "in.user", "in.n", "in.n[]"]
    assert receipt == ["in.user", "in.user.password"]


def not_json(path: str, value: Any) -> Any:
    return object() if path == "x" else value


def raises(path: str, value: Any) -> Any:
    if path == "x":
        raise RuntimeError(value)
    return value


def test_failing_pattern_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where text cannot be searched, none of it shows."""

    def fails(text: str, patterns: Any) -> str:
        raise MemoryError

    rules = Redactor([re.compile("x")])
    monkeypatch.setattr(redact, "substitute", fails)
    assert apply(["private"], rules=rules) == [FAILED]
    assert rules.text("private") == FAILED


@pytest.mark.parametrize("rule", [not_json, raises])
def test_failing_function_closes(rule: Any) -> None:
    """A function that raises or returns rubbish leaves a marker, and the receipt says so."""
    receipt: list[str] = []
    assert apply({"x": "private", "y": 1}, receipt, rules=Redactor([rule])) == {
        "x": FAILED,
        "y": 1,
    }
    assert receipt == ["x (redaction failed)"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("login failed: password=hunter2, user=ann", "login failed: password=[redacted], user=ann"),
        ("password: hunter2; retry", "password: [redacted]; retry"),
        ('{"api_key": "a b", "max_tokens": 5}', '{"api_key": [redacted], "max_tokens": 5}'),
        ("{'h': {'Authorization': 'Bearer x'}}", "{'h': {'Authorization': [redacted]}}"),
        ("GET /v1?api_key=abc&page=2", "GET /v1?api_key=[redacted]&page=2"),
        ("Authorization: Bearer abcdef.ghi", "Authorization: [redacted]"),
        ("password='a token=b' token=c", "password=[redacted] token=[redacted]"),
        ("Cookie: a=1; b=2\nHost: x", "Cookie: [redacted]\nHost: x"),
        ("{'secret': ['a]', ('b',)], 'n': 1}", "{'secret': [redacted], 'n': 1}"),
        ("secret: [unclosed, list", "secret: [redacted]"),
        ("    password: str = 'hunter2'", "    password: [redacted]"),
        ("    if password == 'hunter2':", "    if password == [redacted]:"),
        (r"password='it\'s', n=1", "password=[redacted], n=1"),
        ("API key: abc", "API key: [redacted]"),
        ("Incorrect key sk-proj-abcdefghijklmnop1234", "Incorrect key [redacted]"),
        ("postgres://ann:hunter2@db/x", "postgres://[redacted]@db/x"),
        ("AKIAABCDEFGHIJKLMNOP is expired", "[redacted] is expired"),
        ("sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def", "sent [redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[redacted]"),
        ("it sent Bearer 0123456789abcdefghij on", "it sent Bearer [redacted] on"),
        ("Passwort: hunter2", "Passwort: [redacted]"),
        ("mot de passe : hunter2", "mot de passe : [redacted]"),
        ("пароль=hunter2", "пароль=[redacted]"),
        (f"GET https://h/bot123456789:AA{'a1' * 16}/getMe", "GET https://h/[redacted]"),
        ("max_tokens=5, ValueError: no", "max_tokens=5, ValueError: no"),
    ],
)
def test_text(text: str, masked: str) -> None:
    """Error text loses its secrets and keeps the rest."""
    receipt: list[str] = []
    assert DEFAULT.text(text, receipt, "error") == masked
    assert receipt == ([] if text == masked else ["error"])


def test_user_patterns_reach_text() -> None:
    """Patterns given for values are applied to error text too."""
    assert Redactor([re.compile(r"\d{16}")]).text("card 1234567812345678") == f"card {MASK}"


def test_text_fails_closed() -> None:
    """When masking a text fails, nothing of it is shown."""
    receipt: list[str] = []
    assert DEFAULT.text(None, receipt, "error") == FAILED  # type: ignore[arg-type]  # the failure
    assert receipt == ["error (redaction failed)"]


def test_long_text_is_cut() -> None:
    """A text is searched up to a bound, and what follows is cut, half a secret included."""
    text = "x " * (LONGEST_TEXT // 2 - 4) + "sk-proj-abcdefghijklmnopqrstuvwxyz" + " y" * 1000
    masked = DEFAULT.text(text)
    assert "sk-" not in masked
    kept = masked.index("…")
    assert masked.endswith(f"…[cut {len(text) - kept} characters]")


@pytest.mark.parametrize("wrong", [[""], [3], 3, [re.compile(rb"x")], ["--"]])
def test_misuse_names_the_cure(wrong: object) -> None:
    """A rule that is no rule is refused when configuring, with what to give instead."""
    with pytest.raises(ConfigurationError, match="function \\(path, value\\)"):
        redactor(wrong)


def test_redact_option() -> None:
    """None and True mean the defaults, False nothing, and one rule needs no list."""
    assert redactor(None) is redactor(True) is DEFAULT
    assert redactor(False) is None
    given = redactor("email")
    assert redactor(given) is given
    for rule in ("email", re.compile("x"), lambda path, value: value, SECRET_PATTERNS):
        assert isinstance(redactor(rule), Redactor)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"api_key": "x1", "max_tokens": 5}', '{"api_key": "[redacted]", "max_tokens": 5}'),
        ("api_key=x1&q=1", "api_key=[redacted]&q=1"),
        ("GET https://h/?code=x1&q=1", "GET https://h/?code=[redacted]&q=1"),
        ("redis://:p/w@h/0", "redis://[redacted]@h/0"),
        ("gsk_abcdefghijklmnopqrstuvwxyz", MASK),
        ("curl -H 'Authorization: token 9f8e7d6c' h", "curl -H 'Authorization: [redacted]' h"),
        ("it sent bearer 0123456789abcdefghij on", "it sent bearer [redacted] on"),
        ("senha: hunter2", "senha: [redacted]"),
        ("- **Password:** hunter2\n- **User:** ann", "- **Password:** [redacted]\n- **User:** ann"),
        ("**API key**: hunter2, *ann*", "**API key**: [redacted], *ann*"),
        ("`DB_PASSWORD`: `hunter2` is set", "`DB_PASSWORD`: [redacted] is set"),
        ("The **token** is new. Bold: **a**", "The **token** is new. Bold: **a**"),
        ("https://discord.com/api/webhooks/1234567890123/abc", "https://[redacted]"),
        ("Authorization: token is required here.", "Authorization: token is required here."),
        ("Please reset my password: see below.", "Please reset my password: see below."),
        ("unexpected token: 'foo'", "unexpected token: 'foo'"),
    ],
)
def test_strings_of_the_program(text: str, masked: str) -> None:
    """A string loses the secrets that it binds; JSON stays JSON, and prose stays as it is."""
    assert apply({"q": text}) == {"q": masked}
    assert apply([text]) == [masked]


def test_pairs_and_arguments() -> None:
    """A header as a pair, in text or bytes, and the value after a command-line argument."""
    assert apply([("authorization", "Basic eA=="), (b"x-api-key", b"x1"), ("accept", "*/*")]) == [
        ["authorization", MASK],
        ["x-api-key", MASK],
        ["accept", "*/*"],
    ]
    assert apply(["prog", "--api-key", "x1", "-v"]) == ["prog", "--api-key", MASK, "-v"]


def test_name_beyond_the_searched_text_is_not_taken_for_harmless() -> None:
    """A key that one snapshot had no room to search is searched, and masked, by the next one."""
    key = "sk-proj-Zk93hUnTeR2secretXYZ987abc"
    snapshotter = Snapshotter()
    long = {"text": "password=x " + "lorem ipsum " * 10_000, "set": {1}, "inner": {key: {2}}}
    snapshotter.encode(long)
    assert key.encode() not in snapshotter.encode({"inner": {key: {2}}})
