"""Where a session is looked for, and what is said when it is nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from api_forms import Form
from api_loopback import Loopback, Request, Script, response

from honeytrace.api import Event, HoneyHive, SDKError, SessionNotFoundError, ValidationError

SESSION = {"event_id": "s1", "session_id": "s1", "event_name": "n", "event_type": "session"}
GONE = response(404, {"message": "Route GET:/somewhere not found", "statusCode": 404})
CANNOT = response(404, b"<pre>Cannot GET</pre>", "text/html")
ROUTES = [
    "GET /session/{session_id}",
    "GET /v1/sessions/{session_id}",
    "GET /v1/events/{event_id}",
    "POST /v1/events/search",
]


def offering(routes: dict[str, bytes], otherwise: bytes = CANNOT) -> Script:
    def answer(request: Request) -> bytes:
        path = request.path.replace(
            "s1", "{event_id}" if "events" in request.path else "{session_id}"
        )
        return routes.get(f"{request.method} {path}", otherwise)

    return answer


@pytest.mark.parametrize("gone", [GONE, CANNOT, response(405), response(410)])
@pytest.mark.parametrize(
    ("route", "reply"),
    [
        (ROUTES[0], SESSION),
        (ROUTES[1], {**SESSION, "children": []}),
        (ROUTES[2], {"event": SESSION}),
        (ROUTES[3], {"events": [{**SESSION, "event_id": "other"}, SESSION], "count": 2}),
    ],
)
def test_falls_back(route: str, reply: Any, gone: bytes, form: Form, server: Loopback) -> None:
    """The first route that knows the session answers, in the documented order, and is named."""
    server.script = [offering({route: response(200, reply)}, gone)]
    found = form.get(HoneyHive("key", server_url=server.url), "s1")
    assert isinstance(found, Event)
    assert (found.session_id, found.event_name, found.answered_by) == ("s1", "n", route)
    assert len(server.requests) == ROUTES.index(route) + 1


def test_search_body(server: Loopback, form: Form) -> None:
    """The search asks for the one event that is the session."""
    server.script = [offering({ROUTES[3]: response(200, {"events": [SESSION]})})]
    form.get(HoneyHive("key", server_url=server.url), "s1")
    assert server.requests[-1].json == {
        "filters": [
            {"field": "session_id", "operator": "is", "value": "s1", "type": "string"},
            {"field": "event_type", "operator": "is", "value": "session", "type": "string"},
        ],
        "limit": 1,
        "page": 1,
    }


@pytest.mark.parametrize(
    ("routes", "asked"),
    [
        ({ROUTES[0]: response(404, {"message": "no session s1", "errorCode": "not_found"})}, 1),
        ({ROUTES[0]: response(404, b"Session not found", "text/plain")}, 1),
        ({ROUTES[2]: response(404, {"message": "Event not found"})}, 3),
        ({ROUTES[3]: response(200, {"events": []})}, 4),
        ({ROUTES[3]: response(200, {"count": 0})}, 4),
        ({ROUTES[0]: response(200, None)}, 1),
        ({ROUTES[2]: response(200, {"event": None})}, 3),
        ({ROUTES[1]: response(400), ROUTES[3]: response(200, {"events": [], "count": 0})}, 4),
    ],
)
def test_no_such_session(
    routes: dict[str, bytes], asked: int, form: Form, server: Loopback
) -> None:
    """A server that says the session does not exist is believed, and asked no further."""
    server.script = [offering(routes)]
    outcome = form.get(HoneyHive("key", server_url=server.url), "s1")
    assert type(outcome) is SessionNotFoundError
    assert isinstance(outcome, LookupError)
    assert outcome.conclusive
    assert "No session 's1'" in str(outcome)
    assert len(server.requests) == asked


@pytest.mark.parametrize("reply", [{"events": 5}, {"events": [5]}, []])
def test_an_unreadable_search(reply: Any, form: Form, server: Loopback) -> None:
    """A search that answers nonsense is a ValidationError."""
    server.script = [offering({ROUTES[3]: response(200, reply)})]
    assert type(form.get(HoneyHive("key", server_url=server.url), "s1")) is ValidationError


def test_a_page_is_not_an_answer(form: Form, server: Loopback) -> None:
    """An HTML 404 that happens to speak of sessions is a missing route."""
    page = response(404, b"<html>Your session has no such page</html>", "text/html")
    server.script = [offering({ROUTES[3]: response(200, {"events": [SESSION]})}, page)]
    assert form.get(HoneyHive("key", server_url=server.url), "s1").answered_by == ROUTES[3]


def test_no_lookup_offered(form: Form, server: Loopback) -> None:
    """A server without any of the routes is told apart: it may be the lookup that is missing."""
    server.script = [offering({})]
    outcome = form.get(HoneyHive("key", server_url=server.url), "s1")
    assert type(outcome) is SessionNotFoundError
    assert not outcome.conclusive
    assert outcome.tried == dict.fromkeys(ROUTES, 404)
    assert "offers no lookup" in str(outcome)


@pytest.mark.parametrize(
    "routes",
    [{ROUTES[0]: response(500)}, {ROUTES[0]: response(400)}, {ROUTES[1]: response(403)}],
)
def test_other_failures_end_the_search(
    routes: dict[str, bytes], form: Form, server: Loopback
) -> None:
    """What is no missing route is raised as it is."""
    server.script = [offering(routes)]
    outcome = form.get(HoneyHive("key", server_url=server.url), "s1")
    assert type(outcome) is SDKError
