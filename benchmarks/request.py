"""The cost of a FastAPI handler that takes the `Request`, traced and untraced, in one run.

    python -m benchmarks.request

The application is called as a server calls it, without a socket, so that nothing else is measured.
Prints microseconds of CPU a request, the caller's thread alone, and what tracing adds.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import fastapi
from fastapi import Request

import honeytrace

ROUNDS, CALLS = 15, 200
HEADERS = {
    "host": "api.example.com",
    "authorization": "Bearer 9f8e7d6c5b4a3210",
    "cookie": "session=0123456789; theme=dark",
    "user-agent": "benchmark/1.0",
    "accept": "application/json",
    "content-type": "application/json",
    "x-request-id": "4f5e",
}


def application() -> fastapi.FastAPI:
    """Return an application of fifty routes, and the two that are measured."""
    app = fastapi.FastAPI()
    for i in range(50):
        app.get(f"/other/{i}")(lambda q=i: q)

    async def answer(request: Request, q: str = "") -> dict[str, str]:
        return {"q": q}

    app.get("/untraced")(answer)
    app.get("/traced")(honeytrace.trace_session(answer))
    return app


def scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"q=honey",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: dict[str, Any]) -> None:
    assert message.get("status", 200) == 200


async def requests(app: Callable[..., Awaitable[None]], path: str) -> float:
    """Return the microseconds of CPU of one request."""
    begin = time.thread_time()
    for _ in range(CALLS):
        await app(scope(path), receive, send)
    return (time.thread_time() - begin) / CALLS * 1e6


async def main() -> None:
    app = application()
    took: dict[str, list[float]] = {"/untraced": [], "/traced": []}
    for path in took:
        await requests(app, path)
    for _ in range(ROUNDS):
        for path, times in took.items():
            times.append(await requests(app, path))
        honeytrace.flush()
    untraced, traced = (min(times) for times in took.values())
    added = [b - a for a, b in zip(took["/untraced"], took["/traced"], strict=True)]
    print(f"untraced {untraced:.0f} us, traced {traced:.0f} us a request")
    print(f"tracing adds {traced - untraced:.0f} us, median {statistics.median(added):.0f} us")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        honeytrace.configure(store=f"{directory}/store.db", journal=f"{directory}/journal")
        asyncio.run(main())
        honeytrace.shutdown()
