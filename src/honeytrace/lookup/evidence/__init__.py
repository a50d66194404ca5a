"""Evidence for a coding agent: six verbs whose answers fit a budget of tokens.

budget     the answer, its budget, and the estimate of tokens
paths      `REF/outputs/choices/0`: paths into sessions
rows       sessions as rows
finding    find, outline and around
reading    read
comparing  compare
tools      the verbs as tools: names, descriptions, JSON schemas
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._record.record import Update
from ...errors import ConfigurationError, HoneytraceError
from ...store import Reader
from ..conditions import query_of
from ..marks import KINDS
from ..naming import named
from ..recorded import RecordedSession
from .budget import DEFAULT, SMALLEST, Answer, Reply, tokens
from .finding import around, find, outline
from .paths import split
from .reading import read_field, read_session

__all__ = ["DEFAULT", "SMALLEST", "Evidence", "Reply", "tokens"]

_NOTE = 2_000
"""Characters of a note."""


class Evidence:
    """Six verbs over a store, for a reader with little room.

    Every answer has at most `budget` tokens by the estimate of `budget.tokens`, says what it
    leaves out and how to get that, and has recorded text only as quoted data. Nothing but `note`
    writes. A session is named by its id, the beginning of one, `@last`, `@last-error`, or `REF:4`
    for call 4 of its tree.

    write: stores an update, after it has masked secrets in it; None: notes are refused.
    """

    def __init__(
        self,
        store: Reader,
        *,
        budget: int = DEFAULT,
        write: Callable[[Update], None] | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        Answer("find", "", budget)  # raises for a budget that is too small
        self._store, self._budget = store, budget
        self._write, self._mask = write, mask

    def find(self, text: str = "", *, mark: str = "", offset: int = 0, **conditions: Any) -> Reply:
        """Find sessions, newest first: runs, and with `text`, `name` or `errors` single calls, too.

        text: words that all occur in name, inputs, outputs or error. conditions: name, status,
        errors (only failures), since, until, project, source. mark: only what has this mark: loop,
        retries, swallowed, slow, tokens, new.
        """
        if mark and mark not in KINDS:
            raise ConfigurationError(f"there is no mark {mark!r}: the marks are {', '.join(KINDS)}")
        given = {name: value for name, value in conditions.items() if value not in (None, "")}
        shown = {**({"text": text} if text else {}), **given, **({"mark": mark} if mark else {})}
        asked = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        if given.pop("errors", False):
            given |= {"status": "error", "error": True}
        nested = bool(text or {"name", "session_name", "status"} & given.keys())
        query = query_of({**given, "roots_only": not nested}, text or None)
        return find(self._store, query, asked, mark or None, _whole(offset), self._budget)

    def outline(self, ref: str, offset: int = 0) -> Reply:
        """Return the tree of a session, failed and marked calls first where it does not fit."""
        session = self._session(ref)
        return outline(self._store, session, _whole(offset), self._budget)

    def read(self, path: str, offset: int = 0) -> Reply:
        """Return a session, or the value at a path in it: `REF/outputs/choices/0/message`."""
        ref, keys = split(path)
        session = self._session(ref)
        if not keys:
            return read_session(session, ref, self._budget)
        return read_field(session, ref, keys, _whole(offset), self._budget)

    def compare(self, before: str, after: str, offset: int = 0) -> Reply:
        """Return the differences between two sessions and everything inside them."""
        from .comparing import compare_runs  # a server of tools starts without it

        pair = self._session(before), self._session(after)
        return compare_runs(*pair, (before, after), _whole(offset), self._budget)

    def around(self, ref: str) -> Reply:
        """Return the calls above a call, and those before and after it, the nearest first."""
        session = self._session(ref)
        run = session
        if session.root_id and session.root_id != session.session_id:
            try:
                run = self._session(session.root_id)
            except HoneytraceError:  # the root is not recorded
                run = session
        return around(session, run, ref, self._budget)

    def note(self, ref: str, text: str, *, now: float) -> Reply:
        """Keep a remark in the feedback of a session; the only verb that writes.

        now: epoch milliseconds, which name the remark.
        """
        session = self._session(ref)
        if self._write is None:
            raise ConfigurationError("notes cannot be written here: the store is read-only")
        if not text.strip() or len(text) > _NOTE:
            raise ConfigurationError(f"a note has 1 to {_NOTE:,} characters, not {len(text):,}")
        from ..._base.lazy import orjson

        said = self._mask(text) if self._mask is not None else text
        key = f"note_{now:.0f}"
        self._write(Update(session.session_id, {"feedback": orjson.dumps({key: said})}))
        answer = Answer("note", f"session {session.session_id}", self._budget)
        answer.fact("kept", f"{session.session_id}/feedback/{key}")
        return answer.done()

    def _session(self, ref: str) -> RecordedSession:
        return named(self._store, ref)


def _whole(offset: int) -> int:
    if not isinstance(offset, int) or offset < 0:
        raise ConfigurationError(f"an offset is 0 or more, not {offset!r}")
    return offset
