"""What a traced call costs, beside a hand-written tracer and the peers: `python -m benchmarks`.

Every round measures every contender on every workload, one after the other; cells are the median
of the rounds, with half their spread, and ratios to the floor are taken round by round, so that a
machine whose speed drifts moves both sides. All figures are CPU time: of the calling thread
alone (`caller`), and of all threads until everything is delivered (`process`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import peers
from .contenders import Contender, Running, contenders, environment
from .workloads import WORKLOADS, Workload

Cell = dict[str, Any]


def costs(
    chosen: Sequence[Contender], workloads: Sequence[Workload], rounds: int, latency: float
) -> dict[str, dict[str, list[Cell]]]:
    """Contender → workload → what each round found; a round too many, for warming up, is left out.

    A contender that fails is left out from there on, and has fewer rounds.
    """
    running = [Running(contender, latency) for contender in chosen]
    found: dict[str, dict[str, list[Cell]]] = {r.contender.label: {} for r in running}
    for turn in range(rounds + 1):
        for workload in workloads:
            for r in list(running):
                few = min(workload.calls, max(20, workload.calls // 10))
                calls = few if r.contender.is_slow else workload.calls
                try:
                    cell = r.measure(workload.name, calls)
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                    running.remove(r)
                    r.close()
                    continue
                if turn:
                    found[r.contender.label].setdefault(workload.name, []).append(cell)
                    cell["delivered"] = r.delivered()
        print(f"round {turn} of {rounds}", file=sys.stderr)
    for r in running:
        r.close()
    return found


def sustained(contender: Contender, calls: int, latency: float) -> Cell:
    """As many tiny calls as fast as they go, in a fresh process: throughput, memory, the end."""
    r = Running(contender, latency)
    try:
        before = r.measure("tiny", 10)["peak_mb"]
        found = r.measure("tiny", calls)
        delivered = r.delivered()
    except RuntimeError:
        r.close()
        return {}
    return {
        "calls": calls,
        "calls_per_s": calls / found["calling"],
        "delivered_per_s": calls / (found["calling"] + found["flush"]),
        "flush_s": found["flush"],
        "memory_mb": found["peak_mb"] - before,
        "delivered": delivered,
        "exit_s": r.close(),
    }


def import_ms(contender: Contender, runs: int = 5) -> float:
    """Milliseconds that its import adds to a bare interpreter, best of some."""
    import_ = peers.IMPORTS.get(contender.worker, "from honeytrace import trace_session")

    def once(code: str) -> float:
        begin = time.perf_counter()
        # isolated, since the benchmarks' own modules are named like the peers'
        subprocess.run([contender.python, "-I", "-c", code], check=True, env=environment("/"))
        return (time.perf_counter() - begin) * 1000

    pairs = [(once("pass"), once(import_)) for _ in range(runs)]
    return min(after for _, after in pairs) - min(before for before, _ in pairs)


def summary(found: dict[str, dict[str, list[Cell]]]) -> dict[str, dict[str, Cell]]:
    """Contender → workload → medians, spreads and ratios to the floor."""
    table: dict[str, dict[str, Cell]] = {}
    for label, by_workload in found.items():
        for name, cells in by_workload.items():
            cell = table.setdefault(label, {})[name] = {"delivered": cells[-1]["delivered"]}
            for side in ("caller", "process"):
                times = [c[side] for c in cells]
                base = [c[side] for c in found.get("floor", {}).get(name, [])]
                cell[side] = {
                    "us": statistics.median(times),
                    "low": min(times),
                    "high": max(times),
                    "of_floor": statistics.median(t / b for t, b in zip(times, base, strict=False))
                    if base
                    else None,
                }
    return table


def microseconds(cell: Cell) -> str:
    def short(value: float) -> str:
        return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"

    spread = (cell["high"] - cell["low"]) / 2 / cell["us"] * 100
    ratio = "" if cell["of_floor"] is None else f" x{short(cell['of_floor'])}"
    return f"{short(cell['us'])} ±{spread:.0f}%{ratio}"


def lost(cells: dict[str, Cell]) -> str:
    """What a row says of records that did not arrive."""
    last = [cell["delivered"] for cell in cells.values() if cell["delivered"]]
    if not last:
        return ""
    delivered, recorded = max(last, key=lambda pair: pair[1])
    return "" if delivered >= recorded else f"; lost {recorded - delivered:,} of {recorded:,}"


def costs_table(results: dict[str, Any]) -> str:
    measured = {name for cells in results["costs"].values() for name in cells}
    names = [workload.name for workload in WORKLOADS if workload.name in measured]
    lines = []
    for side, title in (("caller", "Caller's thread"), ("process", "Whole process, delivered")):
        lines += [f"\n**{title}**, µs of CPU a call ± half the spread, and times the floor\n"]
        lines += ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for label, cells in results["costs"].items():
            row = [microseconds(cells[name][side]) if name in cells else "—" for name in names]
            lines.append(f"| {label}{lost(cells)} | " + " | ".join(row) + " |")
    return "\n".join(lines).strip()


def sustained_table(results: dict[str, Any]) -> str:
    lines = ["| | calls | calls/s | delivered/s | delivered | flush s | memory MB | exit s |"]
    lines += ["|---" * 8 + "|"]
    for label, c in results["sustained"].items():
        if not c:
            lines.append(f"| {label} | failed" + " |" * 7)
            continue
        arrived = f"{c['delivered'][0]:,} of {c['delivered'][1]:,}" if c["delivered"] else "—"
        lines.append(
            f"| {label} | {c['calls']:,} | {c['calls_per_s']:,.0f} | {c['delivered_per_s']:,.0f} "
            f"| {arrived} | {c['flush_s']:.2f} | {c['memory_mb']:.0f} | {c['exit_s']:.2f} |"
        )
    return "\n".join(lines)


def imports_table(results: dict[str, Any]) -> str:
    lines = ["| | import, ms over bare Python |", "|---|---|"]
    lines += [f"| {label} | {ms:.0f} |" for label, ms in results["import_ms"].items()]
    lines += [f"\nNot installed: {', '.join(results['missing'])}"] if results["missing"] else []
    return "\n".join(lines)


def markdown(results: dict[str, Any]) -> str:
    if not results["sustained"]:
        return costs_table(results)
    return "\n\n".join(make(results) for make in (costs_table, sustained_table, imports_table))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds, of the loopback API")
    parser.add_argument("--only", default="", help="contenders with one of these words, a,b,c")
    parser.add_argument("--workloads", default="", help="workloads with one of these words")
    parser.add_argument("--no-sustained", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--show", type=Path, help="only show the figures written by --json")
    args = parser.parse_args()
    if args.show:
        print(markdown(json.loads(args.show.read_text())))
        return

    def wanted(words: str, text: str) -> bool:
        return not words or any(word in text for word in words.split(","))

    everybody = [c for c in contenders() if c.label == "floor" or wanted(args.only, c.label)]
    chosen = [c for c in everybody if not c.is_peer or peers.installed(c.worker)]
    workloads = [w for w in WORKLOADS if wanted(args.workloads, w.name)]
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "latency_s": args.latency,
        "missing": [c.label for c in everybody if c not in chosen],
        "costs": summary(costs(chosen, workloads, args.rounds, args.latency)),
        "sustained": {},
        "import_ms": {},
    }
    for c in chosen:
        if (c.server or c.worker != "bare") and not args.no_sustained:
            results["sustained"][c.label] = sustained(
                c, 10_000 if c.is_slow else 100_000, args.latency
            )
        if c.is_peer or c.label == "recording off":
            name = "honeytrace" if c.worker == "honeytrace" else c.label
            results["import_ms"][name] = import_ms(c)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    print(markdown(results))


if __name__ == "__main__":
    main()
