"""A sample for a store that is empty: made-up runs of a support bot and of an agent, with failures.

The sessions are written as a program would have recorded them, in the project `sample`.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..._record.record import RESERVED, Record
from ..._record.wire import from_start_session
from ._sample_texts import DOT, ERROR, FLIGHTS, PASSAGES, PLAN, QUESTIONS, SYSTEM, TRACEBACK, USERS

__all__ = ["Writer", "agent_run", "answer_run", "sample"]

_RUNS = 24
"""Number of runs in the sample, one every hour."""


@dataclass
class Writer:
    """Makes the calls of one run, one after the other."""

    rng: random.Random
    clock: float
    """Epoch milliseconds: where the next call starts."""
    project: str
    source: str
    sessions: list[dict[str, Any]] = field(default_factory=list)

    def call(
        self, name: str, parent: dict[str, Any] | None, ms: float, **fields: Any
    ) -> dict[str, Any]:
        """A call that starts now and takes `ms`; the clock stays where it is."""
        session_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        own = fields.pop("own", {})
        if parent is not None:
            root_id = self.sessions[0]["session_id"]
            own = {**own, "parent_id": parent["session_id"], "root_id": root_id}
            parent["children_ids"].append(session_id)
        session = {
            "session_id": session_id,
            "project": self.project,
            "source": self.source,
            "session_name": name,
            "start_time": self.clock,
            "end_time": round(self.clock + ms),
            "duration": ms,
            "children_ids": [],
            **fields,
            "metadata": {**fields.get("metadata", {}), RESERVED: own},
        }
        self.sessions.append(session)
        return session

    def records(self) -> Iterator[Record]:
        """As they arrive: the innermost first."""
        return (from_start_session(each, lambda: "") for each in reversed(self.sessions))


def answer_run(
    rng: random.Random,
    start: float,
    number: int,
    *,
    failing: bool,
    new: bool,
    project: str = "support-bot",
) -> Writer:
    """One question through the whole pipeline; the new release expands the question first."""
    w = Writer(rng, start, project, rng.choice(["prod", "prod", "prod", "staging"]))
    question, reply = list(QUESTIONS.items())[number % len(QUESTIONS)]
    user, email = list(USERS.items())[number % len(USERS)]
    search, rank, think = (
        rng.gauss(46, 9),
        rng.gauss(160, 30),
        max(300, rng.lognormvariate(6.9, 0.4)),
    )
    failure: dict[str, Any] = {}
    if failing:
        think = 10_004.2
        causes = ["ConnectionError: read timed out"]
        failure = {"error": ERROR, "own": {"traceback": TRACEBACK, "causes": causes}}
    passages: list[dict[str, Any]] = [
        {"text": text, "metadata": {"source": path}, "score": round(0.93 - i / 9, 3)}
        for i, (path, text) in enumerate(PASSAGES.items())
    ]
    grades = {
        "faithfulness": round(rng.uniform(0.7, 1), 3),
        "relevance": round(rng.uniform(0.6, 1), 3),
    }
    asked = {"question": question}
    model = {"model": "gpt-4o-mini", "temperature": 0.2}
    outcome = failure or {"outputs": {"result": reply}, "metrics": {**grades, "grounded": True}}
    root = w.call(
        "answer",
        None,
        (45 if new else 14) + search + rank + think + (0 if failing else 180),
        inputs=asked,
        user_properties={"name": user, "email": email, "plan": rng.choice(["team", "business"])},
        config={**model, "top_k": 6 if new else 4},
        metadata={"release": "2026.11.4" if new else "2026.11.3"},
        **outcome,
    )
    w.clock += 4
    if new:
        words = {"result": question.lower().rstrip("?").split()[-4:]}
        w.call("expand_question", root, 31.0, inputs=asked, outputs=words)
        w.clock += 31
    _retrieve(w, root, asked, passages, search)
    _rerank(w, root, asked, passages, rank)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    said = {"message": {"role": "assistant", "content": reply}}
    tokens = {"prompt_tokens": 412, "completion_tokens": rng.randint(30, 90)}
    outcome = failure or {"outputs": said, "metrics": tokens}
    generate = w.call(
        "generate", root, think, inputs={"messages": messages}, config=model, **outcome
    )
    w.clock += think
    if failing:
        own = root["metadata"][RESERVED]
        root["metadata"][RESERVED] = {**own, "raised_in": generate["session_id"]}
    else:
        inputs = {**asked, "answer": reply}
        w.call("judge", root, rng.uniform(150, 180), inputs=inputs, outputs=grades)
    return w


def _retrieve(
    w: Writer, root: dict[str, Any], asked: dict[str, Any], passages: Any, took: float
) -> None:
    """Write the search for passages, with the embedding of the question."""
    found = {"result": passages}
    retrieve = w.call("retrieve", root, took + 6, inputs={**asked, "k": 4}, outputs=found)
    w.clock += 2
    texts = {"texts": [asked["question"]]}
    w.call("embed", retrieve, took * 0.4, inputs=texts, metrics={"tokens": 14})
    w.clock += took * 0.4 + 1
    query = {"index": "help-centre", "k": 24}
    w.call("vector_search", retrieve, took * 0.5, inputs=query, outputs={"hits": 24})
    w.clock += took * 0.6 + 3


def _rerank(
    w: Writer, root: dict[str, Any], asked: dict[str, Any], passages: Any, took: float
) -> None:
    """Write the scores of all passages, which are made side by side."""
    rerank = w.call("rerank", root, took, inputs=asked, outputs={"kept": 4})
    for each in passages:
        w.clock += 3
        source, score = each["metadata"]["source"], each["score"]
        scored = {"inputs": {"passage": source}, "outputs": {"result": score}}
        w.call("score", rerank, took * w.rng.uniform(0.55, 0.85), **scored)
    w.clock += took - 9


class _Agent:
    """Writes the steps of an agent, whose messages grow with each of them."""

    def __init__(self, w: Writer, root: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        self._w, self._root, self._messages = w, root, messages

    def think(self, took: float, said: dict[str, Any], tokens: tuple[int, int]) -> None:
        """Write a call of the model."""
        usage = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
        usage["total_tokens"] = sum(tokens)
        reply = {"model": "gpt-4o", "choices": [{"index": 0, "message": said}], "usage": usage}
        self._w.call(
            "chat_completion",
            self._root,
            took,
            inputs={"model": "gpt-4o", "messages": list(self._messages)},
            outputs=reply,
            config={"model": "gpt-4o", "provider": "openai"},
            own={"event_type": "model"},
        )
        self._w.clock += took + 2
        self._messages.append(said)

    def tool(self, name: str, took: float, arguments: dict[str, Any], result: Any) -> None:
        """Write a call of a tool."""
        passed = {"inputs": arguments, "outputs": {"result": result}}
        self._w.call(name, self._root, took, **passed, own={"event_type": "tool"})
        self._w.clock += took + 2
        content = result if isinstance(result, str) else orjson.dumps(result).decode()
        answer = {"role": "tool", "tool_call_id": f"call_{name}", "content": content}
        self._messages.append(answer)


def _asks(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the message in which the model asks for a tool."""
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    call = {"id": f"call_{name}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def agent_run(
    rng: random.Random, start: float, number: int, project: str = "trip-planner"
) -> Writer:
    """An agent that plans a trip with two tools, and calls the model three times."""
    w = Writer(rng, start, project, "prod")
    user, email = list(USERS.items())[number % len(USERS)]
    question = "Find me a morning flight from Amsterdam to Lisbon, and is this hotel near?"
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You plan trips. Use the tools; never invent a flight."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": question},
                {"type": "image_url", "image_url": {"url": DOT}},
            ],
        },
    ]
    root = w.call(
        "plan_trip",
        None,
        0,
        inputs={"question": question},
        user_properties={"name": user, "email": email},
        metadata={"conversation_id": f"trip-{number % 7}"},
    )

    agent = _Agent(w, root, messages)
    w.clock += 3
    route = {"from": "AMS", "to": "LIS", "date": "2026-12-12", "before": "noon"}
    agent.think(rng.uniform(700, 1100), _asks("search_flights", route), (812, 46))
    agent.tool("search_flights", rng.uniform(240, 420), route, FLIGHTS)
    place = {"query": "Hotel Aurora, Lisbon"}
    agent.think(rng.uniform(500, 800), _asks("find_hotel", place), (1_204, 31))
    near = "Two metro stops from the airport (red line)."
    agent.tool("find_hotel", rng.uniform(90, 160), place, near)
    agent.think(rng.uniform(1500, 2400), {"role": "assistant", "content": PLAN}, (1_477, 164))
    root["duration"] = w.clock - root["start_time"]
    root["end_time"] = round(w.clock)
    root["outputs"] = {"result": PLAN}
    return w


def sample() -> Iterator[Record]:
    """Yield the sessions of a day, whose newest run began a moment ago."""
    rng = random.Random(11)
    now = time.time() * 1000
    for number in range(_RUNS):
        start = now - 15_000 - (_RUNS - 1 - number) * 3_600_000
        if number % 4 == 3:
            run = agent_run(rng, start, number, "sample")
        else:
            failing, new = number % 7 == 5, number >= _RUNS // 2
            run = answer_run(rng, start, number, failing=failing, new=new, project="sample")
        yield from run.records()
