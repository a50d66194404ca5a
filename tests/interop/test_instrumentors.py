"""Real SDKs with real instrumentors, recorded by one line.

tests/server/test_otlp_and_bridge.py sends the spans of these instrumentors by OTLP, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE

pytestmark = pytest.mark.timeout(1_200)
"""Installing two environments takes minutes on a busy machine."""

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("openai", "openinference-instrumentation-openai"),
    *("anthropic", "openinference-instrumentation-anthropic"),
    *("langchain", "langchain-openai", "langgraph", "openinference-instrumentation-langchain"),
    "pydantic-ai-slim[openai]",
)


FRAMEWORKS = (
    *("openai", "openinference-instrumentation-openai"),
    *("llama-index-core", "llama-index-llms-openai", "openinference-instrumentation-llama-index"),
    *("openai-agents", "openinference-instrumentation-openai-agents"),
    *("litellm", "openinference-instrumentation-litellm"),
)
"""Frameworks that call the SDK of openai, which is instrumented as well."""


def environment(name: str, packages: Sequence[str]) -> str:
    """Return an interpreter with these packages and honeytrace."""
    place = CACHE / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = place / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    own = f"{ROOT}[cli,server,otel,prices]"
    command = [str(interpreter), "-m", "pip", "install", "-q", *packages, "-e", own]
    # an editable installation has the modules that were compiled in the checkout: minutes are saved
    environ = {**os.environ, "HONEYTRACE_SKIP_CYTHON": "1"}
    subprocess.run(command, env=environ, check=True, timeout=900)
    return str(interpreter)


def example(python: str, place: Path) -> Path:
    """Run the example in a directory, with every SDK that the interpreter has."""
    command = [python, "-W", "ignore", str(ROOT / "examples" / "model_calls.py")]
    # litellm would look for its prices on GitHub
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    subprocess.run(command, cwd=place, env=environ, check=True, timeout=300)
    return place


@pytest.fixture(scope="session")
def python() -> str:
    """An interpreter with the SDKs and their instrumentors."""
    return environment("instrumentors", PACKAGES)


@pytest.fixture(scope="session")
def recorded(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which the example has run."""
    return example(python, tmp_path_factory.mktemp("calls"))


@pytest.fixture(scope="session")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An interpreter with the frameworks, and the directory in which the example has run."""
    python = environment("frameworks", FRAMEWORKS)
    return python, example(python, tmp_path_factory.mktemp("frameworks"))


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


@pytest.mark.parametrize("name", ["openai", "anthropic", "langchain_openai", "pydantic_ai"])
def test_every_answer_of_a_run_is_shown_and_found(python: str, recorded: Path, name: str) -> None:
    """In each run there is a model's call that shows its messages, and `search` finds it."""
    calls = answers(python, recorded, name)
    assert calls
    for call in calls:
        shown = honeytrace(python, recorded, "show", call)
        for expected in ("Bees see ultraviolet.", "user", "assistant", "28 tokens", "$"):
            assert expected in shown


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("openai", 4 * 28), ("llama_index.llms.openai", 28), ("agents", 56), ("litellm", 28)],
)
def test_frameworks_of_the_how_to(frameworks: tuple[str, Path], name: str, tokens: int) -> None:
    """LlamaIndex, OpenAI Agents and litellm: one row a run, each call counted once, found again."""
    python, place = frameworks
    found = runs(python, place)
    assert found.keys() == {"openai", "llama_index.llms.openai", "agents", "litellm"}
    usage = found[name]["usage"]
    assert (usage["total_tokens"], usage["cost"] > 0) == (tokens, True)
    assert answers(python, place, name)


def answers(python: str, place: Path, name: str) -> list[str]:
    """The ids of the model's calls in a run whose answer `search` finds."""
    root = runs(python, place)[name]["session_id"]
    lines = honeytrace(python, place, "search", "ultraviolet", "--json", "-n", "200").splitlines()
    found = [json.loads(line) for line in lines]
    return [
        each["session_id"]
        for each in found
        if each["root_id"] == root and each["event_type"] == "model" and not each["children_ids"]
    ]
