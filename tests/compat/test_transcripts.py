"""Transcripts of coding agents, and OpenTelemetry's JSON, imported as sessions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from honeytrace.__main__ import main
from honeytrace.cli._foreign import recognised
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

SECRET = "sk-ant-api03-" + "a1B2" * 10


def at(second: float) -> str:
    return f"2026-05-01T10:00:{second:06.3f}Z"


def claude(kind: str, second: float, content: Any, **more: Any) -> dict[str, Any]:
    """A line of a transcript of Claude Code."""
    message = {"role": kind, "content": content, **more.pop("message", {})}
    return {
        "type": kind,
        "uuid": f"u{second}",
        "sessionId": "s-1",
        "timestamp": at(second),
        "cwd": "/home/ada/shop",
        "gitBranch": "main",
        "version": "2.1",
        "isSidechain": False,
        "message": message,
        **more,
    }


def reply(second: float, number: str, content: list[Any], **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 7}
    message = {"id": number, "model": "claude-opus-4-5", "usage": usage}
    return claude("assistant", second, content, message=message, **more)


CLAUDE = [
    {"type": "summary", "summary": "Fix the cart", "leafUuid": "x"},
    claude("user", 0, "Fix the cart"),
    reply(2, "m1", [{"type": "text", "text": "I look."}]),
    reply(
        3,
        "m1",
        [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytest"}}],
    ),
    claude(
        "user",
        5,
        [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "1 failed"}],
    ),
    reply(
        6,
        "m2",
        [
            {
                "type": "tool_use",
                "id": "t2",
                "name": "Task",
                "input": {"prompt": "Find the bug", "subagent_type": "search"},
            }
        ],
    ),
    claude("user", 7, "Find the bug", isSidechain=True, parentUuid=None, agentId="a9"),
    reply(8, "m3", [{"type": "text", "text": f"It is {SECRET}"}], isSidechain=True, agentId="a9"),
    claude(
        "user",
        9,
        [{"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "x"}]}],
        toolUseResult={"agentId": "a9"},
    ),
    reply(10, "m4", [{"type": "text", "text": "Fixed."}]),
    reply(11, "m5", [{"type": "tool_use", "id": "t3", "name": "Read", "input": {"file": "a"}}]),
]


def codex(kind: str, second: float, **payload: Any) -> dict[str, Any]:
    """A line of a session file of Codex."""
    return {"timestamp": at(second), "type": kind, "payload": payload}


def item(second: float, kind: str, **payload: Any) -> dict[str, Any]:
    return codex("response_item", second, type=kind, **payload)


USED = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 9, "total_tokens": 109}
CODEX = [
    codex(
        "session_meta",
        0,
        id="c-1",
        cwd="/home/ada/shop",
        cli_version="0.65.0",
        git={"commit_hash": "0123456789abcdef0123", "branch": "main"},
    ),
    codex("turn_context", 0.1, model="gpt-5-codex"),
    item(0.2, "message", role="user", content=[{"type": "input_text", "text": "<env>…</env>"}]),
    item(1, "message", role="user", content=[{"type": "input_text", "text": "Fix the cart"}]),
    item(2, "reasoning", summary=[]),
    item(3, "function_call", name="shell", arguments='{"command":["pytest"]}', call_id="f1"),
    codex("event_msg", 3.1, type="token_count", info={"last_token_usage": USED}),
    item(
        5,
        "function_call_output",
        call_id="f1",
        output='{"output":"1 failed","metadata":{"exit_code":1}}',
    ),
    item(7, "message", role="assistant", content=[{"type": "output_text", "text": "Fixed."}]),
    codex("event_msg", 7.1, type="token_count", info={"last_token_usage": USED}),
    item(8, "custom_tool_call", name="apply_patch", input="*** Begin", call_id="f2"),
]
OTEL = {
    "resourceSpans": [
        {
            "resource": {"attributes": []},
            "scopeSpans": [
                {
                    "scope": {"name": "agent"},
                    "spans": [
                        {
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "b7ad6b7169203331",
                            "name": "chat gpt-5",
                            "startTimeUnixNano": "1767225600000000000",
                            "endTimeUnixNano": "1767225601000000000",
                            "attributes": [
                                {
                                    "key": "gen_ai.operation.name",
                                    "value": {"stringValue": "chat"},
                                },
                                {
                                    "key": "gen_ai.usage.input_tokens",
                                    "value": {"intValue": "12"},
                                },
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}


def written(path: Path, lines: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


class Imported:
    """A store, and what importing files into it says."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._capsys = path, capsys

    def __call__(self, *files: Path) -> dict[str, Any]:
        self._capsys.readouterr()
        main(["import", *map(str, files), "--store", str(self._path), "--json"])
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    def runs(self) -> list[RecordedSession]:
        store = SQLiteStore(self._path, readonly=True)
        family = StoreFamily(store)
        try:
            roots = [family.load(r) for r in store.list(Query(roots_only=True))]
            for root in roots:
                root.__dict__["calls"] = list(root.walk())
            return roots
        finally:
            store.close()


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Imported:
    return Imported(tmp_path / "s.db", capsys)


def drawn(run: RecordedSession) -> list[tuple[int, str, str, str]]:
    return [
        (place.depth, each.session_name, each.event_type, each.status)
        for each, place in run.__dict__["calls"]
    ]


def by_name(run: RecordedSession, name: str) -> RecordedSession:
    return next(each for each, _ in run.__dict__["calls"] if each.session_name == name)


def test_a_transcript_of_claude_code(imported: Imported, tmp_path: Path) -> None:
    """A run with model calls, tools with results, and the sub-agent below its tool call."""
    file = written(tmp_path / "t.jsonl", CLAUDE)
    assert imported(file) == {"sessions": 10, "refused": 0}
    (run,) = imported.runs()
    assert run.inputs == {"prompt": "Fix the cart"}
    assert run.outputs == {"answer": "Fixed."}
    assert (run.project, run.source) == ("shop", "claude-code")
    assert drawn(run) == [
        (0, "claude-code", "session", "ok"),
        (1, "model", "model", "ok"),
        (1, "Bash", "tool", "error"),
        (1, "model", "model", "ok"),
        (1, "Task", "tool", "ok"),
        (2, "sub-agent a9", "chain", "ok"),
        (3, "model", "model", "ok"),
        (1, "model", "model", "ok"),
        (1, "model", "model", "ok"),
        (1, "Read", "tool", "interrupted"),
    ]
    bash = by_name(run, "Bash")
    assert (bash.inputs, bash.error, bash.duration) == ({"command": "pytest"}, "1 failed", 2000.0)
    first = by_name(run, "model")
    assert (first.start_time, first.duration) == (run.start_time, 3000.0)
    assert [block["type"] for block in first.outputs["content"]] == ["text", "tool_use"]


def test_tokens_are_those_of_the_replies(imported: Imported, tmp_path: Path) -> None:
    """Each reply once, though its lines repeat them; of Claude Code and of Codex."""
    imported(written(tmp_path / "t.jsonl", CLAUDE), written(tmp_path / "c.jsonl", CODEX))
    store = SQLiteStore(tmp_path / "s.db", readonly=True)
    try:
        family = StoreFamily(store)
        used = {r.source: family.load(r).usage for r in store.list(Query(roots_only=True))}
        assert used["claude-code"].total_tokens == 5 * (100 + 7)
        assert used["codex"].total_tokens == 2 * 109
        assert used["codex"].cached_tokens == 120
        assert set(used["codex"].models) == {"gpt-5-codex"}
    finally:
        store.close()


def test_imported_values_are_masked(imported: Imported, tmp_path: Path) -> None:
    """As if they had been recorded, with the receipt."""
    imported(written(tmp_path / "t.jsonl", CLAUDE))
    assert SECRET.encode() not in (tmp_path / "s.db").read_bytes()
    (run,) = imported.runs()
    masked = [each.details.get("masked") for each, _ in run.__dict__["calls"]]
    assert any(masked)


def test_a_sub_agent_in_a_file_of_its_own(imported: Imported, tmp_path: Path) -> None:
    """It is read with the transcript beside which it lies, and has its place in it."""
    side = [line for line in CLAUDE if line.get("isSidechain")]
    rest = [line for line in CLAUDE if not line.get("isSidechain")]
    file = written(tmp_path / "s-1.jsonl", rest)
    written(tmp_path / "s-1" / "subagents" / "agent-a9.jsonl", side)
    assert imported(file)["sessions"] == 10
    (run,) = imported.runs()
    assert (2, "sub-agent a9", "chain", "ok") in drawn(run)


def test_a_session_of_codex(imported: Imported, tmp_path: Path) -> None:
    """A run with model calls and tools, its commit, and the failure of a command."""
    assert imported(written(tmp_path / "c.jsonl", CODEX)) == {"sessions": 6, "refused": 0}
    (run,) = imported.runs()
    assert run.inputs == {"prompt": "Fix the cart"}
    assert run.outputs == {"answer": "Fixed."}
    assert run.details["commit"] == "0123456789ab"
    assert [row[1:] for row in drawn(run)] == [
        ("codex", "session", "ok"),
        ("model", "model", "ok"),
        ("shell", "tool", "error"),
        ("model", "model", "ok"),
        ("model", "model", "ok"),
        ("apply_patch", "tool", "interrupted"),
    ]
    shell = by_name(run, "shell")
    assert (shell.inputs, shell.error) == ({"command": ["pytest"]}, "exit status 1")


def test_an_older_session_of_codex_and_a_sub_agent(imported: Imported, tmp_path: Path) -> None:
    """Items without an envelope; a session that another one started is below it."""
    head = {"id": "c-0", "timestamp": at(0), "instructions": None}
    imported(written(tmp_path / "old.jsonl", [head, *(line["payload"] for line in CODEX[3:6])]))
    (run,) = imported.runs()
    assert {row[1] for row in drawn(run)} == {"codex", "model", "shell"}

    source = {"subagent": {"thread_spawn": {"parent_thread_id": "c-1"}}}
    inner = [codex("session_meta", 4, id="c-2", cwd="/x", source=source), *CODEX[3:5]]
    imported(written(tmp_path / "c.jsonl", CODEX), written(tmp_path / "i.jsonl", inner))
    names = [row[1] for run in imported.runs() for row in drawn(run)]
    assert names.count("sub-agent") == 1
    assert len(imported.runs()) == 2


@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_opentelemetry(indent: int | None, imported: Imported, tmp_path: Path) -> None:
    """One document a line as a collector writes it, or one over several lines."""
    pytest.importorskip("starlette", reason="the extra `server` reads spans")
    file = tmp_path / "spans.json"
    file.write_text(json.dumps(OTEL, indent=indent))
    assert imported(file)["refused"] == 0
    (run,) = imported.runs()
    assert "chat gpt-5" in [row[1] for row in drawn(run)]


def test_an_import_again_changes_nothing(imported: Imported, tmp_path: Path) -> None:
    """Ids are those of the transcript; a gzipped file is the same."""
    pytest.importorskip("starlette", reason="the extra `server` reads spans")
    files = [written(tmp_path / "t.jsonl", CLAUDE), written(tmp_path / "c.jsonl", CODEX)]
    files.append(written(tmp_path / "o.jsonl", [OTEL]))
    imported(*files)
    before = [drawn(run) for run in imported.runs()]
    zipped = tmp_path / "t.jsonl.gz"
    zipped.write_bytes(gzip.compress(files[0].read_bytes()))
    imported(*files, zipped)
    assert [drawn(run) for run in imported.runs()] == before


def test_files_are_told_by_their_content() -> None:
    """Ours, and text that is none, are read as before."""
    for lines, kind in (
        (CLAUDE, "claude-code"),
        (CLAUDE[1:], "claude-code"),
        (CODEX, "codex"),
        ([OTEL], "otel"),
        ([{"session_name": "x", "start_time": 1}], None),
        ([], None),
    ):
        assert recognised(json.dumps(line).encode() for line in lines) == kind
    assert recognised([b"garbage\n"] * 50) is None


def test_damaged_lines_cost_nothing_else(imported: Imported, tmp_path: Path) -> None:
    """They are counted; strange values in the others are taken as they are."""
    file = written(tmp_path / "t.jsonl", CLAUDE)
    strange = {**CLAUDE[1], "timestamp": 5, "message": {"content": [None, 7, {"type": 3}]}}
    with file.open("a") as more:
        more.write(
            '{"half": \n' + json.dumps(strange) + "\n" + json.dumps({**strange, "message": 1})
        )
    found = imported(file)
    assert found["refused"] == 1
    assert found["sessions"] == 10
