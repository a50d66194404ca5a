"""Real SDKs with real instrumentors, recorded by one line, and the same spans sent by OTLP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("openai", "openinference-instrumentation-openai"),
    *("anthropic", "openinference-instrumentation-anthropic"),
    *("langchain", "langchain-openai", "langgraph", "openinference-instrumentation-langchain"),
    "pydantic-ai-slim[openai]",
)


@pytest.fixture(scope="session")
def python() -> str:
    """An interpreter with the SDKs, their instrumentors and honeytrace."""
    place = CACHE / f"instrumentors-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = place / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    own = f"{ROOT}[cli,server,otel,prices]"
    command = [str(interpreter), "-m", "pip", "install", "-q", *PACKAGES, "-e", own]
    subprocess.run(command, check=True, timeout=900)
    return str(interpreter)


@pytest.fixture(scope="session")
def recorded(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which the example has run."""
    place = tmp_path_factory.mktemp("calls")
    example = str(ROOT / "examples" / "model_calls.py")
    subprocess.run([python, "-W", "ignore", example], cwd=place, check=True, timeout=300)
    return place


def honeytrace(python: str, place: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [python, "-m", "honeytrace", *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs(python: str, place: Path) -> dict[str, Any]:
    """Every run by name, with its usage."""
    lines = honeytrace(python, place, "list", "--json", "-n", "100").splitlines()
    return {each["session_name"]: each for each in map(json.loads, lines)}


def test_each_run_is_one_row(python: str, recorded: Path) -> None:
    """Whatever a framework does inside, the list has one row for it."""
    found = runs(python, recorded)
    assert found.keys() >= {"openai", "anthropic", "langchain_openai", "langgraph", "pydantic_ai"}
    assert found.keys() <= {"openai", "anthropic", "langchain_openai", "langgraph", "pydantic_ai"}


@pytest.mark.parametrize(
    ("name", "tokens", "model"),
    [
        ("openai", 4 * 28, "gpt-4o-mini"),
        ("anthropic", 28, "claude-3-5-haiku-latest"),
        ("langchain_openai", 2 * 28, "gpt-4o-mini"),
        ("langgraph", 56, "gpt-4o-mini"),
        ("pydantic_ai", 56, "gpt-4o-mini"),
    ],
)
def test_tokens_and_cost_of_a_run(
    python: str, recorded: Path, name: str, tokens: int, model: str
) -> None:
    """Every call counts once, also where a framework and an SDK both report it."""
    usage = runs(python, recorded)[name]["usage"]
    assert usage["total_tokens"] == tokens
    assert list(usage["models"]) == [model]
    assert usage["cost"] > 0


def test_calls_of_the_sdk_are_inside_the_run_that_makes_them(python: str, recorded: Path) -> None:
    """LangChain's model runs hold the SDK's call, whether they were called or awaited."""
    session_id = runs(python, recorded)["langchain_openai"]["session_id"]
    program = f"import honeytrace; print(honeytrace.get_session({session_id!r}).tree())"
    tree = subprocess.run(
        [python, "-c", program], cwd=recorded, check=True, capture_output=True, text=True
    ).stdout
    lines = [line.rpartition("  ")[0] for line in tree.splitlines()]
    calls = [i for i, line in enumerate(lines) if line.endswith("ChatCompletion")]
    assert len(calls) == 2
    for at in calls:
        assert lines[at - 1].endswith("ChatOpenAI")
        assert lines[at].index("ChatCompletion") > lines[at - 1].index("ChatOpenAI")


def test_show_has_the_conversation(python: str, recorded: Path) -> None:
    """Messages, answer, model, tokens, cost and the time to the first token."""
    shown = honeytrace(python, recorded, "show", runs(python, recorded)["openai"]["session_id"])
    assert "gpt-4o-mini" in shown
    assert "112" in shown
    stream = [
        line
        for line in honeytrace(
            python, recorded, "list", "--all", "--json", "-n", "200"
        ).splitlines()
        if "time_to_first_token" in line
    ]
    call = honeytrace(python, recorded, "show", json.loads(stream[0])["session_id"])
    for expected in ("What do bees see?", "Bees see ultraviolet.", "token", "$"):
        assert expected in call


def test_search_finds_words_of_the_answer(python: str, recorded: Path) -> None:
    """Answers are searchable."""
    assert "ChatCompletion" in honeytrace(python, recorded, "search", "ultraviolet", "-n", "50")
