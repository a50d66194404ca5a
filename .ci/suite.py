"""Run the whole suite in parts, two at a time, and sum their results.

    python .ci/suite.py                      # what `make test` runs
    python .ci/suite.py --without-coverage   # what `make test-all` runs on each Python
    python .ci/suite.py --chaos              # what `make chaos` runs: hundreds of kills

Each part is a pytest run of its own, under coverage by default. The output of a part is printed
when it ends, so that two parts do not mix. The last line has the sums of all summaries.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SIDE_BY_SIDE = 2

CORE = (
    *("capture", "transparency", "snapshot", "record", "delivery", "durability", "runtime"),
    *("lookup", "display", "sinks"),
)
"""Folders whose tests also run without the compiled modules."""

ENGINES = ("store", "viewer_engines")
"""Folders whose tests open chdb in their process."""

FIRST = {*CORE, "docs", "packaging", "otel", "propagation"} - {"sinks"}
"""Folders of the first half with the compiled modules; the second half has all others."""


CHAOS = ("test_hostile_journals.py", "test_killed_nodes.py")
"""Half of the fault suite, by the time that it takes."""


class Part(NamedTuple):
    """A pytest run: what it is called, its arguments, and the environment it adds."""

    name: str
    paths: list[str]
    environment: tuple[tuple[str, str], ...] = ()


def parts() -> list[Part]:
    """The parts of the suite, the longest first."""
    folders = sorted(path.name for path in TESTS.iterdir() if any(path.glob("test_*.py")))
    files = sorted(str(path) for path in TESTS.glob("test_*.py"))
    known = set(folders)
    core = [str(TESTS / name) for name in CORE if name in known]
    first = [str(TESTS / name) for name in folders if name in FIRST]
    others = [name for name in folders if name not in FIRST and name not in ("interop", *ENGINES)]
    second = [str(TESTS / name) for name in others]
    without = [str(TESTS / name) for name in ("api", "sinks")]
    return [
        Part("second half", second),
        # chdb is one engine a process, and does not bear the forks of other tests
        Part("stores", [str(TESTS / name) for name in ENGINES]),
        Part("first half", [*files, *first]),
        Part(
            "core without the compiled modules", [*files, *core], (("HONEYTRACE_PURE_PYTHON", "1"),)
        ),
        Part("client and sinks without httpx2", without, (("WITHOUT_HTTPX2", "1"),)),
    ]


def chaos() -> list[Part]:
    """The two parts of the fault suite, with all of its faults."""
    files = sorted(TESTS.glob("chaos/test_*.py"))
    first = [str(file) for file in files if file.name in CHAOS]
    second = [str(file) for file in files if file.name not in CHAOS]
    return [
        Part("journals and nodes", ["--full", *first]),
        Part("programs", ["--full", *second]),
    ]


def command(part: Part, *, coverage: bool) -> list[str]:
    """The arguments of the pytest run of a part."""
    under = ["-m", "coverage", "run"] if coverage else []
    return [sys.executable, *under, "-m", "pytest", "-q", *part.paths]


def run(part: Part, *, coverage: bool) -> tuple[Part, int, str, float]:
    """Run a part to its end: its exit status, its output, and how many seconds it took."""
    start = time.monotonic()
    done = subprocess.run(
        command(part, coverage=coverage),
        cwd=ROOT,
        env={**os.environ, **dict(part.environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return part, done.returncode, done.stdout, time.monotonic() - start


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the whole suite in parts, two at a time.")
    parser.add_argument("--without-coverage", action="store_true", help="measure no coverage")
    parser.add_argument("--chaos", action="store_true", help="run the whole fault suite alone")
    options = parser.parse_args(arguments)
    coverage = not options.without_coverage and not options.chaos
    wanted = chaos() if options.chaos else parts()
    start = time.monotonic()
    sums: Counter[str] = Counter()
    failed = []
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for part, status, output, seconds in pool.map(partial(run, coverage=coverage), wanted):
            print(f"== {part.name}: {seconds:.0f} s, exit status {status}", flush=True)
            print(output, flush=True)
            last = output.strip().rpartition("\n")[2]
            for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", last):
                sums[word] += int(number)
            if status:
                failed.append(part.name)
    words = [f"{sums[word]} {word}" for word in ("failed", "passed", "skipped", "error")]
    summary = ", ".join(word for word in words if not word.startswith("0 "))
    if failed:
        print(f"failed: {'; '.join(failed)}")
    print(f"===== {summary} in {time.monotonic() - start:.2f}s =====")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
