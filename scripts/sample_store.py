"""A store of made-up sessions that looks like a week of a support bot, for pictures and trials.

    python scripts/sample_store.py PATH [RUNS]

The same numbers give the same sessions; only the day moves, so that the newest is a moment old.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from honeytrace.server.viewer._sample import Writer, agent_run, answer_run
from honeytrace.server.viewer._sample_texts import PASSAGES
from honeytrace.store.sqlite import SQLiteStore


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
