"""A search for what went wrong in a run, by the six verbs alone: no model, and no knowledge of it.

    PYTHONPATH=tests python tests/lookup/fault_finder.py

prints the table in docs/how-to/coding-agents.md. It looks at the marks in the outline, then at the
first call in which the run differs from the one before, and reads that call in both runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from honeytrace.lookup.evidence import Evidence, Reply, tokens
from honeytrace.store.sqlite import SQLiteStore
from surroundings import environ

BUDGET = 4_000
AGENT = Path(__file__).with_name("faulty_agent.py")


class Finding(NamedTuple):
    """A suspicion: the call, and why."""

    call: str
    why: str


class Finder:
    """Counts what it asks for; `findings` come in the order in which they were met."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.calls = self.tokens = self.largest = 0

    def findings(self, name: str) -> Iterator[Finding]:
        """Yield what is wrong with the newest run of this name."""
        runs = self._ask("find", name=name)["data"]
        newest, before = runs[0]["ref"], runs[1]["ref"]
        for row in self._ask("outline", newest)["data"]:
            for mark in row.get("marks", ()):
                yield Finding(row["name"], mark)
        rows, offset = [], 0
        while True:
            told = self._ask("compare", before, newest, offset)
            rows += told["data"]
            if not told["left_out"]:
                break
            offset = len(rows)
        yield from self._first_difference(rows)

    def _first_difference(self, rows: list[dict[str, Any]]) -> Iterator[Finding]:
        """Yield the calls that one run lacks, and the first call that changed by itself: a parent
        changes because something in it does."""
        for row in rows:
            if row["is"] in ("added", "removed") and "path" not in row:
                yield Finding(row["call"], f"{row['is']} in the newest run")
        own = [
            row
            for number, row in enumerate(rows)
            if "path" in row and not any(r["depth"] > row["depth"] for r in rows[number + 1 :])
        ]
        first = next((row for row in own if "after" in row), None)
        if first is None:
            return
        both = [self._ask("read", first[side])["data"] for side in ("before", "after")]
        kind = "inputs" if self._inputs(both[0]) != self._inputs(both[1]) else "outputs"
        yield Finding(first["call"], f"the first call with other {kind}: {first['path']}")

    @staticmethod
    def _inputs(rows: list[dict[str, Any]]) -> list[Any]:
        return [
            row.get("value", row.get("kind")) for row in rows if "/inputs" in row.get("path", "")
        ]

    def _ask(self, verb: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        reply: Reply = getattr(self._evidence, verb)(*arguments, **named)
        self.calls += 1
        self.tokens += reply.tokens
        self.largest = max(self.largest, reply.tokens)
        return reply.document


def recorded(directory: Path) -> SQLiteStore:
    """Run the agent in a process of its own; return its store."""
    path = directory / "sessions.db"
    settings = environ(HONEYTRACE_STORE=str(path), HONEYTRACE_JOURNAL=str(directory / "journal"))
    subprocess.run([sys.executable, str(AGENT)], env=settings, check=True, timeout=120)
    return SQLiteStore(path)


def size(store: SQLiteStore, name: str) -> int:
    """The tokens of the whole newest run, as its JSON."""
    from honeytrace.cli._target import session_json
    from honeytrace.store import Query

    (run,) = store.list(Query(session_name=name, limit=1))
    records = store.list(Query(root_id=run.root_id, limit=10_000))
    return sum(tokens(session_json(record).decode()) for record in records)


def main() -> None:
    sys.path.insert(0, str(AGENT.parent))
    from faulty_agent import FAULTS

    with tempfile.TemporaryDirectory() as directory:
        store = recorded(Path(directory))
        print("| fault | found at | calls | tokens | whole run |\n|---|---|---|---|---|")
        for number, (fault, call) in enumerate(FAULTS.items(), start=1):
            finder = Finder(Evidence(store, budget=BUDGET))
            found = list(finder.findings(f"support-{number}"))
            hit = next((each for each in found if each.call == call), None)
            why = "not found" if hit is None else f"`{hit.call}`: {hit.why.partition(':')[0]}"
            whole = size(store, f"support-{number}")
            print(f"| {fault} | {why} | {finder.calls} | {finder.tokens:,} | {whole:,} |")
        store.close()


if __name__ == "__main__":
    main()
