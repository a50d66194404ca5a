"""The examples run as a user runs them: in a new process, in an empty directory, with no key."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "rag_pipeline.py"
QUESTION = "How do I catch several exceptions in one except clause?"
OURS = ("HONEYTRACE_", "HH_", "OPENAI_", "PYTEST_")
DUMP = """
import json, sys, honeytrace
def whole(found):
    return {**found.to_dict(), "children": [whole(child) for child in found.children]}
print(json.dumps(whole(honeytrace.get_session(sys.argv[1])), default=str))
"""


@dataclass
class Run:
    """One run of the pipeline: where, what it printed, and its sessions read back elsewhere."""

    directory: Path
    stdout: str
    sessions: list[dict[str, Any]]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [found for found in self.sessions if found["session_name"] == name]


def python(directory: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `directory`, with nothing of ours in its environment but `env`."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(OURS) and not key.upper().endswith("_PROXY")
    }
    return subprocess.run(
        [sys.executable, *args],
        cwd=directory,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **env},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def printed_lookup(stdout: str) -> list[str]:
    """The arguments of the `python -c …` line the pipeline ends with."""
    return shlex.split(stdout.splitlines()[-1])[1:]


def walk(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield found
    for child in found["children"]:
        yield from walk(child)


def read_back(directory: Path, session_id: str) -> list[dict[str, Any]]:
    """The session and all below it, parents first, as another process finds them."""
    dumped = python(directory, "-c", DUMP, session_id)
    assert dumped.returncode == 0, dumped.stderr
    return list(walk(json.loads(dumped.stdout)))


def run_pipeline(directory: Path, **env: str) -> Run:
    ran = python(directory, str(SCRIPT), **env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    session_id = re.findall(r"get_session\('([^']+)'\)", ran.stdout)[-1]
    return Run(directory, ran.stdout, read_back(directory, session_id))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_pipeline(tmp_path_factory.mktemp("rag"))


def test_prints_questions_answers_and_the_tree(run: Run) -> None:
    """The terminal shows each question with an answer, then every session of the tree."""
    assert len(run.sessions) >= 8
    assert f'Q: {QUESTION}\nA: The "except" clause' in run.stdout
    tree = run.stdout[run.stdout.index("\nrag-demo") :]
    for found in run.sessions:
        assert found["session_name"] in tree


def test_root_keeps_the_questions_and_their_answers(run: Run) -> None:
    """The root holds what was asked and answered, and each answer's own session agrees."""
    root = run.sessions[0]
    answers = run.named("answer")
    assert root["session_name"] == "rag-demo"
    assert root["inputs"]["questions"] == [found["inputs"]["question"] for found in answers]
    assert root["outputs"]["answers"] == [found["outputs"]["result"] for found in answers]
    assert all(root["outputs"]["answers"])


def test_second_process_prints_the_same_tree(run: Run) -> None:
    """The printed command, pasted in the same directory, finds and draws the same sessions."""
    again = python(run.directory, *printed_lookup(run.stdout))
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("rag-demo")
    assert again.stdout.strip() in run.stdout


def test_show_reads_an_earlier_run(run: Run) -> None:
    """`--show ID` prints what the run itself printed after its answers."""
    shown = python(run.directory, str(SCRIPT), "--show", run.sessions[0]["session_id"])
    assert shown.returncode == 0, shown.stderr
    assert run.stdout.endswith(shown.stdout)
    assert shown.stdout.startswith("rag-demo")


def test_show_of_an_unknown_id_says_so(run: Run) -> None:
    """An id nobody recorded ends with a usage error that names the id, not with a traceback."""
    unknown = "00000000-0000-7000-8000-000000000000"
    shown = python(run.directory, str(SCRIPT), "--show", unknown)
    assert shown.returncode == 2
    assert unknown in shown.stderr
    assert "Traceback" not in shown.stderr


def test_failed_search_and_its_retry_are_both_recorded(run: Run) -> None:
    """A question FTS5 cannot parse leaves a failed search beside the one that succeeded."""
    failed, retried = run.named("retrieve")[0]["children"]
    assert failed["inputs"] == {"query": QUESTION}
    assert "OperationalError: fts5: syntax error" in failed["error"]
    assert retried["inputs"]["query"].startswith('"How" OR "do" OR')
    assert "error" not in retried
    assert retried["outputs"]["result"]
    assert "OperationalError: fts5: syntax error" in run.stdout


def test_a_valid_query_is_searched_once(run: Run) -> None:
    """A question that is valid FTS5 syntax needs no retry."""
    assert [found["session_name"] for found in run.named("retrieve")[-1]["children"]] == ["search"]


def test_threads_nest_below_the_stage_that_started_them(run: Run) -> None:
    """Every passage retrieved was scored in a thread, as a child of its own rerank."""
    for retrieve, rerank in zip(run.named("retrieve"), run.named("rerank"), strict=True):
        assert {found["session_name"] for found in rerank["children"]} == {"score"}
        scored = [found["inputs"]["passage"]["text"] for found in rerank["children"]]
        retrieved = [passage["text"] for passage in retrieve["outputs"]["result"]]
        assert sorted(scored) == sorted(retrieved)  # threads may start in any order
        best = max(found["outputs"]["result"] for found in rerank["children"])
        assert rerank["metrics"]["best_score"] == best


def test_streamed_pieces_are_recorded_as_one_answer(run: Run) -> None:
    """`reduce` folds what the generator yielded into the text the caller put together."""
    for generate, answer in zip(run.named("generate"), run.named("answer"), strict=True):
        assert generate["outputs"]["result"].strip() == answer["outputs"]["result"]


def test_judge_finds_quoted_answers_faithful(run: Run) -> None:
    """Sentences quoted from the passages are wholly faithful, and the score is the answer's."""
    for judge, answer in zip(run.named("judge"), run.named("answer"), strict=True):
        assert judge["outputs"]["faithfulness"] == 1.0
        assert answer["metrics"] == judge["outputs"]


@dataclass
class Endpoint:
    """An OpenAI-compatible server on loopback that streams `pieces`, or fails with `status`."""

    pieces: list[str]
    status: int = 200
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def stream(self) -> bytes:
        """Server-sent events as real servers send them: a role first, then text, then usage."""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
        deltas += [{"content": piece} for piece in self.pieces]
        events: list[dict[str, Any]] = [{"choices": [{"delta": delta}]} for delta in deltas]
        events.append({"choices": [], "usage": {"total_tokens": 7}})
        lines = [": keep-alive", *(f"data: {json.dumps(event)}" for event in events)]
        return "\n\n".join([*lines, "data: [DONE]", ""]).encode()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    stub = Endpoint(["Ask", " a librarian", " instead."])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.requests.append((self.path, self.headers["Authorization"], body))
            self.send_response(stub.status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(stub.stream())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stub.url = f"http://127.0.0.1:{server.server_port}/v1/"
        yield stub
        server.shutdown()
        thread.join()


def test_an_openai_compatible_endpoint_writes_the_answers(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """With a URL and a key the prompt goes to the server and its streamed pieces are the answer."""
    run = run_pipeline(tmp_path, OPENAI_BASE_URL=endpoint.url, OPENAI_API_KEY="sk-test")
    assert run.sessions[0]["outputs"]["answers"] == ["Ask a librarian instead."] * 4
    prompts = [found["outputs"]["result"] for found in run.named("build_prompt")]
    assert [body["messages"][0]["content"] for _, _, body in endpoint.requests] == prompts
    assert {(path, key) for path, key, _ in endpoint.requests} == {
        ("/v1/chat/completions", "Bearer sk-test")
    }
    assert run.named("judge")[0]["outputs"]["faithfulness"] < 1.0


def test_a_refusing_endpoint_fails_as_it_would_untraced(endpoint: Endpoint, tmp_path: Path) -> None:
    """An HTTP error ends the program as httpx raised it; the store keeps how far it came."""
    endpoint.status = 401
    ran = python(tmp_path, str(SCRIPT), OPENAI_BASE_URL=endpoint.url, OPENAI_API_KEY="sk-test")
    assert ran.returncode == 1
    assert "httpx.HTTPStatusError: Client error '401 Unauthorized'" in ran.stderr
    newest = "import honeytrace; print(honeytrace.list_sessions(roots_only=True)[0].session_id)"
    sessions = read_back(tmp_path, python(tmp_path, "-c", newest).stdout.strip())
    failed = [
        found["session_name"] for found in sessions if "HTTPStatusError" in str(found.get("error"))
    ]
    assert failed == ["rag-demo", "answer", "generate"]
    kept = [ran.stdout, ran.stderr, json.dumps(sessions)]
    assert not any("sk-test" in text for text in kept)
