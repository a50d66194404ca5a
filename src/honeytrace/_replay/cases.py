"""Cases: one recorded call as a file that a test checks. No judge, no server, no account.

A case is JSON: the function, its inputs, the outcome, and how to compare each field:
`{"outputs": "same", "outputs.id": "any", "outputs.text": "shape", "outputs.n": "checks:close"}`.
The longest path that fits decides. `same` is equality, `shape` compares keys and types, `any`
takes everything, and a function gets the expected and the actual value.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ReplayError
from ..lookup.compare import differences
from ..lookup.recorded import RecordedSession
from ..testing import capture
from .arguments import arguments_of, given_value
from .call_plan import Plan
from .cassette import export_cassette
from .cassette_file import read_cassette, write_text
from .code import Code, code_of, imported, is_script, named, script_path
from .damage import damage
from .messages import short_id
from .rerun import run
from .select import Selector
from .tape import Tape
from .values import short

VERSION = 1
RULES = ("same", "shape", "any")


@dataclass
class CaseResult:
    """A case that ran. `changes` says what differs; `error` why it could not run."""

    case: Case
    changes: list[str] = field(default_factory=list)
    error: str | None = None
    after: RecordedSession | None = None

    @property
    def matches(self) -> bool:
        return not self.changes and self.error is None

    def __str__(self) -> str:
        if self.error is not None:
            return f"ERROR    {self.case.name}: {self.error}"
        if not self.changes:
            return f"MATCH    {self.case.name}"
        return "\n".join([f"CHANGED  {self.case.name}", *(f"  {each}" for each in self.changes)])


@dataclass
class Case:
    """A case that was read. `fields` is the whole file."""

    path: str
    fields: dict[str, Any]

    @property
    def name(self) -> str:
        return os.path.relpath(self.path)

    def run(self) -> CaseResult:
        """Make the call and compare its outcome. Only an interrupt is raised."""
        result = CaseResult(self)
        try:
            with capture():
                result.after = run(self._plan(), strict=True).after
            result.changes = list(self._changes(result.after))
        except ReplayError as error:
            result.error = str(error)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            result.changes = [str(error)]  # a call that the cassette does not answer
        return result

    def check(self) -> None:
        """Raise AssertionError if the outcome is not the expected one."""
        result = self.run()
        assert result.matches, str(result)

    def accept(self, result: CaseResult) -> None:
        """Write the outcome of a run into the file as the expected one."""
        if result.after is not None:
            self.fields.update(_outcome(result.after))
            write_text(self.path, _text(self.fields))

    def _plan(self) -> Plan:
        fields = self.fields
        code = code_of(fields["function"])
        if code is None:
            raise ReplayError(f"{self.name}: function is module:qualname")
        target: Any = imported(code, os.path.dirname(os.path.abspath(self.path)))
        given = {name: given_value(text) for name, text in fields.get("set", {}).items()}
        arguments = arguments_of(target, fields["inputs"], given, code)
        cassette = fields.get("cassette")
        tape, selector = Tape([], source=self.name), Selector(())
        if cassette:
            found = read_cassette(os.path.join(os.path.dirname(self.path), cassette))
            ignore = fields.get("ignore")
            tape = Tape(found.calls, source=found.name, ignore=ignore)
            selector = Selector(found.recorded)
        session = RecordedSession(
            {
                **dict.fromkeys(("project", "source", "error"), ""),
                "session_id": self.name,
                "session_name": code.qualname,
                "children_ids": [],
                "inputs": fields["inputs"],
                "outputs": {},
                "metrics": {},
                "config": {},
                "status": "ok",
                "start_time": 0.0,
                "duration": None,
                "metadata": {},
            }
        )
        return Plan(session, target, code, arguments, tape, selector)

    def _changes(self, after: RecordedSession) -> Iterator[str]:
        rules = {"outputs": "same", "error": "same", **self.fields.get("compare", {})}
        now = _outcome(after)
        for name in ("error", "outputs"):
            yield from _compared(name, self.fields.get(name), now.get(name), rules)


def _compared(path: str, expected: Any, now: Any, rules: Mapping[str, str]) -> Iterator[str]:
    """Yield the differences of a value, each part of it by the rule of the longest path."""
    rule = rules.get(path)
    below = [each for each in rules if each.startswith((f"{path}.", f"{path}["))]
    if rule == "any" and not below:
        return
    both = isinstance(expected, dict) and isinstance(now, dict)
    if below and both:
        for name in dict.fromkeys((*expected, *now)):
            inner = f"{path}.{name}"
            inherited = {inner: rule or "same", **rules}
            yield from _compared(inner, expected.get(name), now.get(name), inherited)
    elif rule == "shape":
        if _shape(expected) != _shape(now):
            yield f"{path}: the shape was {short(_shape(expected))}, is {short(_shape(now))}"
    elif rule in (None, "same"):
        for change in differences(path, expected, now):
            yield f"{change.path}: was {short(change.before)}, is {short(change.after)}"
    elif rule != "any":
        yield from _by_function(path, str(rule), expected, now)


def _by_function(path: str, rule: str, expected: Any, now: Any) -> Iterator[str]:
    try:
        verdict = named(rule)(expected, now)
    except AssertionError as error:
        yield f"{path}: {error or rule}"
    else:
        if not verdict:
            yield f"{path}: {rule} does not take {short(now)} for {short(expected)}"


def _shape(value: Any) -> Any:
    """Return a value with types in place of its leaves; of a list, the shapes that occur."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [json.loads(each) for each in sorted({json.dumps(_shape(item)) for item in value})]
    return "number" if type(value) in (int, float) else type(value).__name__


def read_case(path: str) -> Case:
    """Read a case. Raises ReplayError."""
    try:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
    except (OSError, ValueError) as error:
        raise ReplayError(f"{path}: {error}") from error
    if not isinstance(fields, dict) or fields.get("honeytrace_case") != VERSION:
        raise ReplayError(f"{path} is no case of this version: `honeytrace case add` makes one")
    if not isinstance(fields.get("function"), str) or not isinstance(fields.get("inputs"), dict):
        raise ReplayError(f"{path}: function and inputs are missing")
    for name, rule in fields.get("compare", {}).items():
        if rule not in RULES and ":" not in str(rule):
            raise ReplayError(f"{path}: {name} is compared by {rule!r}; {_KNOWN}")
    return Case(path, fields)


_KNOWN = f"there are {', '.join(RULES)}, and module:function"


def find_cases(places: Iterable[str]) -> list[Case]:
    """Return the cases in files, directories and patterns, by name. Raises ReplayError."""
    found: list[str] = []
    for place in places:
        pattern = os.path.join(place, "*.json") if os.path.isdir(place) else place
        matched = sorted(glob.glob(pattern))
        if not matched:
            raise ReplayError(f"there are no cases at {place}: `honeytrace case add ID {place}`")
        found += matched
    return [read_case(path) for path in dict.fromkeys(found)]


def add_case(
    session: RecordedSession,
    path: str,
    *,
    recorded: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
    compare: Mapping[str, str] | None = None,
) -> Case:
    """Write a recorded call as a case, and its answered calls beside it. Raises ReplayError."""
    code = code_of(session.details.get("code"))
    if code is None:
        raise ReplayError(f"{session.session_name} is a with-block; a case is a function's call")
    given = dict(given or {})
    inputs = {name: value for name, value in session.inputs.items() if name not in given}
    for place, fault in damage(inputs, ""):
        raise ReplayError(f"{place} {fault}: --set {place.partition('.')[0]}=…")
    fields: dict[str, Any] = {
        "honeytrace_case": VERSION,
        "function": _function(code),
        "from": short_id(session.session_id),
        "inputs": inputs,
        **({"set": given} if given else {}),
        **_outcome(session),
        "compare": {"outputs": "same", **(compare or {})},
    }
    if recorded:
        beside = f"{os.path.splitext(path)[0]}.jsonl"
        export_cassette(beside, session, recorded)
        fields["cassette"] = os.path.basename(beside)
    write_text(path, _text(fields))
    return read_case(path)


def _function(code: Code) -> str:
    """Return the name of a function in a case; of a script, with its path from the working
    directory."""
    if not is_script(code.module) or code.file.startswith("<"):
        return code.function
    path = os.path.relpath(script_path(code.file)).replace(os.sep, "/")
    return f"__main__:{code.qualname}@{path}"


def _outcome(session: RecordedSession) -> dict[str, Any]:
    return {"error": session.error, "outputs": session.outputs}


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"
