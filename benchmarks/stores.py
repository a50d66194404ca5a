"""What each engine takes for the questions of the library: `python -m benchmarks.stores`.

Fills a store with `--sessions` records, unless it holds them, and asks each question six times.
`--store URL` names it; by default SQLite, PostgreSQL (a server of its own, where one is installed)
and ClickHouse (chdb, in this process) are measured one after the other, each in a process of its
own. Printed are milliseconds, the first time and the median of five, then those of the processor
(of this process, and of PostgreSQL's on Linux), beside the most that is accepted at a million
sessions on a quiet machine; with `--check` the exit status is 1 where a median is above that, with
`--cpu` that of the processor, which other programs disturb less. chdb has to read its index from
disk like a server, but shares the two cores with Python.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import orjson

from honeytrace._record.record import Record, Update
from honeytrace.store import Metric, Query, Store, open_store
from honeytrace.store.urls import address, file_of

from .viewer import DAY, records, vocabulary

sys.path.append(str(Path(__file__).parents[1] / "tests"))

NEWEST = 1_796_070_000_000.0
"""When the newest session started, the same in every run."""
TIMES = 5
BATCH = {"sqlite": 2_000, "postgresql": 2_000, "clickhouse": 5_000, "chdb": 5_000}
BULK, LAST = 10_000, 100_000
"""Rows of a batch that fills the store, and of those at the end whose insertion is measured."""
ROWS_A_SECOND = {"clickhouse": 10_000, "chdb": 10_000}
"""Inserted rows per second of this process's CPU that are accepted at least."""

LIST, METRIC, SEARCH, FIGURES, GET = "list", "metric", "search", "figures", "get"
ACCEPTED = {
    "postgresql": {LIST: 10, METRIC: 50, SEARCH: 10, FIGURES: 200, GET: 10},
    "clickhouse": {LIST: 100, METRIC: 250, SEARCH: 250, FIGURES: 300, GET: 20},
}
ACCEPTED["chdb"] = ACCEPTED["clickhouse"]

Question = tuple[str, str, Callable[[], object]]


def questions(store: Store, middle: Record, day: float) -> Iterator[Question]:
    """Each question: its kind, its name, and what asks it."""
    words = vocabulary()
    common, rare = words[0], words[-1]
    before = (middle.start_time, middle.event_id)
    yield GET, "get by id", lambda: store.get(middle.event_id)
    for name, query in {
        "newest 100": Query(),
        "page in the middle": Query(before=before),
        "project": Query(project="search"),
        "errors": Query(error=True),
        "name, 24 h": Query(session_name="judge", since=day),
        "a user": Query(user="user77@example.com"),
        "a project nobody has": Query(project="none"),
        "children": Query(parent_id=middle.root_id),
    }.items():
        yield LIST, name, lambda query=query: store.list(query)  # type: ignore[misc]
    for name, metric in {
        "few": Metric("score", "<", 0.001),
        "many": Metric("score", "<", 0.5),
    }.items():
        yield METRIC, f"a metric of {name}", lambda m=metric: store.list(Query(metric=m))  # type: ignore[misc]
    for name, query in {
        "a common word": Query(text=common),
        "a rare word": Query(text=rare),
        "common, errors": Query(text=common, error=True),
        "a word nobody has": Query(text="zzzzqqqq"),
    }.items():
        yield SEARCH, name, lambda query=query: store.list(query)  # type: ignore[misc]
    yield FIGURES, "overview, 24 h", lambda: store.overview(Query(since=day))
    yield FIGURES, "figures by name", lambda: store.summary(Query())
    yield FIGURES, "count", lambda: store.count(Query())
    place = max(0, store.arrived(None).last)
    yield LIST, "arrived", lambda: store.arrived(place)
    yield LIST, "names", lambda: store.values("session_name")
    rating = Update(middle.event_id, {"feedback": orjson.dumps({"rating": time.time()})})
    yield "", "update", lambda: store.update([rating])


def fill(store: Store, count: int, batch: int) -> tuple[float, float]:
    """Insert the records that are missing; return rows per second, of the clock and of CPU, of the
    last ones, which come in usual batches into a store that is nearly full."""
    held = store.size().sessions
    made = islice(records(count, NEWEST), held, None)
    wall, cpu, rows = 0.0, 0.0, 0
    for _ in range(0, count - held - LAST, BULK):
        store.insert(list(islice(made, BULK)))
    # the first batch also imports what the driver needs
    store.insert(list(islice(made, batch)))
    while some := list(islice(made, batch)):
        clocks = time.perf_counter(), time.process_time()
        store.insert(some)
        wall += time.perf_counter() - clocks[0]
        cpu += time.process_time() - clocks[1]
        rows += len(some)
    store.index()
    return (rows / wall, rows / cpu) if rows > 0 and wall else (0.0, 0.0)


def measured(url: str, count: int, *, by_cpu: bool = False) -> Iterator[tuple[str, bool]]:
    """Lines of a table, each with whether it is accepted."""
    engine = "sqlite" if file_of(url) else url.partition(":")[0]
    accepted = ACCEPTED.get(engine, {})
    store = open_store(url)
    wall, cpu = fill(store, count, BATCH[engine])
    size = store.size()
    good = not cpu or cpu >= ROWS_A_SECOND.get(engine, 0)
    yield f"{address(url)}: {size.sessions:,} sessions, {size.bytes / 1e6:,.0f} MB", True
    if cpu:
        yield f"  inserted {wall:,.0f} rows a second, {cpu:,.0f} a second of this CPU", good
    if engine == "postgresql":
        _vacuum(url)
    day = store.list(Query(limit=1))[0].start_time - DAY
    middle = store.list(Query(since=day, limit=50))[-1]
    processor = Processor(url)
    for kind, name, ask in questions(store, middle, day):
        times, cpu_times = [], []
        for _ in range(TIMES + 1):
            cpu_start, start = processor.spent(), time.perf_counter()
            ask()
            times.append((time.perf_counter() - start) * 1000)
            cpu_times.append(processor.spent() - cpu_start)
        median, cpu_median = statistics.median(times[1:]), statistics.median(cpu_times[1:])
        most = accepted.get(kind)
        mark = "" if most is None else f"  (at most {most})"
        shown = f"first {times[0]:9.1f}  median {median:9.1f}  processor {cpu_median:9.1f}"
        yield (
            f"  {kind or '-':8} {name:22} {shown}{mark}",
            most is None or (cpu_median if by_cpu else median) <= most,
        )
    store.close()


class Processor:
    """The time that this process takes of the processor, and PostgreSQL for it, on Linux."""

    def __init__(self, url: str) -> None:
        self._statistics: list[Path] = []
        if url.startswith("postgresql:") and Path("/proc/self/schedstat").exists():
            import psycopg

            with psycopg.connect(url, autocommit=True) as conn:
                rows = conn.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'honeytrace'"
                ).fetchall()
            self._statistics = [Path(f"/proc/{pid}/schedstat") for (pid,) in rows]

    def spent(self) -> float:
        """Milliseconds until now."""
        used = time.process_time() * 1000
        for each in self._statistics:
            with suppress(OSError):
                used += int(each.read_text().split()[0]) / 1e6
        return used


def _vacuum(url: str) -> None:
    """Let PostgreSQL know its data, as its own vacuum does after a while."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE sessions")
        conn.execute("VACUUM ANALYZE metrics")


@contextmanager
def engines(directory: str) -> Iterator[list[str]]:
    """The URLs of all engines that this machine has."""
    from engines import postgres_server

    with postgres_server("-c", "shared_buffers=512MB") as (url, _):
        yield [f"{directory}/x.db", url, f"chdb://{directory}/chdb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--store", help="a path or URL; by default every engine")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="check the time of the processor")
    options = parser.parse_args()
    if options.store:
        fine = True
        for line, good in measured(options.store, options.sessions, by_cpu=options.cpu):
            fine = fine and good
            print(f"{line}{'' if good else '  TOO SLOW'}", flush=True)
        sys.exit(0 if fine or not options.check else 1)
    with tempfile.TemporaryDirectory() as directory, engines(directory) as urls:
        arguments = ["--sessions", str(options.sessions), *(["--check"] * options.check)]
        arguments += ["--cpu"] * options.cpu
        command = [sys.executable, "-m", "benchmarks.stores", *arguments]
        ends = [subprocess.run([*command, "--store", url]).returncode for url in urls]
    sys.exit(max(ends))


if __name__ == "__main__":
    main()
