"""A store and its viewer on loopback, and sessions to look at."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from answered import answered
from honeytrace._record.record import RESERVED, Record
from honeytrace.server import Limits, create_app
from honeytrace.server._uvicorn import Server as _Server
from honeytrace.server.run import _bind
from honeytrace.store import Store
from surroundings import environ

START = 1_700_000_000_000.0

HOSTILE = (
    "<script>alert(1)</script> \x1b[31mred \u202egnp.exe &amp; \"'><img src=x onerror=alert(2)>"
)


@contextmanager
def serving(store: Store, port: int = 0, **options: Any) -> Iterator[str]:
    """The URL of the viewer while the block runs; at the end the server has stopped by itself."""
    ready = threading.Event()
    app = create_app(store, **options)
    server = _Server(app, options.get("limits") or Limits(), "", ready.set)
    with _bind("127.0.0.1", port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(30)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def call(
    session_id: str, parent: str | None = None, root: str | None = None, **fields: Any
) -> Record:
    """A finished session; `fields` are those of a startSession payload."""
    own = fields.pop("own", {})
    if parent is not None:
        own = {**own, "parent_id": parent, "root_id": root or parent}
    session = {"start_time": START, "duration": 2.5, **fields}
    session["end_time"] = session["start_time"] + session["duration"]
    session["metadata"] = {**fields.get("metadata", {}), RESERVED: own}
    return answered(session_id, **session)


def pipeline() -> list[Record]:
    """A run with a call inside that retrieves documents, and one that fails."""
    documents = [
        {"text": "A passage about keys.", "score": 0.91, "metadata": {"source": "keys.md"}}
    ]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "why?"}]
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1\nTimeout: too late'
    return [
        call("root", children_ids=["retrieve", "generate"], duration=100.0,
             metrics={"faithfulness": 0.9}, user_properties={"email": "ada@example.com"},
             config={"model": "small"}, metadata={"release": "7"}),
        call("retrieve", "root", session_name="retrieve", start_time=START + 5, duration=20.0,
             outputs={"result": documents}),
        call("generate", "root", session_name="generate", start_time=START + 30, duration=60.0,
             inputs={"messages": messages}, outputs={}, error="Timeout: too late",
             own={"traceback": traceback}),
    ]  # fmt: skip


PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def agent(answer: str = "Take **TP 669**.") -> list[Record]:
    """An agent's run: the model asks for a tool, is told the answer, and says something."""
    flights = [{"flight": "TP 669", "price": 142}, {"flight": "KL 1579", "price": 188}]
    asked = [
        {"role": "system", "content": "You plan trips.\nUse the tools."},
        {"role": "user", "content": [
            {"type": "text", "text": "A flight to Lisbon?"},
            {"type": "image_url", "image_url": {"url": PIXEL}}]},
    ]  # fmt: skip
    function = {"name": "search_flights", "arguments": '{"from": "AMS", "to": "LIS"}'}
    calls = {"role": "assistant", "content": None,
             "tool_calls": [{"id": "c1", "type": "function", "function": function}]}  # fmt: skip
    told = {"role": "tool", "tool_call_id": "c1", "content": orjson.dumps(flights).decode()}
    said = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}

    def reply(message: dict[str, Any]) -> dict[str, Any]:
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"model": "gpt-4o", "choices": [choice], "usage": usage}

    def model(name: str, at: float, messages: list[Any], message: dict[str, Any]) -> Record:
        return call(name, "agent", session_name="chat_completion", start_time=START + at,
                    duration=10.0, inputs={"model": "gpt-4o", "messages": messages},
                    outputs=reply(message), config={"model": "gpt-4o"},
                    own={"event_type": "model"})  # fmt: skip

    return [
        call("agent", session_name="plan_trip", duration=50.0, inputs={"question": "A flight?"},
             outputs={"result": answer}, children_ids=["m1", "search", "m2"],
             user_properties={"user_id": "ada"}, metadata={"conversation_id": "trip-1"}),
        model("m1", 1, asked, calls),
        call("search", "agent", session_name="search_flights", start_time=START + 12,
             duration=7.0, inputs={"from": "AMS", "to": "LIS"}, outputs={"result": flights},
             own={"event_type": "tool"}),
        model("m2", 20, [*asked, calls, told], said),
    ]  # fmt: skip


def ids(html: str) -> list[str]:
    """The sessions in a list's HTML, in order."""
    return re.findall(r'<tr class="row" data-id="([^"]*)"', html)


def many(count: int, **fields: Any) -> list[Record]:
    """Runs a second apart, the oldest first."""
    return [call(f"s{n:04}", start_time=START + n * 1000, **fields) for n in range(count)]


def wide(count: int) -> list[Record]:
    """A run with `count` calls inside, ten deep: each tenth call's parent is the run."""
    children: dict[str, list[str]] = {}
    parents = {}
    for n in range(count):
        parent = "root" if n % 10 == 0 else f"c{n - 1:05}"
        parents[f"c{n:05}"] = parent
        children.setdefault(parent, []).append(f"c{n:05}")
    inside = [
        call(name, parent, "root", session_name=f"step {name[1:]}", start_time=START + n,
             duration=10.0, children_ids=children.get(name, []))
        for n, (name, parent) in enumerate(parents.items())
    ]  # fmt: skip
    return [call("root", children_ids=children["root"], duration=count + 10.0), *inside]


def as_json(text: str) -> Any:
    return orjson.loads(text)


def looked_up(store: str | Path, session_id: str) -> dict[str, Any]:
    """The session as another process gets it, by `get_session`."""
    code = (
        "import json, sys, honeytrace as h; print(json.dumps(h.get_session(sys.argv[1]).to_dict()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, session_id],
        env=environ(HONEYTRACE_STORE=str(store)),
        capture_output=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = orjson.loads(ran.stdout)
    return found
