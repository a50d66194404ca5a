"""A program like an agent: model calls and tools, in loops, threads, tasks and streams."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from honeytrace import trace_session

ran: list[str] = []
"""The names of functions whose body ran."""


class BusyError(Exception):
    def __init__(self, message: str, *, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True)
class Reading:
    place: str
    value: float


@trace_session(event_type="model")
def ask(text: str) -> str:
    ran.append("ask")
    return f"{text}? {random.random()}"


@trace_session(event_type="tool")
async def weather(place: str, *more: int, unit: str = "C", api_key: str = "") -> Reading:
    ran.append("weather")
    await asyncio.sleep(random.random() * 0.002)
    if place == "p3":
        raise BusyError("slow down", status_code=429)
    return Reading(place, random.random())


@trace_session(event_type="model")
async def stream(seen: list[Reading]) -> AsyncIterator[str]:
    ran.append("stream")
    for reading in seen:
        await asyncio.sleep(0)
        yield f"{reading.place}={reading.value} "


@trace_session(event_type="model", reduce="".join)
def pieces(text: str) -> Iterator[str]:
    ran.append("pieces")
    for word in text.split():
        yield f"{word} {random.random()} "


@trace_session
async def agent(goal: str) -> Any:
    calls = (weather(f"p{i}", i, api_key=f"sk-{random.random()}") for i in range(4))
    got = await asyncio.gather(*calls, return_exceptions=True)
    seen = [each for each in got if isinstance(each, Reading)]
    errors = [(type(e).__name__, str(e), e.status_code) for e in got if isinstance(e, BusyError)]
    text = [piece async for piece in stream(seen)]
    return text, errors, list(pieces(goal)), ask(goal)


@trace_session
def worker(number: int) -> str:
    return ask("always the same")


@trace_session
def in_threads() -> list[str]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(worker, range(8)))


@trace_session
async def branch(number: int) -> str:
    await asyncio.sleep(random.random() * 0.002)
    return ask("always the same")


@trace_session
async def gathered() -> list[str]:
    return await asyncio.gather(*(branch(i) for i in range(8)))


@trace_session(event_type="tool")
async def race(number: int) -> str:
    await asyncio.sleep((4 - number) * 0.002)
    return f"r{number}"


@trace_session
async def as_completed() -> list[str]:
    return [await each for each in asyncio.as_completed([race(i) for i in range(4)])]


class Bot:
    def __init__(self, tone: str) -> None:
        self.tone = tone

    @trace_session(event_type="model")
    def say(self, text: str) -> str:
        ran.append("say")
        return f"{self.tone} {text} {random.random()}"

    @classmethod
    @trace_session(event_type="model")
    def make(cls, text: str) -> str:
        ran.append("make")
        return f"{text} {random.random()}"
