"""The tables of docs/performance.md, measured anew: `python -m benchmarks.report [section …]`.

Each section of that page stands between `<!-- name -->` and `<!-- end -->`; what a section is not
measured for stays as it is. Without names all are measured, which takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import peers
from .__main__ import costs_table, imports_table, sustained_table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
OWN, TREE, STORE = "honeytrace: own server", "honeytrace: API, tree, one session", "embedded store"
PRINTED = {
    "stages": ["benchmarks.stages"],
    "growth": ["benchmarks.growth"],
    "service": ["benchmarks.service"],
    "fastapi service": ["benchmarks.service", "--fastapi"],
    "waiting service": ["benchmarks.service", "--latency", "0.05", "--connections", "64"],
    "durability": ["benchmarks.durability"],
}
"""Sections that are what a script prints."""


def budgets(results: dict[str, Any]) -> str:
    """The budgets of the project's design, and what was measured: with the journal and without."""
    costs: dict[str, dict[str, Any]] = results["costs"]
    llm = [name for name in peers.PINS if name != "opentelemetry" and name in costs]

    def both(
        label: str,
        figure: Callable[[dict[str, Any]], float],
        most: float,
        show: Callable[[float], str] = "{:.2f}".format,
    ) -> list[str]:
        cells = [figure(costs[name]) for name in (label, f"{label}, no journal")]
        return [_told(cell, most, show) for cell in cells]

    def of_floor(side: str, workload: str) -> Callable[[dict[str, Any]], float]:
        return lambda cells: float(cells[workload][side]["of_floor"])

    def of_peer(workload: str, names: list[str]) -> Callable[[dict[str, Any]], float]:
        cheapest = min(costs[name][workload]["process"]["us"] for name in names)
        return lambda cells: float(cells[workload]["process"]["us"] / cheapest)

    def journal() -> float:
        us = [costs[f"honeytrace: null sink{name}"]["tiny"]["caller"]["us"] for name in ("", _NONE)]
        return float(us[0] - us[1])

    def rows() -> Iterator[list[str]]:
        null = "honeytrace: null sink"
        for workload, most in (("tiny", 1.5), ("RAG-sized", 1.5), ("0.5 MB in", 2.0)):
            what, budget = f"{workload}, caller's thread", f"≤ {most:g} times the floor"
            yield [what, budget, *both(null, of_floor("caller", workload), most)]
        off = of_floor("caller", "tiny")(costs["recording off"])
        ratio = off / of_floor("caller", "tiny")(costs["pass-through"])
        yield ["recording off", "≤ 1.3 times an empty decorator", *[_told(ratio, 1.3)] * 2]
        for label, most in ((OWN, 3.0), (TREE, 3.0), (f"honeytrace: {STORE}", 6.0)):
            what = f"whole process, tiny, {label.removeprefix('honeytrace: ')}"
            cells = both(label, of_floor("process", "tiny"), most)
            yield [what, f"≤ {most:g} times the floor", *cells]
        yield ["journal, caller's thread, tiny, µs", "≤ 1", _told(journal(), 1.0), "—"]
        imported = _told(results["import_ms"]["honeytrace"], 30.0)
        yield ["`import honeytrace` over bare Python, ms", "≤ 30", imported, imported]
        for label in (OWN, TREE):
            route = label.removeprefix("honeytrace: ")
            for names, most in ((["opentelemetry"], 6), (llm, 25), (["honeyhive"], 75)):
                if set(names) <= costs.keys() and names:
                    against = names[0] if len(names) == 1 else "the cheapest LLM peer"
                    cells = both(label, of_peer("tiny", names), 1 / most, _share)
                    yield [f"tiny, whole process, {route}: of {against}", f"≤ 1/{most}", *cells]
        everybody = [name for name in peers.PINS if name in costs]
        for workload in list(costs["floor"])[1:] if everybody else ():
            cells = both(OWN, of_peer(workload, everybody), 1 / 3, _share)
            yield [f"{workload}, whole process, own server: of the cheapest peer", "≤ 1/3", *cells]

    lines = ["| what | budget | with the journal | without |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows())])


_NONE = ", no journal"


def _told(value: float, most: float, show: Callable[[float], str] = "{:.2f}".format) -> str:
    return show(value) + (" (met)" if value <= most else "")


def _share(value: float) -> str:
    return f"1/{1 / value:.1f}" if value < 1 else f"{value:.1f} times it"


FROM_COSTS = {
    "costs": costs_table,
    "sustained": sustained_table,
    "imports": imports_table,
    "budgets": budgets,
}
"""Sections that are made of the figures of `python -m benchmarks`."""


def run(command: list[str]) -> str:
    print("python -m", *command, file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def splice(page: str, name: str, content: str) -> str:
    """The page with this between the section's marks. Raises ValueError where it has none."""
    marked = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(\n<!-- end -->)", re.S)
    if not marked.search(page):
        raise ValueError(f"{PAGE} has no <!-- {name} --> … <!-- end -->")
    return marked.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join([*FROM_COSTS, *PRINTED]))
    parser.add_argument("--costs", type=Path, help="of --json, not to be measured again")
    args = parser.parse_args()
    wanted = args.sections or [*FROM_COSTS, *PRINTED]
    unknown = sorted(set(wanted) - FROM_COSTS.keys() - PRINTED.keys())
    if unknown:
        parser.error(f"no section {unknown}")
    found = {name: run(PRINTED[name]) for name in wanted if name in PRINTED}
    if any(name in FROM_COSTS for name in wanted):
        with tempfile.TemporaryDirectory() as directory:
            figures = args.costs or Path(directory) / "costs.json"
            if not args.costs:
                run(["benchmarks", "--json", str(figures)])
            results = json.loads(figures.read_text())
        found |= {name: FROM_COSTS[name](results) for name in wanted if name in FROM_COSTS}
    page = PAGE.read_text()
    for name, content in found.items():
        page = splice(page, name, content)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
