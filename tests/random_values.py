"""A program that records random values with an injected clock, and prints a digest of them."""

from __future__ import annotations

import datetime
import decimal
import enum
import hashlib
import json
import pathlib
import random
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from honeytrace import session, trace_session
from honeytrace.testing import capture

NAMES = ("a", "question", "password", "x-api-key", "token", "n", "ä", "\ud800", "", "text" * 40)


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: Any
    password: Any = "hunter2"


def scalar(draw: random.Random) -> Any:
    seconds = draw.randrange(-4 * 10**9, 4 * 10**9)
    zone = draw.choice(
        (
            None,
            datetime.timezone.utc,
            datetime.timezone(datetime.timedelta(seconds=draw.randrange(-9999, 9999))),
            zoneinfo.ZoneInfo("Europe/Amsterdam"),
        )
    )
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    makers: tuple[Callable[[], Any], ...] = (
        lambda: None,
        lambda: draw.random() < 0.5,
        lambda: draw.randrange(-(2**70), 2**70) >> draw.randrange(70),
        lambda: draw.choice((draw.random(), float("nan"), float("inf"), -0.0, 1e300)),
        lambda: draw.choice(NAMES) * draw.randrange(4),
        lambda: "".join(chr(draw.randrange(1, 0xD800)) for _ in range(draw.randrange(12))),
        lambda: draw.randbytes(draw.randrange(20)),
        lambda: moment.replace(tzinfo=zone),
        moment.date,
        moment.time,
        lambda: uuid.UUID(int=draw.getrandbits(128)),
        lambda: decimal.Decimal(draw.randrange(1000)) / 7,
        lambda: pathlib.PurePosixPath("/a") / draw.choice(("b", "c")),
        lambda: Colour.RED,
        lambda: "sk-" + "x" * 40,
        lambda: ValueError("password=hunter2"),
        lambda: scalar,
    )
    return draw.choice(makers)()


def value(draw: random.Random, depth: int) -> Any:
    if depth <= 0 or draw.random() < 0.3:
        return scalar(draw)
    size = draw.choice((0, 1, 2, 3, 5, 20 if depth < 3 else 1))
    kind = draw.randrange(6)
    if kind == 0:
        return [value(draw, depth - 1) for _ in range(size)]
    if kind == 1:
        return tuple(value(draw, depth - 1) for _ in range(size))
    if kind == 2:
        return Point(value(draw, depth - 1))
    if kind == 3:
        return [{"id": n, "text": "row", "ok": True} for n in range(size)]
    key: Any = draw.choice((lambda: draw.choice(NAMES), lambda: draw.randrange(9)))
    return {key(): value(draw, depth - 1) for _ in range(size)}


@trace_session
def echo(given: Any) -> Any:
    return given


@trace_session(event_type="tool", metadata={"fixed": 1})
def fails(given: Any) -> None:
    raise ValueError(given if isinstance(given, (str, int)) else "no")


@trace_session
def stream(given: Any) -> Iterator[Any]:
    yield echo(given)
    yield given
    return given


def record(draw: random.Random, number: int) -> None:
    given = value(draw, draw.randrange(6))
    kind = number % 5
    if kind == 0:
        list(stream(given))
    elif kind == 1:
        try:
            fails(given)
        except ValueError:
            pass
    elif kind == 2:
        with session("block", inputs={"given": given}) as s:
            s.update(outputs=echo(given), metadata={"more": given})
    else:
        echo(given)


def main() -> None:
    count = int(sys.argv[1])
    digest = hashlib.sha256()
    for start in range(0, count, 500):
        with capture(start=1_700_000_000.0) as sessions:
            for number in range(start, min(start + 500, count)):
                record(random.Random(number), number)
        for found in sessions:
            text = json.dumps(found.to_dict(), sort_keys=True, default=repr)
            digest.update(text.encode("utf-8", "backslashreplace"))
    print(count, digest.hexdigest())
