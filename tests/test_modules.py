"""The package's shape: what imports what, and what `import honeytrace` brings along."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import honeytrace

PACKAGE = Path(honeytrace.__file__).parent

#: The way of a record; a module may import from its own stage and those before it.
STAGES = [
    {"_compiled", "_later"},
    {"errors", "_version", "_context", "_interrupt", "_places", "_outage", "_stats"},
    {"_redact", "_fallback", "_failure", "_record"},
    {"_snapshot", "_session"},
    {"_capture", "_config", "_threads"},
    {"_wrap", "_queue", "_journal"},
    {
        "_encoding",
        "_trace",
        "_sampling",
        "_batch",
        "_aside",
        "_spill",
        "_reader",
        "sinks",
        "store",
        "api",
    },
    {"_overflow", "_passage", "_recovery"},
    {"_flush"},
    {"_keeping", "_ends", "_destination"},
    {"_runtime"},
]

#: What a module may never reach, however far around, when it is imported.
NEVER = {
    "_capture": {"_queue", "_flush", "_runtime", "_config", "sinks", "store", "api", "lookup"},
    "_trace": {"_queue", "_flush", "_runtime", "sinks", "store", "api", "lookup"},
    "_context": {"_session", "_capture", "_runtime", "_queue"},
    "_snapshot": {"_session", "_capture", "_record", "_queue", "_runtime"},
    "_record": {"_session", "_capture", "_queue", "store", "api", "sinks", "_runtime"},
    "store": {"_session", "_capture", "_queue", "_flush", "_runtime", "sinks", "api", "server"},
    "api": {"_session", "_capture", "_queue", "_flush", "_runtime", "store", "sinks", "server"},
    "sinks": {"_capture", "_trace", "_flush", "_runtime", "lookup", "server"},
    "lookup": {"_capture", "_trace", "_wrap", "server", "testing", "cli"},
}


def imports(path: Path) -> set[str]:
    """The modules and rooms of the package that a file imports when it is imported."""
    inside = path.relative_to(PACKAGE).parts[:-1]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.ImportFrom) and child.level:
                base = inside[: len(inside) - child.level + 1]
                dotted = [*base, *(child.module or "").split(".")]
                names = [part for part in dotted if part] or [a.name for a in child.names]
                found.update(names[:1] if child.module or base else names)
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def graph() -> dict[str, set[str]]:
    """Module or room → what of the package it imports."""
    edges: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        edges.setdefault(name, set()).update(imports(path) - {name})
    return edges


def test_imports_follow_the_way_of_a_record() -> None:
    """No module imports from a later stage."""
    edges = graph()
    earlier: set[str] = set()
    for stage in STAGES:
        earlier |= stage
        for name in stage:
            assert edges[name] <= earlier, f"{name} imports {edges[name] - earlier}"


@pytest.mark.parametrize("name", NEVER)
def test_what_a_module_never_reaches(name: str) -> None:
    """A part that must not know another does not import it, directly or around a corner."""
    edges, reached, ahead = graph(), set(), [name]
    while ahead:
        for found in edges.get(ahead.pop(), set()) - reached:
            reached.add(found)
            ahead.append(found)
    assert not reached & NEVER[name]


def test_no_cycles() -> None:
    """The modules can be put in an order in which each imports only those before it."""
    left = graph()
    while left:
        free = {name for name, needs in left.items() if not needs & left.keys()}
        assert free, f"a cycle among {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


def modules_after(statement: str) -> set[str]:
    """The modules loaded by a statement in a fresh interpreter."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_importing_is_light() -> None:
    """`import honeytrace` brings no HTTP client, no JSON, no database, no event loop."""
    brought = modules_after("import honeytrace") - modules_after("pass")
    heavy = {"httpx", "orjson", "sqlite3", "asyncio", "multiprocessing", "random"}
    rooms = {"honeytrace.testing", "honeytrace.api", "honeytrace.server", "honeytrace.cli"}
    assert not brought & (heavy | rooms | {"concurrent.futures", "honeytrace._pytest"})


def test_nothing_is_imported_from_beyond_the_dependencies() -> None:
    """The core imports the standard library, wrapt and orjson alone."""
    brought = {name.partition(".")[0] for name in modules_after("import honeytrace")}
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
    if "before" in hooks and getattr(hooks["before"], "__module__", "") == "honeytrace._ends":
        print(hasattr(sys.modules.get("logging"), "getLogger"))
    real(**hooks)
os.register_at_fork = register_at_fork
import honeytrace
honeytrace.configure(sink=type("Sink", (), {"deliver": print, "close": print}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["True"]
