"""The package's shape: what imports what, and what `import honeytrace` brings along."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import honeytrace

PACKAGE = Path(honeytrace.__file__).parent

#: Room → the rooms it may import from, besides itself. Leaves that anyone may use are in LEAVES.
ROOMS = {
    "_display": set(),
    "_network": set(),
    "_record": set(),
    "_capture": {"_config", "_record"},
    "_snapshot": {"_capture"},
    "store": {"_record"},
    "api": set(),
    "sinks": {"_capture", "_config", "_record", "api", "store"},
    "_durability": {"_capture", "_config", "_record", "sinks"},
    "_delivery": {"_capture", "_config", "_durability", "_record", "sinks"},
    "_runtime": {
        "_capture",
        "_config",
        "_delivery",
        "_durability",
        "_record",
        "_snapshot",
        "sinks",
        "store",
    },
}
LEAVES = {"_base", "_config", "_network", "errors"}
ABOVE = {
    "lookup",
    "_replay",
    "propagation",
    "otel",
    "server",
    "cli",
    "testing",
    "_pytest",
    "__init__",
    "__main__",
}
"""Rooms above the flow: each may import from those before it here, and from all below."""

#: Imports against the direction that are still to be removed.
STILL: set[tuple[str, str]] = set()
#: Circles of files that are still to be opened.
CIRCLES: list[set[str]] = []


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name below `honeytrace`."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }


def graph() -> dict[str, set[str]]:
    """File → the files of the package it imports: anywhere in it, for types alone included."""
    files = modules()
    edges: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        parts = name.split(".")
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = [*parts[: len(parts) - node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                module = ".".join([*base, alias.name])
                room = ".".join(base)
                if module in files:
                    edges[name].add(module)
                else:
                    edges[name].add(room if room in files else f"{room}.__init__".lstrip("."))
    return edges


def reach(edges: dict[str, set[str]], start: str) -> set[str]:
    """The files that an import of this one may bring along."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for found in edges.get(ahead.pop(), set()) - seen:
            seen.add(found)
            ahead.append(found)
    return seen


def test_every_import_is_of_a_file_that_exists() -> None:
    """The graph of imports has no edge to a module that is not in the package."""
    edges = graph()
    assert not {target for found in edges.values() for target in found} - edges.keys()


def test_rooms_import_in_one_direction() -> None:
    """A room imports only from the rooms that come before it in the flow of a record."""
    everywhere = LEAVES | {"_display"}
    allowed = {name: rooms | everywhere for name, rooms in ROOMS.items()}
    below = ROOMS.keys() | everywhere
    for name in ("lookup", "testing", "_replay", "propagation", "otel", "compat", "server", "cli"):
        allowed[name] = set(below)
        below = below | {name}
    allowed |= {"_pytest": {"_replay", "testing"}, "__init__": set(below), "__main__": set(below)}
    found = {
        (name, target)
        for name, targets in graph().items()
        for target in targets
        if (room := name.split(".")[0]) != (other := target.split(".")[0])
        and other not in allowed.get(room, LEAVES)
    }
    assert found == STILL


def test_no_circles() -> None:
    """No file imports one that imports it in turn, lazily and for types included."""
    edges = graph()
    reached = {name: reach(edges, name) for name in edges}
    circles = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in edges
        if name in reached[name]
    }
    assert sorted(map(sorted, circles)) == sorted(map(sorted, CIRCLES))


def test_a_file_has_one_concern() -> None:
    """No module of the package has more than 350 lines, no class more than 250."""
    for name, path in modules().items():
        source = path.read_text()
        long = [
            node.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno >= 250
        ]
        assert len(source.splitlines()) <= 350, f"{name} is too long"
        assert not long, f"{name}: {long} are too long"


def test_each_package_lists_its_files() -> None:
    """The docstring of every `__init__.py` names each module of its package, and no other file
    begins a line of that list."""
    for init in PACKAGE.rglob("__init__.py"):
        if init.parent == PACKAGE:
            continue  # its map names the packages, in a comment
        docstring = ast.get_docstring(ast.parse(init.read_text())) or ""
        files = {path.stem for path in init.parent.glob("*.py")} - {"__init__"}
        packages = {path.parent.name for path in init.parent.glob("*/__init__.py")}
        room = init.parent.relative_to(PACKAGE)
        listed = set(re.findall(r"\w+", docstring))
        assert not (files | packages) - listed, f"{room}: not in the list of __init__.py"
        first = set(re.findall(r"^(\w+)(?:\.py|/|\*)? {2,}\S", docstring, re.M))
        assert not first - files - packages, f"{room}: listed, but not there"


def test_contributing_names_real_places() -> None:
    """Every file that CONTRIBUTING.md names exists, and holds the function named with it."""
    root = Path(__file__).parents[1]
    text = (root / "CONTRIBUTING.md").read_text()
    for path in re.findall(r"`([\w./]+/[\w.]*)`", text):
        assert (PACKAGE / path).exists() or (root / path).exists(), path
    named = re.findall(r"`(\w+)` in `([\w./]+\.py)`", text)
    assert named
    for name, path in named:
        assert re.search(
            rf"^(def|class) {name}\b|^ +def {name}\b|^{name}\b", (PACKAGE / path).read_text(), re.M
        ), path


def modules_after(statement: str) -> set[str]:
    """The modules loaded by a statement in a fresh interpreter."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_importing_is_light() -> None:
    """A program that records imports no HTTP client, no JSON, no database, no event loop."""
    brought = modules_after("from honeytrace import trace_session") - modules_after("pass")
    heavy = {"httpx", "orjson", "sqlite3", "asyncio", "multiprocessing", "random"}
    rooms = {"honeytrace.testing", "honeytrace.api", "honeytrace.server", "honeytrace.cli"}
    assert not brought & (heavy | rooms | {"concurrent.futures", "honeytrace._pytest"})


def test_the_package_alone_is_lighter() -> None:
    """`import honeytrace` imports nothing that recording or looking needs, for the command line;
    the first name of recording imports all of it, so that no traced call has to import."""
    alone = modules_after("import honeytrace")
    ours = {name for name in alone if name.startswith("honeytrace")}
    assert ours <= {"honeytrace", "honeytrace._capture.ids", "honeytrace._capture"} | {
        f"honeytrace._base{name}" for name in ("", ".cython", ".version")
    }
    whole = modules_after("import honeytrace; honeytrace.paused")
    assert {"honeytrace._runtime.public", "honeytrace._capture.decorator"} <= whole
    assert whole == modules_after(
        "import honeytrace; [getattr(honeytrace, n) for n in ("
        "'configure', 'trace_session', 'stats', 'current_session')]"
    )


def test_nothing_is_imported_from_beyond_the_dependencies() -> None:
    """The core imports the standard library, wrapt and orjson alone."""
    recording = "from honeytrace import trace_session"
    brought = {name.partition(".")[0] for name in modules_after(recording)}
    allowed = set(sys.stdlib_module_names) | {"honeytrace", "orjson", "wrapt", "__main__"}
    before = {name.partition(".")[0] for name in modules_after("pass")}
    # what Cython keeps of its own in `sys.modules` is nothing that was imported
    brought = {name for name in brought if not name.startswith(("cython_runtime", "_cython_"))}
    assert brought - before <= allowed


def test_all_is_honest() -> None:
    """`__all__` is sorted, and exactly what the package shows; each says it lives there."""
    names = honeytrace.__all__
    shown = {name for name in dir(honeytrace) if not name.startswith("_")}
    modules = {name for name in shown if type(getattr(honeytrace, name)).__name__ == "module"}
    assert names == sorted(names)
    assert set(names) - {"__version__"} == shown - modules - {"annotations"}
    for name in names:
        assert getattr(getattr(honeytrace, name), "__module__", "honeytrace") == "honeytrace"


def test_what_is_imported_later_is_there_as_the_rest() -> None:
    """Lookup is imported when it is asked for, by whichever way, and nothing shows that."""
    program = """if True:
        import pickle, sys, unittest.mock
        import honeytrace
        assert "honeytrace.lookup" not in sys.modules
        assert {"get_session", "SessionList"} <= set(dir(honeytrace))
        with unittest.mock.patch("honeytrace.lookup.get_session") as stand_in:
            assert honeytrace.get_session is stand_in
        assert honeytrace.get_session is honeytrace.lookup.get_session
        from honeytrace import *
        assert SessionList.__module__ == get_session.__module__ == "honeytrace"
        assert pickle.loads(pickle.dumps(get_session)) is get_session
        assert not hasattr(honeytrace, "nothing")
    """
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_function_is_not_hidden_by_a_module() -> None:
    """No module is called like a public function."""
    files = {path.stem for path in PACKAGE.iterdir()}
    assert not files & set(honeytrace.__all__)


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="fork is POSIX")
def test_a_fork_waits_before_logging_is_locked() -> None:
    """Before a fork we wait for a thread that may log; so that hook comes after logging's, which
    takes its lock: of such hooks the last to come is the first to run."""
    script = """
import os, sys
real = os.register_at_fork
def register_at_fork(**hooks):
    ours = "honeytrace._runtime.process"
    if "before" in hooks and getattr(hooks["before"], "__module__", "") == ours:
        print(hasattr(sys.modules.get("logging"), "getLogger"))
    real(**hooks)
os.register_at_fork = register_at_fork
import honeytrace
honeytrace.configure(sink=type("Sink", (), {"deliver": print, "close": print}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["False", "True"]  # the first is of before any call


def test_test_modules_have_names_of_their_own() -> None:
    """pytest imports test modules by their base name, so that a name must not occur twice."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
