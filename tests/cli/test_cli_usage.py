"""Tokens and cost on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from cli_running import Cli

from honeytrace._record.wire import from_start_session
from honeytrace.store.sqlite import SQLiteStore

RUN = "01900000-0000-7000-8000-000000000001"


def record(session_id: str, name: str, **fields: Any) -> Any:
    """The record of a startSession payload."""
    times = {"start_time": 1_790_000_000_000.0, "end_time": 1_790_000_000_010, "duration": 10.0}
    payload = {"session_id": session_id, "session_name": name, "project": "p", "source": "s"}
    return from_start_session({**payload, **times, **fields}, lambda: session_id)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with a run of two model calls, one of which nobody knows the price of."""
    inside = {"parent_id": RUN, "root_id": RUN, "event_type": "model"}
    tokens = {"prompt_tokens": 21, "completion_tokens": 7, "cached_tokens": 4}
    metrics = {"time_to_first_token": 46.7}
    path = str(tmp_path / "sessions.db")
    opened = SQLiteStore(path)
    opened.insert(
        [
            record(RUN, "run", children_ids=["a", "b"]),
            record(
                *("a", "chat"),
                config={"model": "bee-1"},
                metadata={**tokens, "cost": 0.0125, "honeytrace": inside},
                metrics=metrics,
            ),
            record(
                *("b", "chat"),
                config={"model": "bee-2"},
                metadata={"total_tokens": 2, "honeytrace": inside},
            ),
            record("01900000-0000-7000-8000-000000000002", "plain"),
        ]
    )
    opened.close()
    return path


def test_show_has_the_model_the_tokens_and_the_cost(cli: Cli, store: str) -> None:
    """A run shows the sum of what ran inside it; a call its first token."""
    shown = cli("show", RUN, "--store", store).out
    assert "bee-1, bee-2" in shown
    assert "30 tokens (21 in, 7 out, 4 cached), at least $0.013 (no price for bee-2)" in shown
    assert "token after 46.7 ms" in cli("show", "a", "--store", store).out
    assert "cost unknown" in cli("show", "b", "--store", store).out
    assert "tokens" not in cli("show", "01900000-0000-7000-8000-000000000002", "--store", store).out


def test_calls_that_a_replay_answered_are_marked(cli: Cli, tmp_path: Path) -> None:
    """`show` calls them recorded, and counts the tokens of the calls that ran."""
    inside = {"parent_id": RUN, "root_id": RUN, "event_type": "model"}
    answered = {**inside, "answered_from": "earlier"}
    path = str(tmp_path / "s.db")
    opened = SQLiteStore(path)
    opened.insert(
        [
            record(RUN, "run", children_ids=["a", "b"]),
            record("a", "chat", metadata={"total_tokens": 5, "honeytrace": answered}),
            record("b", "chat", metadata={"total_tokens": 2, "honeytrace": inside}),
        ]
    )
    opened.close()
    shown = cli("show", RUN, "--store", path).out
    assert "├─ chat (recorded)" in shown
    assert "└─ chat " in shown
    assert "2 tokens" in shown
    (listed,) = cli("list", "--json", "--store", path).documents
    assert listed["usage"]["total_tokens"] == 2


def test_json_has_the_usage_of_the_tree(cli: Cli, store: str) -> None:
    """`list --json` and `show --json` add the usage where anything of it is known."""
    listed = {
        each["session_name"]: each for each in cli("list", "--json", "--store", store).documents
    }
    assert listed["run"]["usage"]["total_tokens"] == 30
    assert listed["run"]["usage"]["models"]["bee-2"]["cost"] is None
    assert "usage" not in listed["plain"]
    (shown,) = cli("show", RUN, "--json", "--store", store).documents
    assert shown["usage"] == listed["run"]["usage"]
    nested = cli("list", "--all", "--json", "--store", store).documents
    assert [each["usage"]["total_tokens"] for each in nested if each["session_name"] == "chat"]


def test_stats_have_tokens_and_cost_per_name(cli: Cli, store: str) -> None:
    """Calls of a name add up; a cost that is a lower bound says so."""
    head, chat, *_ = (
        " ".join(line.split()) for line in cli("stats", "--store", store).out.splitlines()
    )
    assert "tokens cost" in head
    assert " 30 $0.013+ " in chat
    first, *_ = cli("stats", "--json", "--store", store).documents
    assert (first["session_name"], first["usage"]["total_tokens"]) == ("chat", 30)


def test_what_list_prints_with_usage_is_imported_again(
    cli: Cli, store: str, tmp_path: Path
) -> None:
    """The usage beside a session is a figure about it: import reads the session without it."""
    lines = cli("list", "--all", "--json", "--store", store).out
    file = tmp_path / "sessions.jsonl"
    file.write_text(lines)
    other = str(tmp_path / "other.db")
    assert cli("import", str(file), "--store", other).status == 0
    again = cli("list", "--all", "--json", "--store", other).documents
    assert again == [orjson.loads(line) for line in lines.splitlines()]
