"""`replaying`: a block in which calls are answered from a recording."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .._capture.block import session
from .._capture.context import current
from .._capture.registry import spec_of, traced_functions
from .._capture.session import NO_SESSION, Session
from .._record.tokens import ANSWERED_FROM
from ..errors import NotRecorded, ReplayError
from ..lookup import get_session
from ..lookup.recorded import RecordedSession
from .calls import Call, calls_in, names_in
from .code import code_of, same_function
from .dispatcher import close_block, open_block
from .in_order import Flight
from .messages import short_id
from .outcomes import Outcome, outcome_of
from .select import Selector
from .tape import Answer, Asked, Match, Miss, Tape
from .values import NotRebuilt

Source = str | RecordedSession | os.PathLike[str]


class Replaying:
    """An open replay: which calls were answered, which were not, and what nobody asked for.

    answered: the calls that were answered, in order.
    ran_live: the calls that ran because nothing recorded answers them; empty if strict.
    first_difference: the first call that was not answered. Later ones often follow from it.
    """

    def __init__(
        self,
        tape: Tape,
        selector: Selector,
        *,
        strict: bool,
        wide: bool = False,
        of: str = "",
        source: str | None = None,
        hint: str = "",
        within: Session | None = None,
    ) -> None:
        self.tape = tape
        self.flight = Flight()
        self.session: Session | None = None
        self.wide = wide
        self.ran_live: list[Miss] = []
        self._selector, self._strict, self._hint = selector, strict, hint
        self._is_quiet = within is not None  # one of a set, which tells of the misses itself
        self._around: AbstractContextManager[Any] = (
            nullcontext(within) if within is not None else around(of, source)
        )

    @property
    def answered(self) -> list[Answer]:
        return self.tape.answered

    @property
    def unused(self) -> list[RecordedSession]:
        """The recorded calls that nobody asked for."""
        return [call.session for call in self.tape.unused() if call.session is not None]

    @property
    def first_difference(self) -> Miss | None:
        return self.tape.missed[0] if self.tape.missed else None

    def __enter__(self) -> Replaying:
        s = self._around.__enter__()
        self.session = None if s is NO_SESSION else s
        try:
            open_block(self)
        except BaseException:
            self._around.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        close_block(self)
        self._around.__exit__(kind, exc, tb)
        if self._strict and self.tape.missed and not isinstance(exc, NotRecorded):
            # the program may have caught it, or a `gather` has returned it
            raise NotRecorded(self.told()) from exc

    async def __aenter__(self) -> Replaying:
        return self.__enter__()

    async def __aexit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        self.__exit__(kind, exc, tb)

    def told(self) -> str:
        """Return the text about the calls that were not answered: the first, and how many more."""
        missed = self.tape.missed
        if not missed:
            return ""
        more = len(missed) - 1
        text = missed[0].reason
        if more:
            text += f"\n  and {more} call{'' if more == 1 else 's'} after it"
        return f"{text}\n  {self._hint}" if self._hint else text

    # for the dispatchers

    def selects(self, spec: Any) -> bool:
        return self._selector.matches(spec.session_name, code_of(spec.code), spec.event_type)

    def answer(
        self, asked: Asked, fn: Any, spec: Any, *, generator: bool
    ) -> tuple[Call, Outcome] | None:
        """Return the answer to a call; None if it is to run. Raises NotRecorded if strict."""
        found = self.tape.take(asked)
        if isinstance(found, Miss):
            self._miss(found)
            return None
        try:
            outcome = outcome_of(found, fn, spec, generator=generator)
        except NotRebuilt as error:
            text = f"{asked.name} has no answer: {error} (recorded in {short_id(found.label)})"
            self._miss(Miss(asked.name, asked.inputs, text))
            return None
        self.tape.note_answer(asked, found)
        _enrich(found, spec)
        return found, outcome

    def _miss(self, miss: Miss) -> None:
        first = self.tape.note_miss(miss)
        if self._strict:
            raise NotRecorded(f"{miss.reason}\n  {self._hint}" if self._hint else miss.reason)
        self.ran_live.append(miss)
        if first and not self._is_quiet:
            print(f"honeytrace: not recorded, so it runs: {miss.reason}", file=sys.stderr)  # noqa: T201


def around(of: str, source: str | None = None) -> session:
    """Return the block that records a replay of the session `of`."""
    return session("replay", metadata={"of": of} if of else None, sample_rate=1.0, source=source)


def _enrich(call: Call, spec: Any) -> None:
    """Give the session of an answered call what its body would have given it."""
    s = current.get()
    if not isinstance(s, Session) or s._end or s._spec is not spec:
        return
    s._details = {**(s._details or {}), ANSWERED_FROM: call.label}
    s.update(metrics=call.metrics or None, config=call.config or None)


def replaying(
    source: Source,
    *,
    recorded: str | Iterable[str],
    live: str | Iterable[str] = (),
    strict: bool = False,
    ignore: Mapping[str, Iterable[str]] | None = None,
    match: Match = "inputs",
) -> Replaying:
    """Answer calls inside `with replaying(…) as replay:` (or `async with`) from a recording.

    The body of an answered call does not run: arguments that it would have changed, context
    variables that it would have set and files that it would have written stay as they are. Choose
    leaves: model calls and tools.

    source: a recorded session, its id, or the path of a cassette.
    recorded: the functions to answer: names of sessions, `"module:qualname"`, or all functions of
        an event type, `"model"`, `"tool"` or `"chain"`. Functions that were not recorded count too.
    live: functions that run although `recorded` names them.
    strict: a call that was not recorded raises NotRecorded, which is no `Exception`. Otherwise it
        runs, and stderr says so once.
    ignore: paths of inputs that may differ, by function: `{"plan": ["messages[].id"]}`.
    match: `"inputs"` answers equal inputs; `"name"` answers in order, whatever the inputs.

    Raises ReplayError if the recording has nothing that could answer.
    """
    if match not in ("inputs", "name"):
        raise ReplayError(f'match is "inputs" or "name", not {match!r}')
    selector = Selector(recorded, live)
    if _is_file(source):
        from .cassette_file import read_cassette

        cassette = read_cassette(os.fspath(source))  # type: ignore[arg-type]
        tape = Tape(cassette.calls, source=cassette.name, match=match, ignore=ignore)
        return Replaying(tape, selector, strict=strict, of=cassette.name)
    root = source if isinstance(source, RecordedSession) else get_session(str(source))
    tape = tape_of(root, selector, match=match, ignore=ignore)
    return Replaying(tape, selector, strict=strict, of=root.session_id)


def tape_of(
    root: RecordedSession,
    selector: Selector,
    *,
    match: Match = "inputs",
    ignore: Mapping[str, Iterable[str]] | None = None,
) -> Tape:
    """Return the tape of a recorded session. Raises ReplayError."""
    calls = calls_in(root, selector)
    _check(root, selector, calls)
    return Tape(calls, source=short_id(root.session_id), match=match, ignore=ignore)


def _is_file(source: Source) -> bool:
    if isinstance(source, RecordedSession):
        return False
    return isinstance(source, os.PathLike) or source.endswith(".jsonl") or os.sep in source


def _check(root: RecordedSession, selector: Selector, calls: list[Call]) -> None:
    """Raise ReplayError for a name that was not recorded, and for calls that are no functions."""
    names = {call.name for call in calls} | {c.code.function for c in calls if c.code}
    missing = sorted(selector.named - names - selector.live)
    if missing and not calls:
        inside = ", ".join(names_in(root)[1:9]) or "nothing"
        raise ReplayError(
            f"{root.session_name} ({short_id(root.session_id)}) has no call of "
            f"{', '.join(missing)}; inside it: {inside}"
        )
    traced = [(spec_of(each), code_of(spec_of(each).code)) for each in traced_functions()]
    for call in calls:
        code = call.code
        if code is None and not any(spec.session_name == call.name for spec, _ in traced):
            raise ReplayError(
                f"{call.name} ({short_id(call.label)}) was recorded by a with-block or by another "
                "tracer, and only calls of traced functions can be answered: put @trace_session "
                f'(event_type="{call.event_type}") on the function around it'
            )
        if code is None or "<locals>" in code.qualname or code.module not in sys.modules:
            continue
        here = any(known is not None and same_function(known, code) for _, known in traced)
        if not here and not any(spec.session_name == call.name for spec, _ in traced):
            raise ReplayError(
                f"{code.module} has no traced {code.qualname} any more (recorded at {code.at})"
            )
