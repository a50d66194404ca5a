"""`replay` and `areplay`: one recorded call is made again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._capture.hooks import switch
from .._capture.session import Session
from ..errors import ReplayError
from ..lookup import StoreFamily, get_session
from ..lookup.compare import Comparison
from ..lookup.recorded import RecordedSession
from .annotations import innermost
from .block import Replaying
from .call_plan import Plan, plan
from .tape import Match


@dataclass
class Replayed:
    """A call as it was, and as it is now. `error` is what the call raised; `value` its result."""

    before: RecordedSession
    after: RecordedSession
    comparison: Comparison
    value: Any = None
    error: BaseException | None = None
    notes: list[str] = field(default_factory=list)
    replaying: Replaying | None = None


def replay(
    source: str | RecordedSession,
    *,
    recorded: str | Iterable[str] = (),
    live: str | Iterable[str] = (),
    fn: Callable[..., Any] | None = None,
    set: Mapping[str, Any] | None = None,
    strict: bool = False,
    ignore: Mapping[str, Iterable[str]] | None = None,
    match: Match = "inputs",
) -> Replayed:
    """Make a recorded call again, and compare both runs.

    The function is imported by the name that was recorded, its arguments are rebuilt by its
    annotations, and the new run is recorded inside a session called "replay".

    source: the session of the call, or its id.
    recorded, live, strict, ignore, match: as for `replaying`; by default everything runs.
    fn: the function to call instead of the recorded one.
    set: arguments by parameter, for those that were not recorded or cannot be rebuilt.

    An exception that the call raises is in the result. Raises ReplayError before anything runs,
    and NotRecorded if a strict replay was asked for what was not recorded.
    """
    made = plan(source, recorded=recorded, live=live, fn=fn, set=set, ignore=ignore, match=match)
    return run(made, strict=strict)


async def areplay(
    source: str | RecordedSession,
    *,
    recorded: str | Iterable[str] = (),
    live: str | Iterable[str] = (),
    fn: Callable[..., Any] | None = None,
    set: Mapping[str, Any] | None = None,
    strict: bool = False,
    ignore: Mapping[str, Iterable[str]] | None = None,
    match: Match = "inputs",
) -> Replayed:
    """Make a recorded call of an async function again; `replay` inside a running event loop."""
    made = plan(source, recorded=recorded, live=live, fn=fn, set=set, ignore=ignore, match=match)
    return await arun(made, strict=strict)


def run(made: Plan, *, strict: bool = False, within: Session | None = None) -> Replayed:
    """Run a plan. A coroutine function runs in an event loop of its own.

    within: the open session of this replay; otherwise one is opened.
    """
    if _is_async(made.fn):
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(arun(made, strict=strict, within=within))
        raise ReplayError("an event loop is running here: use `await honeytrace.areplay(…)`")
    block = _block(made, strict, within)
    value, error = None, None
    with block:
        try:
            value = made.fn(*made.arguments.args, **made.arguments.kwargs)
            if inspect.isgenerator(value):
                value = list(value)
        except Exception as raised:  # noqa: BLE001 - what the call raises is its outcome
            error = raised
    return _replayed(made, block, value, error)


async def arun(made: Plan, *, strict: bool = False, within: Session | None = None) -> Replayed:
    """Run a plan inside the running event loop."""
    block = _block(made, strict, within)
    value, error = None, None
    async with block:
        try:
            value = made.fn(*made.arguments.args, **made.arguments.kwargs)
            if inspect.isasyncgen(value):
                value = [item async for item in value]
            elif inspect.isgenerator(value):
                value = list(value)
            elif inspect.isawaitable(value):
                value = await value
        except Exception as raised:  # noqa: BLE001 - what the call raises is its outcome
            error = raised
    return _replayed(made, block, value, error)


def _block(made: Plan, strict: bool, within: Session | None) -> Replaying:
    made.check()
    check_recording()
    return Replaying(
        made.tape,
        made.selector,
        strict=strict,
        of=made.session.session_id,
        source="replay",
        within=within,
    )


def check_recording() -> None:
    """Raise ReplayError if nothing is recorded."""
    if not switch.on:
        raise ReplayError("recording is off, so there is nothing to compare: unset its setting")


def _replayed(made: Plan, block: Replaying, value: Any, error: BaseException | None) -> Replayed:
    assert block.session is not None
    children = block.session.children_ids
    if not children:
        raise ReplayError(f"{made.fn!r} is not traced, so its run was not recorded")
    after = get_session(children[0])
    if isinstance(after._family, StoreFamily):  # the tree of a set may have thousands of calls
        after._family = after._family.younger(after.start_time)
    notes = [*made.arguments.notes, *made.notes]
    notes += [f"ran live: {miss.reason}" for miss in block.ran_live]
    compared = made.session.compare(after)
    return Replayed(made.session, after, compared, value, error, notes, block)


def _is_async(fn: Any) -> bool:
    inner = innermost(fn)
    return any(
        test(each)
        for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for each in (fn, inner)
    )
