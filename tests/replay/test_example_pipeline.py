"""The example pipeline with its model answered from a file, and replayed from a recording."""

from __future__ import annotations

import importlib.util
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import honeytrace
from honeytrace import NotRecorded, RecordedSession
from honeytrace.testing import capture

EXAMPLE = Path(__file__).parents[2] / "examples" / "rag_pipeline.py"
QUESTION = "How do I catch several exceptions in one except clause?"
TOPICS = {
    "try": (
        "An except clause may name several exceptions as a parenthesized tuple. The clause then"
        " handles an exception of any class in that tuple, and of classes derived from them.\n\n"
        "When a return statement is executed in the finally clause, the value that was to be"
        " returned by the try suite is replaced, and any saved exception is discarded."
    ),
}
"""A fixed corpus: the one that Python ships differs between versions."""


@pytest.fixture
def rag() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rag_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.topics = TOPICS  # type: ignore[attr-defined]
    return module


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to open a connection fail."""
    import socket

    def refuse(*arguments: Any) -> None:
        raise AssertionError("a test reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def asked(rag: ModuleType, question: str = QUESTION) -> str:
    db = sqlite3.connect(":memory:")
    try:
        rag.build_index(db)
        answer: str = rag.answer(db, question)
    finally:
        db.close()
    return answer


@pytest.mark.honeytrace_cassette("rag_pipeline.jsonl", recorded="generate")
def test_the_pipeline_answers_from_its_cassette(
    rag: ModuleType, no_network: None, pytestconfig: pytest.Config
) -> None:
    """The answer comes from the file: the model does not run, and no socket is opened."""
    if not pytestconfig.getoption("--honeytrace-record"):
        rag.quote = None  # type: ignore[attr-defined] # the model
    assert asked(rag).startswith("An except clause may name several exceptions")


def recorded(rag: ModuleType) -> RecordedSession:
    with capture() as sessions:
        asked(rag)
    return sessions.by_name("answer")[0]


def test_an_answer_is_reproduced_offline(rag: ModuleType, no_network: None) -> None:
    """One recorded answer, with `generate` from the recording, has every session the same."""
    before = recorded(rag)
    rag.quote = None  # type: ignore[attr-defined] # the model
    db = sqlite3.connect(":memory:")
    with capture():
        rag.build_index(db)
        found = honeytrace.replay(
            before, fn=rag.answer, recorded="generate", strict=True, set={"db": db}
        )
    db.close()
    assert found.error is None
    assert found.comparison.counts["same"] == len(found.comparison.pairs) > 5


def test_a_changed_prompt_is_told_at_its_character(rag: ModuleType) -> None:
    """A changed prompt is reported at the right call and the right character."""
    before = recorded(rag)
    build = rag.build_prompt

    def shorter(question: str, passages: Any) -> str:
        prompt: str = build(question, passages)
        return prompt.replace("two sentences", "one sentence")

    rag.build_prompt = shorter  # type: ignore[attr-defined]
    with (
        capture(),
        pytest.raises(NotRecorded, match=r"generate was asked something new \(call 1 of 1") as told,
        honeytrace.replaying(before, recorded="generate", strict=True),
    ):
        asked(rag)
    assert "inputs.prompt  at character 10\n" in str(told.value)
