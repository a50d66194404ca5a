"""The first look at a text: the compiled one gives the answers of the interpreted one."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace._snapshot import bindings, credentials, gate_words, secrets, text_gate

PIECES = [
    *gate_words.TAILS,
    *gate_words.PREFIXES,
    *gate_words.COUNTS,
    *("=", ":", "://", "@", "--", "-", ".", " ", "\t", '"', "'", "\\", ")", "]", "!", "\n", "\x1f"),
    *(
        "a",
        "B",
        "é",
        "\U0001f41d",
        "1234",
        "x" * 19,
        "y" * 7,
        "z" * 3,
        ",",
        "!",
        "Bearer ",
        "basic ",
        "user",
        "/",
        "\u017f",
    ),
]


def interpreted() -> ModuleType:
    """Return the module as it runs where there is no compiler."""
    source = Path(gate_words.__file__).with_name("text_gate.py")
    spec = importlib.util.spec_from_file_location("honeytrace._snapshot.text_gate_source", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOURCE = interpreted()
PATTERN = bindings.binding_pattern()
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)


@given(texts)
def test_compiled_and_interpreted_agree(text: str) -> None:
    """Both give the same answer."""
    assert text_gate.suspicious(text) == SOURCE.suspicious(text)
    assert text_gate.ends_like_name(text) == SOURCE.ends_like_name(text)


@pytest.mark.parametrize("filler", ["x, ", "word ", "x" * 18 + " ", "abc/", "é", "\u4e00 ", "- _ "])
@pytest.mark.parametrize(
    "secret",
    ["api_key=", "pwd:", "://a@b", "--api", "('token',", "['pwd',", "whsec_", "sk-" + "a" * 17],
)
def test_a_secret_is_seen_at_every_place_of_a_long_text(secret: str, filler: str) -> None:
    """The compiled look goes by blocks of a text; what crosses their borders is seen, too."""
    for before in range(140):
        harmless = (filler * 140)[:before] + " "
        for after in (0, 1, 40, 100):
            text = harmless + secret + " " + (filler * 140)[:after]
            assert text_gate.suspicious(text)
            assert not text_gate.suspicious(text.replace(secret, " "))


@given(st.lists(texts, max_size=8).map(" word, ".join))
def test_they_agree_on_long_texts(text: str) -> None:
    """The compiled look gives the same answer where it takes many characters at a time."""
    assert text_gate.suspicious(text) == SOURCE.suspicious(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"api_key": "x"}',
        "api_key=x&q=1",
        "password: x",
        "PASSWORD = x",
        r"{\"password\": \"x\"}",
        "--api-key x",
        "[('x-api-key', 'x')]",
        '["token","x"]',
        "postgres://ann:x@db",
        "Bearer abcdefgh",
        "it was sent Bearer abcdefghijklmnopqrstuvw",
        "https://discord.com/api/webhooks/1234567890123/abc",
        "contraseña: x",
        "**Password:** x",
        "`api_key`: x",
        "пароль = x",
        "the key sk-proj-abcdefghijklmnop is wrong",
        "-----BEGIN PRIVATE KEY-----",
        "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
        "my bot is 123456789:AAabcdefghijklmnopqrstuvwxyzabcdefgh",
    ],
)
def test_what_may_bind_a_secret_is_suspicious(text: str) -> None:
    """A text with a name before a separator, an argument, a URL with `@`, or a credential."""
    assert text_gate.suspicious(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "why?",
        "How do bees find their way home? They remember the sun and the hills.",
        "Question: why? Answer: because. See https://example.org/a/b?c=d#e at 12:30.",
        "8f14e45f-ceea-467f-a9f0-1b2c3d4e5f60",
        "/usr/lib/python3.11/site-packages/a_rather_long_package_name/module.py",
        "def f(x): return {'a': x, 'b': [1, 2]}",
        '{"usage":{"prompt_tokens":21,"completion_tokens":7,"total_tokens":28},"max_tokens": 5}',
        'usage={\\"input_tokens\\": 3, \\"output_tokens\\": 4}',
    ],
)
def test_prose_code_and_ids_are_not(text: str) -> None:
    """Ordinary texts take the fast route."""
    assert not text_gate.suspicious(text)
    assert not text_gate.ends_like_name(text)


@given(
    st.lists(
        st.sampled_from((*gate_words.COUNTS, *"=:", '"', "\\", " ", "é", "_", "x", "21", "key")),
        max_size=10,
    ).map("".join)
)
def test_a_text_without_suspicion_holds_nothing_to_mask(text: str) -> None:
    """The counts that the look passes over are none that the search would mask."""
    if not text_gate.suspicious(text):
        found = bindings.mask_bindings(text, PATTERN, secrets.sensitive_by_default)
        assert found == text


@pytest.mark.parametrize("pattern", credentials._PREFIXES)
@given(data=st.data())
def test_credentials_are_suspicious(pattern: str, data: st.DataObject) -> None:
    """Every shape that is masked is found, between the words and the punctuation of a sentence."""
    found = data.draw(st.from_regex(re.compile(pattern, re.A), fullmatch=True)) + "x" * 10
    before, after = (data.draw(st.sampled_from(("", " ", "is (", "„", "a,", "\n"))) for _ in "ab")
    text = before + re.sub("^(?=hooks|discord)", "https://", found) + after
    assert credentials.mask_shapes(text) != text
    assert text_gate.suspicious(text)
    assert SOURCE.suspicious(text)
