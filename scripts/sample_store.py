"""A store of made-up sessions that looks like a week of a support bot, for pictures and trials.

    python scripts/sample_store.py PATH [RUNS]

The same numbers give the same sessions; only the day moves, so that the newest is a moment old.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from honeytrace._record.record import RESERVED, Record
from honeytrace._record.wire import from_start_session
from honeytrace.store.sqlite import SQLiteStore

QUESTIONS = {
    "How do I rotate the API key of a project without downtime?": (
        "Create a second key first, deploy it everywhere, and revoke the old one when its time of "
        "last use stops moving. Both are valid at once, so nothing is refused in between."
    ),
    "Why does my webhook get the same event twice?": (
        "Delivery is at least once: an endpoint that answers after ten seconds counts as failed "
        "and is called again. Compare the event_id with those you have seen, and drop repeats."
    ),
    "Can I move a workspace from the US region to the EU?": (
        "Yes. Start a migration in the workspace's settings; it is read-only for about fifteen "
        "minutes, and every id stays as it is."
    ),
    "What happens to my data when I delete a user?": (
        "What the user created stays with the workspace; the profile itself is erased after 30 "
        "days, and until then an owner can restore it."
    ),
    "How long are audit logs kept on the business plan?": (
        "For 365 days. Older entries can be exported to a bucket of yours before they are deleted."
    ),
    "Which addresses do I have to allow for outgoing webhooks?": (
        "Requests come from three fixed addresses, listed under Settings → Network. A change is "
        "announced 60 days ahead."
    ),
}
PASSAGES = {
    "keys/rotation.md": (
        "A project may hold two active keys. Rotation creates the second one; the first keeps "
        "working until it is revoked, so that deployments can overlap."
    ),
    "webhooks/retries.md": (
        "An endpoint has ten seconds to answer with a 2xx status. Otherwise the event is "
        "delivered again after 1, 5 and 30 minutes, with the same event_id."
    ),
    "security/audit.md": (
        "Each use of a key is logged with its time, address and scope. The time of last use is "
        "updated within a minute."
    ),
    "regions/moving.md": (
        "Moving copies all records, then switches the workspace over. Ids do not change; links "
        "in messages keep working."
    ),
}
USERS = {
    "Ada": "ada@northwind.example",
    "Björn": "bjorn@fjell.example",
    "Chen": "chen@lotus.example",
    "Dalia": "dalia@acme.example",
}
SYSTEM = (
    "You answer questions about Northwind from the passages alone. Say so when they do not help."
)
ERROR = "UpstreamTimeout: no token within 10 s"
TRACEBACK = f"""Traceback (most recent call last):
  File "bot/generate.py", line 48, in generate
    reply = client.chat(messages, timeout=10)
  File "bot/client.py", line 112, in chat
    raise UpstreamTimeout(f"no token within {{timeout:g}} s")
{ERROR}"""


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
    rng: random.Random, start: float, number: int, *, failing: bool, new: bool
) -> Writer:
    """One question through the whole pipeline; the new release expands the question first."""
    w = Writer(rng, start, "support-bot", rng.choice(["prod", "prod", "prod", "staging"]))
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
    passages = [
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
    found = {"result": passages}
    retrieve = w.call("retrieve", root, search + 6, inputs={**asked, "k": 4}, outputs=found)
    w.clock += 2
    w.call("embed", retrieve, search * 0.4, inputs={"texts": [question]}, metrics={"tokens": 14})
    w.clock += search * 0.4 + 1
    query = {"index": "help-centre", "k": 24}
    w.call("vector_search", retrieve, search * 0.5, inputs=query, outputs={"hits": 24})
    w.clock += search * 0.6 + 3
    rerank = w.call("rerank", root, rank, inputs=asked, outputs={"kept": 4})
    for each in passages:
        w.clock += 3
        took = rank * rng.uniform(0.55, 0.85)
        source, score = each["metadata"]["source"], each["score"]
        w.call("score", rerank, took, inputs={"passage": source}, outputs={"result": score})
    w.clock += rank - 9
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    said = {"message": {"role": "assistant", "content": reply}}
    tokens = {"prompt_tokens": 412, "completion_tokens": rng.randint(30, 90)}
    outcome = failure or {"outputs": said, "metrics": tokens}
    w.call("generate", root, think, inputs={"messages": messages}, config=model, **outcome)
    w.clock += think
    if not failing:
        inputs = {**asked, "answer": reply}
        w.call("judge", root, rng.uniform(150, 180), inputs=inputs, outputs=grades)
    return w


FLIGHTS = [
    {"flight": "TP 669", "departs": "07:05", "arrives": "09:00", "stops": 0, "price": 142.5},
    {"flight": "KL 1579", "departs": "09:35", "arrives": "11:30", "stops": 0, "price": 188.0},
    {"flight": "LH 2303", "departs": "06:40", "arrives": "11:15", "stops": 1, "price": 121.9},
]
DOT = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAIAAABxZ0isAAAAdklEQVR42g3JIQ4AIQwEwHvnaTQajbtkFWkwVCBW"
    "tq7BYnnWMXaeFydhZ6wCryAwOtrE97xykuwsq4hXIWR0aVNu6Em6s66iXpXQ0bVNvcGTuDNXoVcSHJ1t8oadZDvb"
    "KubVCBvd2rQbcVLsHKuE1yBi9Ggzvh9y2lUJUVVwjQAAAABJRU5ErkJggg=="
)
"""A small picture."""
PLAN = """## Amsterdam → Lisbon, 12 December

The **direct** morning flight is the best fit:

| flight | departs | arrives | price |
|---|---|---|---|
| TP 669 | 07:05 | 09:00 | €142.50 |
| KL 1579 | 09:35 | 11:30 | €188.00 |

1. Book `TP 669` before Friday; the fare ends then.
2. The hotel on your photo is *two stops* from the airport by metro.
"""


def agent_run(rng: random.Random, start: float, number: int) -> Writer:
    """An agent that plans a trip with two tools, and calls the model three times."""
    w = Writer(rng, start, "trip-planner", "prod")
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

    def think(took: float, said: dict[str, Any], tokens: tuple[int, int]) -> None:
        usage = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
        usage["total_tokens"] = sum(tokens)
        reply = {"model": "gpt-4o", "choices": [{"index": 0, "message": said}], "usage": usage}
        w.call(
            "chat_completion",
            root,
            took,
            inputs={"model": "gpt-4o", "messages": list(messages)},
            outputs=reply,
            config={"model": "gpt-4o", "provider": "openai"},
            own={"event_type": "model"},
        )
        w.clock += took + 2
        messages.append(said)

    def tool(name: str, took: float, arguments: dict[str, Any], result: Any) -> None:
        w.call(
            name, root, took, inputs=arguments, outputs={"result": result},
            own={"event_type": "tool"},
        )  # fmt: skip
        w.clock += took + 2
        content = str(result) if isinstance(result, str) else orjson.dumps(result).decode()
        messages.append({"role": "tool", "tool_call_id": f"call_{name}", "content": content})

    def asks(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
        call = {"id": f"call_{name}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    w.clock += 3
    route = {"from": "AMS", "to": "LIS", "date": "2026-12-12", "before": "noon"}
    think(rng.uniform(700, 1100), asks("search_flights", route), (812, 46))
    tool("search_flights", rng.uniform(240, 420), route, FLIGHTS)
    place = {"query": "Hotel Aurora, Lisbon"}
    think(rng.uniform(500, 800), asks("find_hotel", place), (1_204, 31))
    tool("find_hotel", rng.uniform(90, 160), place, "Two metro stops from the airport (red line).")
    think(rng.uniform(1500, 2400), {"role": "assistant", "content": PLAN}, (1_477, 164))
    root["duration"] = w.clock - root["start_time"]
    root["end_time"] = round(w.clock)
    root["outputs"] = {"result": PLAN}
    return w


def indexing_run(rng: random.Random, start: float) -> Writer:
    """A nightly job: another project, many like calls."""
    w = Writer(rng, start, "indexer", "cron")
    done = {"documents": 18}
    root = w.call("nightly-index", None, 4200, inputs={"since": "yesterday"}, outputs=done)
    for i in range(18):
        took = rng.gauss(190, 40)
        path = list(PASSAGES)[i % 4]
        chunks = {"chunks": rng.randint(3, 40)}
        w.call("index_document", root, took, inputs={"path": path}, outputs=chunks)
        w.clock += took + 20
    return w


def fill(path: str | Path, runs: int = 240, newest: float | None = None) -> list[Writer]:
    """Write the sessions of a week, of which the newest starts at `newest` (epoch seconds; by
    default a moment ago); returns the runs, oldest first."""
    rng = random.Random(7)
    end = (time.time() - 12 if newest is None else newest) * 1000
    step = 6 * 24 * 3_600_000 / runs
    made = []
    for i in range(runs):
        start = end - (runs - 1 - i) * step - (rng.random() * step * 0.8 if i < runs - 1 else 0)
        if i % 31 == 30:
            made.append(indexing_run(rng, start))
        elif i % 11 == 7 or i == runs - 2:
            made.append(agent_run(rng, start, i))
        else:
            made.append(
                answer_run(rng, start, i, failing=i % 17 == 11 or i == runs - 4, new=i >= runs - 6)
            )
    store = SQLiteStore(path)
    for run in made:
        store.insert(list(run.records()))
    store.close()
    return made


if __name__ == "__main__":
    fill(sys.argv[1], *map(int, sys.argv[2:]))
