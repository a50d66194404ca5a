"""What the viewer's pages take in a store of a million sessions: `python -m benchmarks.viewer`.

Makes the store (about 1 GB, in the temporary directory; `--store` keeps one), serves it by
`honeytrace serve` in a process of its own, and asks for each page over loopback: ms from the
request to the last byte, the first time after the start, then the median and the worst of seven.
`--paint` adds ms to the first paint of each page in headless Chromium, the median of three.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from honeytrace._record.record import Record
from honeytrace.store.sqlite import SQLiteStore

from .contenders import environment

SESSIONS = 1_000_000
TIMES = 7
DAY = 86_400_000.0
STEPS = ("retrieve", "embed", "search", "rerank", "score", "generate", "judge", "format", "expand")
RUN = """
import sys, threading, honeytrace
honeytrace.configure(store=sys.argv[1], journal=sys.argv[2])
names, ended, open_calls = sys.argv[3].split(), threading.Event(), threading.Barrier(9)
def work(level=0):
    with honeytrace.session(names[level], inputs={"question": "why? " * 40}):
        if level == 4:
            open_calls.wait()
            ended.wait()
        else:
            work(level + 1)
for each in range(8):
    threading.Thread(target=honeytrace.propagate(work)).start()
open_calls.wait()
print("ready", flush=True)
sys.stdin.read()
ended.set()
"""
"""A program with eight runs under way, each five calls deep, until its standard input ends."""
SERVE = "import sys; from honeytrace.server import serve; serve(sys.argv[1], port=0, ready=print)"

PAGES = {
    "the list": ["/", "/?scope=calls", "/?scope=calls&before={middle}"],
    "filters that many meet": [
        "/?scope=calls&project=support-bot",
        "/?scope=calls&name=judge",
        "/?scope=calls&status=error",
        "/?scope=calls&since=24h",
        "/?scope=calls&min=1s",
        "/?scope=calls&user=team",
        "/?scope=calls&metric=score<0.5",
    ],
    "filters that few meet": [
        "/?scope=calls&max=1ms",
        "/?scope=calls&user=user77@example.com",
        "/?scope=calls&metric=score<0.001",
    ],
    "filters that nothing meets": [
        "/?scope=calls&project=none",
        "/?scope=calls&name=none",
        "/?scope=calls&source=none",
        "/?scope=calls&status=none",
        "/?scope=calls&since=90d&until=60d",
        "/?scope=calls&min=1h",
        "/?scope=calls&user=none",
        "/?scope=calls&metric=score>2",
        "/?scope=runs&name=judge",
        "/?scope=calls&name=none&metric=score<0.5",
    ],
    "searches": [
        "/?q={common}",
        "/?q={rare}",
        "/?q={common}+{rare}",
        "/?q={beginning}",
        "/?q=none",
        "/?q={common}&status=error",
        "/?q={common}&project=none",
    ],
    "conditions that hardly meet": [
        "/?scope=runs&metric=tokens>0",
        "/?scope=calls&name=judge&metric=score<0.5",
        "/?scope=calls&status=error&metric=score<0.06",
        "/?scope=calls&max=1ms&metric=tokens>0",
        "/?scope=calls&project=indexer&source=dev&metric=tokens>300",
        "/?scope=calls&user=team&metric=tokens>0",
        "/?scope=calls&user=team&metric=score<0.0001",
        "/?scope=calls&user=team&name=judge",
        "/?q={common}&max=1ms",
        "/?q={common}&status=error&source=dev&project=indexer",
        "/?q={common}&user=user77@example.com",
        "/?q={common}&metric=score<0.06&status=error",
        "/?q={common}&user=team&metric=tokens>0",
        "/?q={failure}&status=ok",
    ],
    "the list, sorted": ["/?sort=took", "/?sort=tokens", "/?sort=-name&scope=calls"],
    "histogram and facets": [
        "/facets",
        "/facets?scope=calls",
        "/facets?scope=calls&project=support-bot",
        "/facets?scope=calls&user=team",
        "/facets?q={common}",
    ],
    "failures, conversations": ["/issues", "/conversations", "/conversations?by=user"],
    "a session": ["/sessions/{middle_id}", "/transcript/{middle_id}"],
    "the overview": [
        "/overview",
        "/overview?since=24h",
        "/overview?scope=runs",
        "/overview?name=judge",
        "/overview?project=indexer",
        "/overview?user=team",
        "/overview?since=30d",
        "/overview?by=user",
        "/overview?by=model",
        "/overview?metric=score<0.5",
        "/overview?scope=runs&metric=tokens>0",
        "/overview?by=commit",
    ],
    "marks and versions": ["/?mark=any", "/?mark=loop", "/?version=openai=2", "/?model=none"],
    "running": ["/running", "/?scope=calls&status=running"],
}


PAINTED_TOO = [
    "/overview?by=user",
    "/overview?by=model",
    "/conversations",
    "/transcript/{middle_id}",
]
"""Pages that are painted beside the first of each kind."""


def vocabulary() -> list[str]:
    """20,000 words, the most frequent first."""
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(20_000)]


def records(count: int, newest: float) -> Iterator[Record]:
    """Runs of ten calls over thirty days; each word of their texts is half as frequent as one that
    comes twice as early in the vocabulary."""
    rng = random.Random(2)
    known = vocabulary()
    weights = [1 / (n + 1) for n in range(len(known))]
    words = rng.choices(known, weights, k=1_000_000)

    def text(length: int) -> str:
        at = rng.randrange(len(words) - length)
        return " ".join(words[at : at + length])

    for run in range(count // 10):
        start = newest - 30 * DAY * (1 - run / (count / 10))
        project = rng.choices(["support-bot", "search", "indexer"], [8, 3, 1])[0]
        source = rng.choices(["prod", "staging", "dev"], [8, 2, 1])[0]
        failed = rng.random() < 0.02
        ids = [f"{run:08x}-{n:04x}-7000-8000-{rng.getrandbits(48):012x}" for n in range(10)]
        for n, event_id in enumerate(ids):
            error = "UpstreamTimeout: no token within 10 s" if failed and n in (0, 6) else None
            took = rng.lognormvariate(4 if n else 7, 1)
            grades = {"score": rng.random()} if n == 0 else {"tokens": rng.randint(10, 400)}
            who = {"email": f"user{rng.randrange(5000)}@example.com", "plan": "team"}
            yield Record(
                event_id=event_id,
                session_id=ids[0],
                parent_id=ids[0] if n else None,
                root_id=ids[0],
                event_type="tool" if n else "session",
                event_name=STEPS[n - 1] if n else "answer",
                project=project,
                source=source,
                status="error" if error else "ok",
                start_time=start + n * 20,
                end_time=int(start + n * 20 + took),
                duration=took,
                error=error,
                children_ids=b"[]" if n else orjson.dumps(ids[1:]),
                config=None,
                inputs=orjson.dumps({"question": text(12)}),
                outputs=None if error else orjson.dumps({"result": text(40)}),
                metrics=orjson.dumps(grades) if n in (0, 6) else None,
                feedback=None,
                metadata=None,
                user_properties=None if n else orjson.dumps(who),
            )


def fill(path: Path, count: int) -> None:
    store, batch = SQLiteStore(path), list[Record]()
    for record in records(count, time.time() * 1000):
        batch.append(record)
        if len(batch) == 2000:
            store.insert(batch)
            batch = []
    store.insert(batch)
    begun = time.perf_counter()
    store.index()
    print(f"{count:,} sessions indexed in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    store.close()


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """A program that records into the store, with calls under way."""
    journal = str(path.parent / "journal")
    command = [sys.executable, "-c", RUN, str(path), journal, " ".join(STEPS)]
    env, pipe = environment(str(path.parent)), subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        program.stdout.readline()
        try:
            yield
        finally:
            program.stdin.close()


@contextmanager
def served(path: Path) -> Iterator[httpx.Client]:
    command = [sys.executable, "-u", "-c", SERVE, str(path)]
    env = environment(str(path.parent))
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            with httpx.Client(base_url=server.stdout.readline().strip(), timeout=120) as client:
                yield client
        finally:
            server.terminate()


def asked_for(path: Path) -> dict[str, str]:
    """What stands in the addresses: a session in the middle, where its page begins, words."""
    store = SQLiteStore(path, readonly=True)
    (record,) = store.arrived(store.size().sessions // 2, 1).records
    store.close()
    words = vocabulary()
    return {
        "middle": f"{record.start_time!r},{record.event_id}",
        "middle_id": record.event_id,
        "common": words[0],
        "rare": words[-1],
        "beginning": words[0][:2],
        "failure": "UpstreamTimeout",
    }


def asked(client: httpx.Client, page: str) -> float:
    """ms."""
    begun = time.perf_counter()
    client.get(page).raise_for_status()
    return (time.perf_counter() - begun) * 1000


def measured(path: Path) -> Iterator[str]:
    yield "| ms | first after the start | median | worst |"
    yield "|---|---|---|---|"
    given = asked_for(path)
    with recording(path), served(path) as client:
        for what, pages in PAGES.items():
            for page in pages:
                first, *rest = (asked(client, page.format(**given)) for _ in range(TIMES + 1))
                median = statistics.median(rest)
                yield f"| {what}: `{page}` | {first:.0f} | {median:.0f} | {max(rest):.0f} |"


PAINTED = """() => new Promise((found) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) found(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""


def painted(path: Path) -> Iterator[str]:
    """A line per page: ms to the first contentful paint."""
    from playwright.sync_api import sync_playwright

    yield "| page | first paint, ms |"
    yield "|---|---|"
    given = asked_for(path)
    with recording(path), served(path) as client, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for address in [each[0] for each in PAGES.values()] + PAINTED_TOO:
            times = []
            for _ in range(3):
                page = browser.new_page()
                page.goto(str(client.base_url.join(address.format(**given))))
                times.append(page.evaluate(PAINTED))
                page.close()
            yield f"| `{address}` | {statistics.median(times):.0f} |"
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--store", type=Path, help="the store to use, made if it is not there")
    parser.add_argument("--paint", action="store_true", help="measure first paints, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        path = args.store or Path(scratch) / "sessions.db"
        if not path.exists():
            fill(path, args.sessions)
        for line in measured(path):
            print(line, flush=True)
        for line in painted(path) if args.paint else ():
            print(line, flush=True)


if __name__ == "__main__":
    main()
