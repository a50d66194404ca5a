"""A service under load, traced and untraced: `python -m benchmarks.service`; needs `wrk`, and
`--fastapi` FastAPI.

A Starlette application whose handler takes a question and passages of 4 KB and answers with 0.6 KB,
served by uvicorn in one process; with `--fastapi` a FastAPI application that validates both by a
model, as most do. The floor is the hand-written tracer of `floor`, which delivers nothing. All
variants run all the time and are loaded in turn, in short rounds, after a second that does not
count; ratios are taken round by round. `--latency` has the handler wait first, as for a model.

A third part measures an event loop that nobody asks anything of wrk: how late a timer of 1 ms
fires while calls are made beside it, traced and untraced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import floor
from .contenders import start
from .workloads import _RAG_IN, _RAG_OUT, QUESTION

LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
"""
VARIANTS = ("untraced", "floor", "traced")
SELF = [sys.executable, "-m", "benchmarks.service"]


def starlette(handled: Callable[..., Any]) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def ask(request: Request) -> JSONResponse:
        return JSONResponse(await handled(**await request.json()))

    return Starlette(routes=[Route("/", ask, methods=["POST"])])


def fastapi(handled: Callable[..., Any]) -> Any:
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Passage(BaseModel):
        id: str
        score: float
        text: str

    class Answer(BaseModel):
        role: str
        content: str
        usage: dict[str, int]

    class Question(BaseModel):
        question: str
        passages: list[Passage]

    async def ask(asked: Any) -> Any:
        return await handled(**asked.model_dump())

    ask.__annotations__["asked"] = Question  # a name here is none to FastAPI
    app = FastAPI()
    app.post("/", response_model=Answer)(ask)
    return app


def decorator(variant: str) -> Callable[[Any], Any]:
    from honeytrace import trace_session

    if variant == "floor":
        floor.QUEUE = deque(maxlen=5_000)
    plain: Callable[[Any], Any] = lambda fn: fn  # noqa: E731
    return {"untraced": plain, "floor": floor.floor, "traced": trace_session}[variant]


def serve(variant: str, latency: float, framework: Callable[..., Any]) -> None:
    """The service itself, on a free port that it prints."""
    import socket

    import uvicorn

    async def answer(question: str, passages: list[dict[str, Any]]) -> dict[str, Any]:
        if latency:
            await asyncio.sleep(latency)
        return _RAG_OUT

    # named as TCP, or asyncio does not switch Nagle's algorithm off
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    app = framework(decorator(variant)(answer))
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run([listening])


def load(url: str, script: Path, seconds: float, connections: int) -> dict[str, float]:
    """Requests a second, and the percentiles of their latency in ms, by wrk."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    found = {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])}  # type: ignore[index]
    for percent in ("50", "99"):
        value, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
        found[f"p{percent}"] = float(value) * units[unit]
    if "Non-2xx" in said:
        raise RuntimeError(said)
    return found


def lateness(variant: str, seconds: float) -> float:
    """The 99th percentile, in ms, of how late a timer of 1 ms fires beside calls that go on."""

    async def answer(question: str, passages: list[dict[str, Any]]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return _RAG_OUT

    handled = decorator(variant)(answer)
    late: list[float] = []

    async def busy() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.gather(*[handled(QUESTION, _RAG_IN) for _ in range(20)])
            await asyncio.sleep(0.02)

    async def timer(working: asyncio.Task[None]) -> None:
        while not working.done():
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - begin) * 1000 - 1)

    async def both() -> None:
        await timer(asyncio.create_task(busy()))

    asyncio.run(both())
    return statistics.quantiles(late, n=100)[98]


def measured(
    rounds: int, seconds: float, latency: float, connections: int, more: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        script = Path(home) / "post.lua"
        script.write_text(LUA % json.dumps({"question": QUESTION, "passages": _RAG_IN}))
        running = {
            variant: start(
                [*SELF, "--serve", variant, "--latency", str(latency), *more], home, stderr=None
            )
            for variant in VARIANTS
        }
        try:
            urls = {v: p.stdout.readline().strip() for v, p in running.items()}  # type: ignore[union-attr]
            for turn in range(rounds):
                for variant in VARIANTS if turn % 2 else reversed(VARIANTS):
                    load(urls[variant], script, 1, connections)
                    result = load(urls[variant], script, seconds, connections)
                    found[variant].append(result)
        finally:
            for process in running.values():
                process.terminate()
                process.wait()
    return found


def timers(rounds: int, seconds: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for _ in range(rounds):
            for variant in VARIANTS:
                command = [*SELF, "--timer", variant, "--seconds", str(seconds)]
                process = start(command, home)
                found[variant].append(float(process.communicate()[0]))
    return found


def row(name: str, found: dict[str, list[float]]) -> str:
    untraced = found["untraced"]
    cells = [f"{statistics.median(untraced):,.2f}"]
    for variant in VARIANTS[1:]:
        change = [(t / u - 1) * 100 for t, u in zip(found[variant], untraced, strict=True)]
        spread = f"{statistics.median(change):+.1f} % ({min(change):+.1f} to {max(change):+.1f})"
        cells += [f"{statistics.median(found[variant]):,.2f}", spread]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a handler waits")
    parser.add_argument("--fastapi", action="store_true", help="in place of Starlette")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--serve", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--timer", choices=VARIANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.latency, fastapi if args.fastapi else starlette)
        return
    if args.timer:
        print(lateness(args.timer, args.seconds))
        return
    more = ["--fastapi"] * args.fastapi
    found = measured(args.rounds, args.seconds, args.latency, args.connections, more)
    late = timers(args.rounds, args.seconds)
    if args.json:
        args.json.write_text(json.dumps({"load": found, "timer_p99_ms": late}, indent=1))
    print("| | untraced | floor | change | traced | change, round by round |\n" + "|---" * 6 + "|")
    names = {"rps": "requests a second", "p50": "p50, ms", "p99": "p99, ms"}
    for key, name in names.items():
        print(row(name, {variant: [r[key] for r in found[variant]] for variant in VARIANTS}))
    print(row("a timer of 1 ms fires late by, p99, ms", late))


if __name__ == "__main__":
    main()
