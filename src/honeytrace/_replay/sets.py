"""`replay_all`: many recorded calls made again, each scored before and after.

One run never ends a set: a call that cannot be replayed, one that fails, and a score that raises
are rows with their reason.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any, overload

from .._base.lazy import orjson
from .._capture.block import session
from .._capture.exceptions import error_text
from .._capture.hooks import hooks
from .._capture.session import NO_SESSION, Session
from .._display.summary import summary
from ..errors import HoneytraceError, NotRecorded, ReplayError
from ..lookup import get_session
from ..lookup.recorded import RecordedSession
from ..lookup.replays import (
    NOTE,
    SET,
    ReplayRow,
    Replays,
    Score,
    Standing,
    counted,
    figures_of,
    standings,
)
from .block import around
from .call_plan import Plan, plan
from .rerun import Replayed, check_recording, run
from .tape import Match

_LONG, _ASKED = 2_000, 120
"""Characters of a reason or note, and of the inputs, that a row keeps."""

Scored = float | Mapping[str, float] | None
Scorer = Callable[[RecordedSession], "Scored | Awaitable[Scored]"]


class ReplaySet(Sequence[ReplayRow]):
    """The rows of a set in the order of the calls that were given. A notebook shows them as a
    table.

    session_id: the id of the session that holds the set; the viewer shows it at `/replays/ID`.
    replayed: what ran, by the id of the recorded call, with both sessions and their comparison.
    skipped: how many of the given sessions were left out, since replays had recorded them.
    """

    def __init__(
        self,
        session_id: str,
        rows: Iterable[ReplayRow],
        replayed: Mapping[str, Replayed],
        skipped: int = 0,
    ) -> None:
        self.session_id = session_id
        self.skipped = skipped
        self.rows = list(rows)
        self.replayed = dict(replayed)

    @overload
    def __getitem__(self, at: int) -> ReplayRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[ReplayRow]: ...
    def __getitem__(self, at: int | slice) -> ReplayRow | list[ReplayRow]:
        return self.rows[at]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by verdict: match, changed, failed, refused."""
        return counted(self.rows)

    @property
    def scores(self) -> dict[str, Standing]:
        """Every score over the set: the means before and after, and how many rose and fell."""
        return standings(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: `{"set": id, "counts": {…}, "scores": {…}, "runs": […]}`."""
        return {
            "set": self.session_id,
            "counts": self.counts,
            "scores": {name: each._asdict() for name, each in self.scores.items()},
            "runs": [row.to_dict() for row in self.rows],
        }

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in self.counts.items())
        return f"<ReplaySet {told}>"

    def _repr_html_(self) -> str:
        from ..lookup.notebook_replays import replays_html  # only notebooks ask

        return replays_html(self.rows, self.counts, self.scores)


def replay_all(
    sessions: Iterable[str | RecordedSession],
    *,
    score: Scorer | Iterable[Scorer] = (),
    workers: int = 1,
    recorded: str | Iterable[str] = (),
    live: str | Iterable[str] = (),
    fn: Callable[..., Any] | None = None,
    set: Mapping[str, Any] | None = None,
    strict: bool = False,
    ignore: Mapping[str, Iterable[str]] | None = None,
    match: Match = "inputs",
    each: Callable[[ReplayRow], object] | None = None,
) -> ReplaySet:
    """Make many recorded calls again, and compare and score every run before and after.

    sessions: recorded sessions or their ids: `honeytrace.list_sessions(name="answer")`. Sessions
        that a replay recorded are left out.
    score: a function, also an async one, or several. Each gets a session, first the recorded one
        and then the new one, and returns a number, or several by name; None is no score. It reads
        `session.inputs`, `session.outputs`, `session.usage` and whatever else a session has.
    workers: how many calls run at the same time, each in a thread.
    recorded, live, fn, set, strict, ignore, match: as for `replay`.
    each: hears of every row as soon as it is done.

    The set is recorded as a session called "replays", with the runs inside. A call that cannot be
    replayed, or that fails, is a row with the reason, and the others go on. Raises ReplayError if
    nothing can run at all, because recording is off or an option is invalid.
    """
    options = {"live": live, "fn": fn, "set": set, "ignore": ignore, "match": match}
    options = {"recorded": recorded, **options}
    _Set.check(workers, options)
    job = _Set(options, _scorers(score), strict=strict, each=each)
    replays = Replays()
    given = list(sessions)
    own = [s for s in given if not (isinstance(s, RecordedSession) and replays.have(s))]
    return job.run(own, workers, len(given) - len(own))


@dataclass
class _Set:
    """A set that runs."""

    options: Mapping[str, Any]
    scorers: Sequence[Scorer]
    strict: bool
    each: Callable[[ReplayRow], object] | None
    replayed: dict[str, Replayed] = field(default_factory=dict)

    @staticmethod
    def check(workers: int, options: Mapping[str, Any]) -> None:
        """Raise ReplayError for what would refuse every call in the same way."""
        from .select import Selector

        if workers < 1:
            raise ReplayError(f"workers is 1 or more, not {workers}")
        if options["match"] not in ("inputs", "name"):
            raise ReplayError(f'match is "inputs" or "name", not {options["match"]!r}')
        Selector(options["recorded"], options["live"])
        check_recording()

    def run(
        self, sources: Sequence[str | RecordedSession], workers: int, skipped: int
    ) -> ReplaySet:
        inputs = {"calls": len(sources), "recorded": _names(self.options["recorded"])}
        with session(SET, inputs=inputs, sample_rate=1.0, source="replay") as s:
            if s is NO_SESSION:
                raise ReplayError("recording is paused here, so there is nothing to compare")
            rows: dict[int, ReplayRow] = {}
            try:
                for at, row in self._rows(sources, workers):
                    rows[at] = row
                    if self.each is not None:
                        self.each(row)
            finally:  # an interrupted set tells of what was done
                done = [rows[at] for at in sorted(rows)]
                s.outputs = {"counts": counted(done), "scores": _told(standings(done))}
        return ReplaySet(s.session_id, done, self.replayed, skipped)

    def _rows(
        self, sources: Sequence[str | RecordedSession], workers: int
    ) -> Iterator[tuple[int, ReplayRow]]:
        """Yield every row with its place, as soon as it is done."""
        if workers == 1 and not _loop_runs():
            for at, source in enumerate(sources):
                yield at, self._row(source)
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="honeytrace-replay")
        try:
            places: dict[Future[ReplayRow], int] = {}
            for at, source in enumerate(sources):
                # a thread knows the set's session through the context alone
                places[pool.submit(copy_context().run, self._row, source)] = at
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _row(self, source: str | RecordedSession) -> ReplayRow:
        """Replay one call. Only an interrupt is raised."""
        row = ReplayRow("?", str(source), "refused")
        try:
            before = source if isinstance(source, RecordedSession) else get_session(source)
            asked = summary(orjson.dumps(before.inputs))[:_ASKED]
            row = ReplayRow(before.session_name, before.session_id, "refused", asked=asked)
            made = plan(before, **self.options)
            made.check()
        except (HoneytraceError, SystemExit) as error:  # importing a script may exit
            return self._refused(replace(row, reason=_reason(error)))
        except Exception as error:  # noqa: BLE001 - importing and rebuilding run program code
            return self._refused(replace(row, reason=_told_error(error)))
        with around(row.before_id, "replay") as member:
            return _noted(member, self._replayed(made, row, member))

    def _refused(self, row: ReplayRow) -> ReplayRow:
        """Record the row of a call that does not run."""
        with around(row.before_id, "replay") as member:
            return _noted(member, row)

    def _replayed(self, made: Plan, row: ReplayRow, member: Session) -> ReplayRow:
        before = made.session
        try:
            found = run(made, strict=self.strict, within=member)
        except ReplayError as error:
            return replace(row, reason=str(error))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            reason = str(error) if isinstance(error, NotRecorded) else _told_error(error)
            return replace(row, verdict="failed", reason=reason)
        self.replayed[before.session_id] = found
        notes = list(found.notes)
        failed = found.error is not None and before.error is None
        return replace(
            row,
            verdict="failed" if failed else "match" if _is_same(found) else "changed",
            reason=_told_error(found.error) if failed and found.error is not None else "",
            after_id=found.after.session_id,
            calls_changed=len(found.comparison.pairs) - found.comparison.counts["same"],
            before=figures_of(before),
            after=figures_of(found.after),
            scores=self._scores(found, notes),
            notes=notes,
        )

    def _scores(self, found: Replayed, notes: list[str]) -> dict[str, Score]:
        """Return the scores of both sides; a score that raises is a note."""
        sides: list[dict[str, float]] = []
        for side, told in (("before", found.before), ("after", found.after)):
            scores: dict[str, float] = {}
            for scorer in self.scorers:
                try:
                    scores |= _values(scorer, told)
                except Exception as error:  # noqa: BLE001, PERF203 - a score is the program's code
                    notes.append(f"{_name(scorer)} of {side}: {_told_error(error)}")
            sides.append(scores)
        names = dict.fromkeys((*sides[0], *sides[1]))
        return {name: Score(sides[0].get(name), sides[1].get(name)) for name in names}


def _is_same(found: Replayed) -> bool:
    """Return whether the call came to the same: its outputs and its error."""
    changed = {change.path.partition(".")[0] for change in found.comparison.pairs[0].changes}
    return not {each.partition("[")[0] for each in changed} & {"outputs", "error", "status"}


def _noted(member: Session, row: ReplayRow) -> ReplayRow:
    """Record a row with its replay; the scores are metrics, which queries know."""
    notes = [hooks.redact(each)[:_LONG] for each in row.notes]
    row = replace(row, reason=row.reason[:_LONG], notes=notes)
    member._details = {**(member._details or {}), NOTE: row.to_dict()}
    metrics = {name: each.after for name, each in row.scores.items() if each.after is not None}
    member.update(metrics=metrics or None)
    return row


def _values(scorer: Scorer, told: RecordedSession) -> dict[str, float]:
    found: Any = scorer(told)
    if inspect.isawaitable(found):
        found = asyncio.run(_awaited(found))
    if found is None:
        return {}
    if isinstance(found, Mapping):
        return {str(name): float(value) for name, value in found.items() if value is not None}
    return {_name(scorer): float(found)}


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _scorers(score: Scorer | Iterable[Scorer]) -> list[Scorer]:
    found: list[Any] = [*score] if isinstance(score, Iterable) else [score]
    for each in found:
        if not callable(each):
            raise ReplayError(f"score is a function of a session, or several, not {each!r}")
    return found


def _name(scorer: Any) -> str:
    return str(getattr(scorer, "__name__", type(scorer).__name__))


def _names(given: str | Iterable[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _told(found: Mapping[str, Standing]) -> dict[str, dict[str, Any]]:
    return {name: each._asdict() for name, each in found.items()}


def _reason(error: BaseException) -> str:
    return f"its module exits: {error}" if isinstance(error, SystemExit) else str(error)


def _told_error(error: BaseException) -> str:
    return hooks.redact(error_text(error))


def _loop_runs() -> bool:
    """Return whether an event loop runs here, as in a notebook: async calls then need a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


ReplaySet.__module__ = "honeytrace"
