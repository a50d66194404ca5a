"""Runs a traced pipeline and prints its root's id and tree; with an id, prints that one's tree."""

from __future__ import annotations

import sys

import honeytrace
from honeytrace import get_session, trace_session


@trace_session
def embed(text: str) -> list[float]:
    return [float(len(text))]


@trace_session
def rank(vector: list[float]) -> list[str]:
    return ["chunk"] * len(vector)


@trace_session
def retrieve(question: str) -> list[str]:
    return rank(embed(question))


@trace_session
def guess() -> str:
    raise ValueError("no idea")


@trace_session
def generate(context: list[str]) -> str:
    return " ".join(context)


@trace_session
def ask(question: str) -> tuple[str, str]:
    context = retrieve(question)
    try:
        answer = guess()
    except ValueError:
        answer = generate(context)
    current = honeytrace.current_session()
    return current.session_id, answer


if len(sys.argv) > 1:
    root = sys.argv[1]
else:
    root, _ = ask("why?")
    print(root)
print(get_session(root).tree())
