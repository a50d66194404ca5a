"""The living processes that record on this machine, and the calls that each has open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ...lookup.processes import OpenCall, RunningProcess
from ._page import Page, Site
from ._summary import gist

__all__ = ["ProcessesPage", "show_processes"]

_MOST = 200
"""Open calls of one process that are shown."""


@dataclass(frozen=True)
class Frame:
    """An open call: depth from 0, and its inputs on one line."""

    session_id: str
    name: str
    kind: str
    depth: int
    start: float
    age: float
    """Milliseconds."""
    asked: str


@dataclass(frozen=True)
class Process:
    """A process with its open calls, the outermost first."""

    pid: int
    program: str
    frames: Sequence[Frame]
    more: int
    """Number of open calls that are not shown."""


@dataclass(frozen=True)
class ProcessesPage(Page):
    """What `honeytrace ps` shows."""

    template = "running.html"
    nav = "running"
    processes: Sequence[Process]
    journal: str
    """The directory that is read; empty if this server reads none."""


def show_processes(site: Site, request: Request) -> Response:
    """`GET /running`."""
    found = [_process(each) for each in site.running.processes()]
    return site.html(ProcessesPage("Running", found, site.running.journal))


def _process(found: RunningProcess) -> Process:
    frames = [_frame(call) for call in found.calls[:_MOST]]
    return Process(found.pid, found.program, frames, len(found.calls) - len(frames))


def _frame(call: OpenCall) -> Frame:
    session = call.session
    kind = session.event_type if session.event_type in ("model", "tool") else "call"
    if session.parent_id is None:
        kind = "run"
    return Frame(
        session.session_id,
        session.session_name,
        kind,
        min(call.depth, 20),
        session.start_time,
        call.age,
        gist(orjson.dumps(session.inputs)),
    )
