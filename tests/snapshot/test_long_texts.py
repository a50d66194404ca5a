"""Long texts: what is recorded of them was looked at to the end, at a bounded cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counted_steps import steps_of
from honeytrace._snapshot.limits import TEXT
from honeytrace._snapshot.pieces import PIECE
from honeytrace._snapshot.snapshotter import Snapshotter

SNAPSHOTTER = Snapshotter()
SECRET = "Zk93hUnTeR2secretXYZ987abc"
BOUND = [
    f"sk-proj-{SECRET}",
    f"password={SECRET}",
    f"password: {SECRET}",
    f"api_key =  '{SECRET}'",
    f'{{"password": "two words and {SECRET}"}}',
    f"--password {SECRET}",
    f"('x-api-key', '{SECRET}')",
    f'[["Authorization", "Basic {SECRET}"]]',
    f"Authorization: Basic {SECRET}\n",
    f"Cookie: a=1; b={SECRET}\n",
    f"postgres://ann:{SECRET}@db.example",
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END PRIVATE KEY-----\n",
]
FILLERS = ["some words of a document, ", "line\n", '{"a": 1, "b": "c d"}, ', "x", "a/b+c", "é "]


def recorded(value: Any) -> str:
    return SNAPSHOTTER.encode({"x": value}).decode()


@settings(max_examples=150, deadline=None)
@given(
    filler=st.sampled_from(FILLERS),
    bound=st.lists(st.sampled_from(BOUND), min_size=1, max_size=4),
    place=st.integers(0, 4 * PIECE) | st.integers(TEXT - 50, TEXT + 50),
)
def test_secret_is_masked_wherever_in_a_long_text_it_stands(
    filler: str, bound: list[str], place: int
) -> None:
    """No secret passes, at the seams of pieces, or behind the first 64,000 characters."""
    before = (filler * (place // len(filler) + 1))[:place]
    text = before + " " + " ".join(bound) + " " + filler * (PIECE // len(filler))
    found = recorded(text)
    assert SECRET not in found
    assert "[redacted]" in found or "…[cut" in json.loads(found)["x"]


@pytest.mark.parametrize("bound", BOUND)
def test_all_of_a_plain_long_text_is_kept(bound: str) -> None:
    """What surrounds a secret is recorded as it is, however long the text."""
    before, after = "word " * 40_000, "\nend " * 20_000
    found = json.loads(recorded(f"{before}\n{bound}\n{after}"))["x"]
    assert found.startswith(before)
    assert found.endswith(after)
    assert SECRET not in found


def test_many_secrets_are_masked_or_left_out() -> None:
    """When the search has cost enough, what should be searched is left out and counted."""
    found = recorded([f"user {i} has password={SECRET} and no more" for i in range(6_000)])
    assert SECRET not in found
    assert "…[cut " in found
    line = f"user has password={SECRET} and no more\n"
    text = json.loads(recorded(line * 6_000))["x"]
    assert SECRET not in text
    assert "…[cut " in text


def test_picture_in_a_text_is_kept() -> None:
    """Half a megabyte of base64, which has no spaces, is recorded."""
    import base64
    import random

    picture = base64.b64encode(random.Random(1).randbytes(300_000)).decode()
    value = {"image_url": {"url": f"data:image/png;base64,{picture}"}}
    found = json.loads(recorded(value))["x"]["image_url"]["url"]
    assert len(found) > 0.9 * len(picture)


def test_work_of_a_search_is_bounded() -> None:
    """Ten times the text that looks as if it held secrets takes the same number of steps."""

    def steps(count: int) -> int:
        text = f"user has password={SECRET} and no more\n" * count
        return steps_of(lambda: Snapshotter().encode({"x": text}))

    assert steps(20_000) < 2 * steps(2_000)
