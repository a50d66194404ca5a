"""Half a surrogate pair in JSON is read as U+FFFD, and everything else as it is."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace._record.surrogates import loads

texts = st.text(st.one_of(st.characters(), st.sampled_from('\\"u\ud83d\ude00\udfff')))


@given(texts)
def test_any_text_that_python_writes_is_read(text: str) -> None:
    """Halves become U+FFFD one by one, whole pairs are characters."""
    written = json.dumps({text: text}).encode()
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert loads(written) == {whole: whole}


@given(texts)
def test_any_bytes_that_surrogatepass_writes_are_read(text: str) -> None:
    """Every half is one U+FFFD, since such bytes hold no pairs."""
    written = json.dumps([text], ensure_ascii=False).encode("utf-8", "surrogatepass")
    expected = "".join("\ufffd" if 0xD800 <= ord(each) < 0xE000 else each for each in text)
    assert loads(written) == [expected]


@pytest.mark.parametrize("data", [b"{", b'"\\ud83d', b"\xff", b'"\\ud83"', b"[1,]"])
def test_what_is_no_json_stays_none(data: bytes) -> None:
    """The error is that of the parser."""
    with pytest.raises(orjson.JSONDecodeError):
        loads(data)
