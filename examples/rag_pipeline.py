"""Answer questions about Python from the reference Python ships, and record every stage.

    python examples/rag_pipeline.py              # ask, record, read back, print the tree
    python examples/rag_pipeline.py --show ID    # look a recorded session up again

Retrieve (SQLite FTS5) → rerank (in threads) → prompt → generate (streamed) → judge. Answers are
quoted sentences, so it runs offline; export OPENAI_BASE_URL and OPENAI_API_KEY (and OPENAI_MODEL)
to have any OpenAI-compatible server write them instead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pprint import pformat
from pydoc_data.topics import topics
from typing import NamedTuple

import httpx

import honeytrace
from honeytrace import current_session, get_session, session, trace_session
from honeytrace.errors import SessionNotFound

QUESTIONS = [
    "How do I catch several exceptions in one except clause?",
    "What happens when a finally clause executes a return statement?",
    "When are default parameter values evaluated?",
    '"weak references" AND __slots__',  # FTS5 syntax, so its first search succeeds
]
SENTENCE_END = re.compile(r'(?<=[.!?])\s+(?=[A-Z"“])')
WIDTH = 100
STOP_WORDS = {"does", "from", "that", "this", "what", "when", "which", "with"}


class Passage(NamedTuple):
    """A paragraph of the Python reference and the help() topic it stands in."""

    topic: str
    text: str


def terms(text: str) -> set[str]:
    """The words that carry meaning, without their endings, so that `exceptions` meets `except`."""
    words = set(re.findall(r"\w{4,}", text.lower())) - STOP_WORDS
    return {re.sub(r"(?<=\w{3})(ions?|ing|ed|es|e|s)$", "", word) for word in words}


def overlap(wanted: set[str], text: str) -> float:
    """The share of `wanted` that `text` contains, from 0 to 1."""
    return len(wanted & terms(text)) / max(1, len(wanted))


@trace_session(capture_inputs=False)
def build_index(db: sqlite3.Connection) -> int:
    """Split every topic into paragraphs of prose and index them; return how many there are."""
    paragraphs = {  # keyed by text, since topics share sections
        " ".join(block.split()): topic
        for topic, body in topics.items()
        for block in re.sub(r"\b-\n", "-", body).split("\n\n")
        if len(block) > 120 and not block.startswith(" ")  # indented blocks are code and grammar
    }
    db.execute("CREATE VIRTUAL TABLE passage USING fts5(text, topic, tokenize = 'porter')")
    db.executemany("INSERT INTO passage VALUES (?, ?)", paragraphs.items())
    return len(paragraphs)


def open_index() -> sqlite3.Connection:
    """A database in memory with the index; a replay of `answer` needs one, too."""
    db = sqlite3.connect(":memory:")
    build_index(db)
    return db


@trace_session(capture_inputs=["query"])
def search(db: sqlite3.Connection, query: str) -> list[Passage]:
    """The six best passages for an FTS5 query; sqlite3.OperationalError when it is not one."""
    sql = "SELECT topic, text FROM passage WHERE passage MATCH ? ORDER BY rank LIMIT 6"
    return [Passage(*row) for row in db.execute(sql, (query,))]


@trace_session(capture_inputs=["question"])
def retrieve(db: sqlite3.Connection, question: str) -> list[Passage]:
    """Search as typed, so that phrases, AND and prefix* work; else for any of the words, quoted."""
    try:
        return search(db, question)
    except sqlite3.OperationalError:
        words = re.findall(r"\w+", question)
        return search(db, " OR ".join(f'"{word}"' for word in words))


@trace_session
def score(question: str, passage: Passage) -> float:
    """How well the passage's best sentence covers the question, from 0 to 1."""
    return max(overlap(terms(question), part) for part in SENTENCE_END.split(passage.text))


@trace_session
def rerank(question: str, passages: list[Passage], keep: int = 3) -> list[Passage]:
    """Score the passages in threads, as one would with a remote model, and keep the best."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        scores = dict(zip(passages, pool.map(partial(score, question), passages), strict=True))
    current_session().update(metrics={"best_score": max(scores.values(), default=0.0)})
    return sorted(passages, key=scores.__getitem__, reverse=True)[:keep]


@trace_session
def build_prompt(question: str, passages: list[Passage]) -> str:
    """The instruction, the numbered passages, the question."""
    context = "\n\n".join(f"[{n}] ({p.topic}) {p.text}" for n, p in enumerate(passages, start=1))
    return f"Answer in two sentences, from these passages alone.\n\n{context}\n\nQ: {question}\nA:"


def quote(question: str, passages: list[Passage], count: int = 2) -> Iterator[str]:
    """The sentences that cover most of the question, in the order they stand in the passages."""
    wanted = terms(question)
    candidates = dict.fromkeys(s for passage in passages for s in SENTENCE_END.split(passage.text))
    best = sorted(candidates, key=partial(overlap, wanted), reverse=True)[:count]
    yield from (f"{sentence} " for sentence in candidates if sentence in best)


def complete(prompt: str) -> Iterator[str]:
    """Stream one chat completion (server-sent events) from the server in OPENAI_BASE_URL."""
    request = {
        "model": os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
    }
    url = os.environ["OPENAI_BASE_URL"].rstrip("/") + "/chat/completions"
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    with httpx.stream("POST", url, json=request, headers=headers, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            field, _, value = line.partition(":")
            if field == "data" and value.strip() != "[DONE]":
                for choice in json.loads(value)["choices"]:
                    yield choice["delta"].get("content") or ""


@trace_session(reduce="".join)
def generate(question: str, prompt: str, passages: list[Passage]) -> Iterator[str]:
    """Yield the answer piece by piece; the record keeps the pieces joined."""
    if os.environ.get("OPENAI_BASE_URL") and os.environ.get("OPENAI_API_KEY"):
        yield from complete(prompt)
    else:
        yield from quote(question, passages)


@trace_session
def judge(question: str, answer: str, passages: list[Passage]) -> dict[str, float]:
    """Grade the answer: said by the passages (faithfulness), and on the question (relevance)."""
    return {
        "faithfulness": overlap(terms(answer), " ".join(p.text for p in passages)),
        "relevance": overlap(terms(question), answer),
    }


@trace_session(capture_inputs=["question"])
def answer(db: sqlite3.Connection, question: str) -> str:
    """The whole pipeline for one question."""
    passages = rerank(question, retrieve(db, question))
    text = "".join(generate(question, build_prompt(question, passages), passages)).strip()
    current_session().update(metrics=judge(question, text, passages))
    return text


def ask(questions: list[str]) -> str:
    """Answer the questions aloud; return the id of the session that recorded it all."""
    inputs = {"questions": questions}
    with session("rag-demo", inputs=inputs) as run, closing(open_index()) as db:
        answers = []
        for question in questions:
            answers.append(answer(db, question))
            print(f"Q: {question}", textwrap.fill(f"A: {answers[-1]}", WIDTH), "", sep="\n")
        run.outputs = {"answers": answers}
    return run.session_id


def main() -> None:
    """Ask, or with --show look up what an earlier run recorded; print it as stored."""
    parser = argparse.ArgumentParser(description="A traced retrieval-augmented pipeline.")
    parser.add_argument("--show", metavar="ID", help="print the recorded session with this id")
    session_id = parser.parse_args().show or ask(QUESTIONS)
    honeytrace.flush()
    try:
        found = get_session(session_id)
    except SessionNotFound as missing:
        parser.error(str(missing))
    last = [found, *found.children][-1]
    print(found.tree(), "\nThe last call in it, as stored:", sep="\n")
    print(pformat(last.to_dict(), width=WIDTH, sort_dicts=False))
    lookup = f"import honeytrace; print(honeytrace.get_session('{session_id}').tree())"
    print(f'\nFrom any other process:\n{sys.executable} -c "{lookup}"')


if __name__ == "__main__":
    main()
