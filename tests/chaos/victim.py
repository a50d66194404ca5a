"""A program that records calls of every kind for ever, until somebody kills it.

It tells each step over its stdout, one write a line: `B n p` from inside call n, called by p (or
-1); `E n` once n has returned, `C n` once the generator n was closed early, `U n` once an update
of n has returned. The argument seeds its choices.
"""

import asyncio
import itertools
import os
import random
import sys
import threading

import honeytrace
from honeytrace import trace_session

chance = random.Random(int(sys.argv[1]))
numbers = itertools.count()
ids: dict[int, str] = {}


def tell(what: str, *about: int) -> None:
    os.write(1, f"{what} {' '.join(map(str, about))}\n".encode())


def begun(n: int, by: int) -> None:
    ids[n] = honeytrace.current_session().session_id
    tell("B", n, by)


@trace_session(capture_inputs=["n", "pad"])
def call(n, pad="", by=-1, inside=lambda n: None):
    begun(n, by)
    inside(n)
    return {"n": n, "pad": pad[: len(pad) // 2]}


@trace_session(capture_inputs=["n", "pad"])
async def acall(n, pad="", by=-1):
    begun(n, by)
    await asyncio.sleep(0)
    return {"n": n, "pad": ""}


@trace_session(capture_inputs=["n", "pad"])
def stream(n, pad="", by=-1):
    begun(n, by)
    for item in range(5):
        yield item
        plain(n)


def plain(by: int = -1) -> None:
    n = next(numbers)
    call(n, "x" * chance.randrange(300), by)
    tell("E", n)


def large(by: int = -1) -> None:
    n = next(numbers)
    call(n, "é" * chance.choice([400, 500, 5_000, 60_000]), by)
    tell("E", n)


def nested(by: int = -1) -> None:
    n = next(numbers)
    call(n, "", by, chance.choice([plain, large, nested, generators]))
    tell("E", n)


def threads(by: int = -1) -> None:
    four = [threading.Thread(target=lambda: [plain() for _ in range(10)]) for _ in range(4)]
    for thread in four:
        thread.start()
    for thread in four:
        thread.join()


def tasks(by: int = -1) -> None:
    async def one() -> None:
        n = next(numbers)
        await acall(n)
        tell("E", n)

    async def all_() -> None:
        await asyncio.gather(*(one() for _ in range(10)))

    asyncio.run(all_())


def generators(by: int = -1) -> None:
    n = next(numbers)
    items = stream(n, "", by)
    next(items)
    if chance.random() < 0.5:
        list(items)
        tell("E", n)
    else:
        items.close()
        tell("C", n)


def updates(by: int = -1) -> None:
    n = next(numbers)
    call(n, "", by)
    tell("E", n)
    honeytrace.update_session(ids[n], metrics={"u": n}, feedback={"pad": "z" * (n % 700)})
    tell("U", n)


while True:
    chance.choice([plain, plain, large, nested, threads, tasks, generators, updates])()
