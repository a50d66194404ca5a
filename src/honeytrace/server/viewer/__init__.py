"""The viewer: recorded sessions in a browser.

Pages are rendered on the server, with a little JavaScript of our own on top. Nothing is loaded from
other servers, and there is no build step. Everything but the live list works without JavaScript.

_page       the base of all pages: a page is a dataclass in, HTML out, by a file of templates/
_warmup     prepares indexes and templates before pages need them
_assets     the scripts and styles in static/, at addresses that change with their content
_filters    the state of the list, from its URL, and the query it stands for
_list       the list; _columns and _rows are its columns and rows, _facets its histogram and
            facets; _summary puts a session in one line, _excerpt marks the hits of a search
_live       streams of new sessions; _poller asks the store once for all of them
_export     the sessions of a list as a file
_sample     fills an empty store, with _sample_texts
_session    a session within its tree; _tree lays out the tree
_transcript a run as a conversation
_usage      model, tokens, cost and time to first token of the calls on a page
_code       the place of a call in the source, as a link to an editor
_values     values by their shape; _nodes draws text and JSON, _markdown renders markdown
_running    calls that have not ended yet; _processes shows the processes they run in
_sift       conditions that no engine knows: marks, versions, models
_feedback   a person's rating of a session and comment on it
_comparison two sessions side by side
_replays    a set of replays, every run before and after
_overview   figures over time; _by_code those of each version and commit; _charts draws them
_conversations  runs in groups, by conversation or user
_issues     failures in groups; _failure reads tracebacks
_login      the login page of a server with keys
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...errors import StoreError
from .._http import RefusedError
from ._assets import serve_asset
from ._comparison import show_comparison
from ._conversations import show_conversations
from ._export import export_sessions
from ._facets import show_facets
from ._feedback import give_feedback
from ._issues import show_issues
from ._list import follow_list, load_sample, show_list
from ._live import Live
from ._login import log_in, log_out, show_login
from ._overview import show_overview
from ._page import Problem, Site
from ._processes import show_processes
from ._replays import show_replays
from ._running import Running
from ._session import follow_run, show_detail, show_raw, show_session
from ._transcript import show_transcript
from ._warmup import Ahead

__all__ = ["Ahead", "Live", "Running", "Site", "View", "routes"]

log = logging.getLogger("honeytrace.server")


class View(NamedTuple):
    """The data that the pages of one tenant work on."""

    site: Site
    live: Live


def routes(find: Callable[[Request], View]) -> list[Route]:
    """Return the viewer's routes, all distinct from the API's. `find` returns the tenant of a
    request."""

    def page(path: str, view: Callable[[Site, Request], Response], method: str = "GET") -> Route:
        # This function is not async, so it runs in a worker thread: stores block.
        def endpoint(request: Request) -> Response:
            site = find(request).site
            site.asked.set()
            try:
                return view(site, request)
            except (RefusedError, StoreError) as error:
                return _problem(site, error)

        return Route(path, endpoint, methods=[method])

    def form(path: str, view: Callable[[Site, Request], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            site = find(request).site
            try:
                return await view(site, request)
            except (RefusedError, StoreError) as error:
                return _problem(site, error)

        return Route(path, endpoint, methods=["POST"])

    return [
        page("/", show_list),
        form("/sample", load_sample),
        page("/live", lambda site, request: follow_list(site, find(request).live, request)),
        page("/live/{root_id:path}", lambda site, request: follow_run(find(request).live, request)),
        page("/sessions/{session_id:path}", show_session),
        form("/sessions/{session_id:path}", give_feedback),
        page("/detail/{session_id:path}", show_detail),
        page("/raw/{session_id:path}", show_raw),
        page("/transcript/{session_id:path}", show_transcript),
        page("/running", show_processes),
        page("/conversations", show_conversations),
        page("/facets", show_facets),
        page("/compare", show_comparison),
        page("/replays/{session_id:path}", show_replays),
        page("/export", export_sessions),
        page("/overview", show_overview),
        page("/issues", show_issues),
        page("/login", show_login),
        form("/login", log_in),
        form("/logout", log_out),
        Route("/static/{version}/{name}", serve_asset),
    ]


def _problem(site: Site, error: RefusedError | StoreError) -> Response:
    """Return a page instead of the JSON that programs get."""
    if isinstance(error, RefusedError):
        title = error.code.replace("_", " ").capitalize()
        return site.html(Problem(title, error.status, str(error)), error.status, **error.headers)
    log.error("the viewer: %s", error)
    # The page leaves out the path of the store, which readers must not learn.
    message = "The store cannot be used. See the server's log for the cause."
    return site.html(Problem("Store unavailable", 503, message), 503)
