"""A session in its tree, one call in detail, and the raw recorded data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._record.record import OBJECTS, Record
from ...lookup import StoreFamily
from ...lookup.marks import Marks
from ...lookup.recorded import RecordedSession
from ...store import Reader
from .._http import RefusedError, bad_request
from .._root_path import link
from ._code import CodePlace, code_place
from ._failure import Failure, failures
from ._live import Live, here
from ._nodes import Node, Text, nodes
from ._page import INVISIBLE, Page, Site
from ._sift import marks_of
from ._tree import Tree, lay_out, named
from ._usage import UNKNOWN, Figures, run_figures, time_to_first
from ._values import Shown, shown

__all__ = ["Detail", "SessionPage", "find", "follow_run", "show_detail", "show_raw", "show_session"]

_CHILDREN = 30
"""Number of direct calls that are listed; the tree has all of them."""

_MARKED = 5_000
"""Calls that are read for the marks of a run: its own, and those of earlier runs."""

_INDENTED = 2_000_000
"""Size in bytes beyond which raw JSON is not indented, which would double it."""


@dataclass(frozen=True)
class Detail(Page):
    """One session with all its recorded data."""

    template = "detail.html"
    session: RecordedSession
    parent: RecordedSession | None
    children: Sequence[RecordedSession]
    more_children: int
    payloads: Mapping[str, Sequence[Shown]]
    """`inputs` and `outputs`, by shape."""
    facts: Mapping[str, Sequence[Node]]
    """The other recorded objects, by name."""
    notes: Sequence[Node]
    """Details that honeytrace added to the error: causes, members of a group, masked values."""
    error: Text | None
    failures: Sequence[Failure]
    """The error and its causes, the nearest first."""
    raised_in: RecordedSession | None
    """The call inside that raised the error."""
    figures: Figures
    marks: Sequence[tuple[str, str, str]]
    """What is unusual about the call: kind, name and sentence."""
    first: float | None
    """Milliseconds to the first token."""
    code: CodePlace | None
    curl: str
    """A command line; `{origin}` stands for the address of the server."""
    python: str


@dataclass(frozen=True)
class SessionPage(Detail):
    """A session within the tree of calls it was part of."""

    template = "session.html"
    nav = "sessions"
    top: RecordedSession
    """The top session of the page; the selected session is inside it, or the same."""
    tree: Tree
    live: str
    """Address of the live stream while the run has not ended; then empty."""
    total: Figures
    """The figures of the whole run."""
    ticks: Sequence[float]
    """Times at the quarters of the timeline, in milliseconds."""


def show_session(site: Site, request: Request) -> Response:
    """`GET /sessions/{session_id}`."""
    place = here(site.store)
    session = find(site, request)
    reader = site.reader
    figures = run_figures(reader, session.root_id)
    marks = _marks(reader, session)
    top, tree = lay_out(StoreFamily(reader), session, figures, marks)
    ticks = [tree.span * quarter / 4 for quarter in range(5)]
    detail = vars(_detail(site, session, figures, marks))
    root = reader.get(session.root_id)
    running = root is None or root.end_time is None
    live = link(f"/live/{quote(session.root_id, safe='')}?after={place}") if running else ""
    return site.stream(
        SessionPage(
            **detail,
            top=top,
            tree=tree,
            live=live,
            total=figures.get(top.session_id) or UNKNOWN,
            ticks=ticks,
        )
    )


def follow_run(live: Live, request: Request) -> Response:
    """`GET /live/{root_id}`: the numbers of calls of this run that arrived and that changed."""
    root_id = request.path_params["root_id"]

    def counts(*told: Sequence[Record]) -> dict[str, int] | None:
        arrived, changed = (sum(each.root_id == root_id for each in records) for records in told)
        return {"arrived": arrived, "changed": changed} if arrived or changed else None

    return live.follow(request, counts)


def show_detail(site: Site, request: Request) -> Response:
    """`GET /detail/{session_id}`: the part of the page for one call."""
    session = find(site, request)
    figures = run_figures(site.reader, session.root_id)
    return site.html(_detail(site, session, figures, _marks(site.reader, session)))


def _marks(reader: Reader, session: RecordedSession) -> Marks:
    """Return the marks of the run of a session, by the id of the call."""
    record = reader.get(session.session_id)
    return {} if record is None else marks_of(reader, [record], _MARKED)[record.event_id]


def show_raw(site: Site, request: Request) -> Response:
    """`GET /raw/{session_id}`, with `field` for one of the objects: JSON, as plain text."""
    session = find(site, request)
    field = request.query_params.get("field")
    if field is not None and field not in OBJECTS:
        raise bad_request(f"field is one of {', '.join(OBJECTS)}")
    text = orjson.dumps(session.to_dict() if field is None else getattr(session, field))
    if len(text) < _INDENTED:
        text = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2)
    # The JSON stays equivalent; characters that act on a screen are escaped.
    content = text.decode().translate(_ESCAPES)
    return Response(content, media_type="text/plain", headers={"content-security-policy": _BARE})


_ESCAPES = {code: json.dumps(chr(code))[1:-1] for code in INVISIBLE if code >= 0x7F}
_ESCAPES[0x7F] = "\\u007f"
_BARE = "default-src 'none'; sandbox; frame-ancestors 'none'"


def find(site: Site, request: Request) -> RecordedSession:
    """Return the session that the address names. Raises RefusedError."""
    session = StoreFamily(site.reader).get(request.path_params["session_id"])
    if session is None:
        message = (
            "No session has this id. It may have been pruned, or it may still run in a process "
            "without a journal on this machine."
        )
        raise RefusedError(404, "session_not_found", message)
    return session


def _detail(
    site: Site, session: RecordedSession, figures: Mapping[str, Figures], marks: Marks
) -> Detail:
    reader = site.reader
    family = StoreFamily(reader)
    known = reader.get_many(session.children_ids[:_CHILDREN])
    notes = {name: value for name, value in session.details.items() if name not in _DRAWN}
    inside = session.details.get("raised_in")
    raised_in = family.get(inside) if isinstance(inside, str) else None
    header = ' -H "Authorization: Bearer $HH_API_KEY"' if site.keys else ""
    path = link("/session/") + quote(session.session_id, safe="")
    return Detail(
        title=session.session_name,
        session=session,
        parent=family.get(session.parent_id) if session.parent_id else None,
        children=[family.load(record) for record in known],
        more_children=len(session.children_ids) - len(known),
        payloads={name: shown(getattr(session, name)) for name in ("inputs", "outputs")},
        facts=_facts(session),
        notes=nodes(notes),
        error=Text.of(session.error) if session.error else None,
        failures=failures(session.error, session.details) if session.error else (),
        raised_in=raised_in,
        figures=figures.get(session.session_id) or UNKNOWN,
        marks=named(marks.get(session.session_id, ())),
        first=time_to_first(session.metrics),
        code=code_place(session.details, link=not site.keys),
        curl=f"curl{header} {shlex.quote('{origin}' + path)}",
        python=f"import honeytrace\n\nhoneytrace.get_session({session.session_id!r})",
    )


_DRAWN = (
    "traceback",
    "causes",
    "cause_tracebacks",
    "raised_in",
    "parent_id",
    "root_id",
    "status",
    "event_type",
    "code",
    "commit",
    "raised",
    "bare",
    "set",
    "cut",
    "chunks",
)
"""Keys of `details` that the page shows elsewhere."""


def _facts(session: RecordedSession) -> dict[str, Sequence[Node]]:
    names = ("metrics", "feedback", "user_properties", "config", "metadata")
    return {name: nodes(getattr(session, name)) for name in names}
