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
SESSIONS = "honeytrace: API, sessions"
PRINTED = {
    "stages": ["benchmarks.stages"],
    "growth": ["benchmarks.growth"],
    "service": ["benchmarks.service"],
    "fastapi service": ["benchmarks.service", "--fastapi"],
    "waiting service": ["benchmarks.service", "--latency", "0.05", "--connections", "64"],
    "durability": ["benchmarks.durability"],
}
"""Sections that are what a script prints."""


Costs = dict[str, dict[str, Any]]
Figure = Callable[[dict[str, Any]], float]


def budgets(results: dict[str, Any]) -> str:
    """The budgets of the project's design, and what was measured: with the journal and without."""
    rows = [*_own_rows(results), *_rows_beside_peers(results["costs"])]
    lines = ["| what | budget | with the journal | without |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _own_rows(results: dict[str, Any]) -> Iterator[list[str]]:
    costs: Costs = results["costs"]
    null = "honeytrace: null sink"
    for workload, most, without in (
        ("tiny", 1.6, 1.25),
        ("RAG-sized", 2.2, 1.4),
        ("0.5 MB in", 2.5, 1.5),
    ):
        figure = _of_floor("caller", workload)
        budget = f"≤ {most:g} times the floor, {without:g} without"
        cells = _both(costs, null, figure, most, without=without)
        yield [f"{workload}, caller's thread", budget, *cells]
    off = _of_floor("caller", "tiny")
    ratio = off(costs["recording off"]) / off(costs["pass-through"])
    yield ["recording off", "≤ 1.3 times an empty decorator", *[_told(ratio, 1.3)] * 2]
    for label, most in ((OWN, 3.0), (TREE, 3.0), (f"honeytrace: {STORE}", 6.0)):
        what = f"whole process, tiny, {label.removeprefix('honeytrace: ')}"
        cells = _both(costs, label, _of_floor("process", "tiny"), most)
        yield [what, f"≤ {most:g} times the floor", *cells]
    cells = _both(costs, SESSIONS, lambda row: float(row["tiny"]["process"]["us"]), 60.0)
    yield ["whole process, tiny, API, sessions, µs", "≤ 60", *cells]
    us = [costs[f"{null}{name}"]["tiny"]["caller"]["us"] for name in ("", _NONE)]
    yield ["journal, caller's thread, tiny, µs", "≤ 1", _told(float(us[0] - us[1]), 1.0), "—"]
    imported = _told(results["import_ms"]["honeytrace"], 30.0)
    yield ["`import honeytrace` over bare Python, ms", "≤ 30", imported, imported]


def _rows_beside_peers(costs: Costs) -> Iterator[list[str]]:
    everybody = [name for name in peers.PINS if name in costs]
    llm = [name for name in everybody if name != "opentelemetry"]
    names = {
        "opentelemetry": ["opentelemetry"],
        "honeyhive": ["honeyhive"],
        "the cheapest LLM peer": llm,
        "the cheapest peer": everybody,
    }
    tiny = (("opentelemetry", 6), ("the cheapest LLM peer", 25), ("honeyhive", 75))
    nested = "1 + 4 nested", "the cheapest peer"
    hosted = ("tiny", "opentelemetry"), ("RAG-sized", "the cheapest peer"), nested
    wanted = [(label, "tiny", against, share) for label in (OWN, TREE) for against, share in tiny]
    wanted += [(SESSIONS, workload, against, 1) for workload, against in hosted]
    wanted += [(OWN, workload, "the cheapest peer", 3) for workload in list(costs["floor"])[1:]]
    for label, workload, against, share in wanted:
        if names[against] and set(names[against]) <= costs.keys():
            route = label.removeprefix("honeytrace: ")
            figure = _of_peer(costs, workload, names[against])
            budget = f"≤ 1/{share}" if share > 1 else "< 1"
            cells = _both(costs, label, figure, 1 / share, _share)
            yield [f"{workload}, whole process, {route}: of {against}", budget, *cells]


def _both(
    costs: Costs,
    label: str,
    figure: Figure,
    most: float,
    show: Callable[[float], str] = "{:.2f}".format,
    without: float | None = None,
) -> list[str]:
    """The cells with the journal and without, whose bounds are `most` and `without`."""
    cells = [figure(costs[name]) for name in (label, f"{label}{_NONE}")]
    bounds = most, most if without is None else without
    return [_told(cell, bound, show) for cell, bound in zip(cells, bounds, strict=True)]


def _of_floor(side: str, workload: str) -> Figure:
    return lambda row: float(row[workload][side]["of_floor"])


def _of_peer(costs: Costs, workload: str, names: list[str]) -> Figure:
    cheapest = min(costs[name][workload]["process"]["us"] for name in names)
    return lambda row: float(row[workload]["process"]["us"] / cheapest)


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
