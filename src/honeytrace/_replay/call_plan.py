"""`plan`: what a replay imports, calls, answers and cannot rebuild."""

from __future__ import annotations

import inspect
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.commit import commit
from .._capture.registry import spec_of, traced_functions
from ..errors import ReplayError
from ..lookup import get_session
from ..lookup.recorded import RecordedSession
from .arguments import Arguments, arguments_of
from .block import tape_of
from .calls import Call
from .code import Code, code_of, imported, is_script, same_function
from .elsewhere import calls_elsewhere
from .messages import short_id
from .outcomes import outcome_of
from .select import Selector
from .tape import Match, Tape
from .values import NotRebuilt, short


@dataclass
class Plan:
    """A replay before it runs.

    answered: how many calls of each name the recording answers. refused: calls that it cannot
    answer, and why. problems: what stands in the way; `replay` raises them. notes: the rest.
    """

    session: RecordedSession
    fn: Callable[..., Any]
    code: Code | None
    arguments: Arguments
    tape: Tape
    selector: Selector
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return self.arguments.problems

    @property
    def answered(self) -> dict[str, int]:
        return dict(Counter(call.name for call in self.tape.calls))

    def check(self) -> None:
        """Raise ReplayError if the call cannot be made."""
        if self.problems:
            raise ReplayError(f"{self.session.session_name} cannot be called: {self._faults()}")

    def lines(self) -> list[str]:
        """Return the plan as lines of text."""
        session, code = self.session, self.code
        then, now = session.details.get("commit") or _root_commit(session), commit()
        lines = [f"call      {_name(self.fn)}  (imported, so its module's top level has run)"]
        if code is not None and code.at:
            lines.append(f"recorded  {code.function} at {code.at}")
        if then or now:
            lines.append(f"commit    {then or 'unknown'} then, {now or 'unknown'} now")
        lines += [f"  {name} = {_shown(each)}" for name, each in self.arguments.values.items()]
        for name, count in self.answered.items():
            lines.append(f"answered  {name} ({count})")
        lines.append(f"live      {self._live()}")
        lines += [f"refused   {each}" for each in self.refused]
        lines += [f"note      {each}" for each in (*self.arguments.notes, *self.notes)]
        lines += [f"problem   {each}" for each in self.problems]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON has it."""
        return {
            "session_id": self.session.session_id,
            "call": _name(self.fn),
            "arguments": {name: _shown(each) for name, each in self.arguments.values.items()},
            "answered": self.answered,
            "refused": self.refused,
            "notes": [*self.arguments.notes, *self.notes],
            "problems": self.problems,
        }

    def _live(self) -> str:
        names = dict.fromkeys(each.session_name for each, _ in self.session.walk())
        left = [name for name in names if name not in self.answered]
        return ", ".join(left[:8]) + ("…" if len(left) > 8 else "")

    def _faults(self) -> str:
        return "; ".join(self.problems)


def plan(
    source: str | RecordedSession,
    *,
    recorded: str | Iterable[str] = (),
    live: str | Iterable[str] = (),
    fn: Callable[..., Any] | None = None,
    set: Mapping[str, Any] | None = None,
    ignore: Mapping[str, Iterable[str]] | None = None,
    match: Match = "inputs",
) -> Plan:
    """Return what `replay` would do with these arguments; it calls nothing.

    The module of the function is imported, which runs its top level. Raises ReplayError.
    """
    session = source if isinstance(source, RecordedSession) else get_session(str(source))
    code = code_of(session.details.get("code"))
    target = fn if fn is not None else _function(session, code)
    selector = Selector(recorded, live)
    tape = (
        tape_of(session, selector, match=match, ignore=ignore)
        if selector.recorded
        else Tape([], source=short_id(session.session_id))
    )
    if "inputs" in session.details.get("set", ()):
        raise ReplayError(f"the inputs of {session.session_name} were set by the program")
    arguments = arguments_of(target, session.inputs, dict(set or {}), code)
    made = Plan(session, target, code, arguments, tape, selector)
    made.refused += _refused(tape.calls)
    made.notes += _notes_elsewhere(session)
    return made


def _function(session: RecordedSession, code: Code | None) -> Callable[..., Any]:
    if code is None:
        found = [(each, place) for each, place in session.walk() if each.details.get("code")]
        inside = [each for each, place in found if place.depth == 1] or [each for each, _ in found]
        cure = ""
        if inside:
            counts = Counter(each.session_name for each in inside)
            listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common(5))
            cure = (
                f"; inside it: {listed}. Try: honeytrace replay {short_id(inside[-1].session_id)}"
            )
        raise ReplayError(
            f"{session.session_name} is a with-block, and only functions can be replayed{cure}"
        )
    function: Callable[..., Any] = imported(code)
    return function


def _notes_elsewhere(session: RecordedSession) -> list[str]:
    """Return a note about calls that another process made."""
    found = calls_elsewhere(session)
    if not found:
        return []
    names = ", ".join(f"{name} ({count})" for name, count in list(found.items())[:5])
    told = (
        f"another process called {names}: a child process runs live, whatever is recorded. "
        "Answer the function that starts it, and block sockets where nothing may run live"
    )
    return [told]


def _refused(calls: Iterable[Call]) -> list[str]:
    """Return why recorded calls of functions that are traced here cannot be answered."""
    traced = [(each, spec_of(each)) for each in traced_functions()]
    found: list[str] = []
    for call in calls:
        for each, spec in traced:
            known = code_of(spec.code)
            if spec.session_name != call.name or not (
                known is None or call.code is None or same_function(known, call.code)
            ):
                continue
            generator = inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each)
            try:
                outcome_of(call, each, spec, generator=generator)
            except NotRebuilt as error:
                found.append(f"{call.name} ({short_id(call.label)}): {error}")
            break
    return found


def _root_commit(session: RecordedSession) -> str | None:
    if session.parent_id is None or session._family is None:
        return None
    root = session._family.get(session.root_id)
    return None if root is None else root.details.get("commit")


def _name(fn: Any) -> str:
    module = sys.modules.get(getattr(fn, "__module__", None) or "")
    if module is not None and is_script(module.__name__) and getattr(module, "__file__", None):
        return f"{fn.__qualname__} of {os.path.relpath(str(module.__file__))}"
    return f"{getattr(fn, '__module__', '?')}:{getattr(fn, '__qualname__', repr(fn))}"


def _shown(value: Any) -> str:
    return short(value, 100)
