"""Every route of the server, asked by one tenant for the sessions of another by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from otlp_messages import export, span
from server_running import running
from starlette.applications import Starlette
from starlette.routing import Route

from engines import postgres_server
from honeytrace.server import create_app
from honeytrace.store import Query, Store, open_store

SECRET = "zebrafish"
"""Stands in every text of the other tenant, and in nothing that is asked."""

ROOT, CALL, SPAN = "theirs", "theirs-call", "theirs-span"

QUERIES = (
    "",
    "?after=0-0",
    f"?id={ROOT}&id={CALL}",
    f"?a={ROOT}&b={CALL}",
    "?scope=calls&by=user",
    "?scope=calls&before={cursor}",
    "?limit=1&page=2",
    "?filters=[]&limit=100",
    f'?filters=[{{"field":"session_id","value":"{ROOT}","operator":"is"}}]',
    "?q=z&format=jsonl",
)
"""Conditions, ids and cursors of the other tenant, for routes that read."""

EVENT = {"event_id": CALL, "session_id": ROOT, "event_type": "tool", "event_name": "mine"}
MINE = {**EVENT, "parent_id": ROOT, "inputs": {"by": "me"}, "project": "p", "source": "s"}
FEEDBACK = {"event_id": ROOT, "feedback": {"rating": 1}, "metadata": {"mine": True}}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/session/start"): {"session": {"session_id": ROOT, "session_name": "mine"}},
    ("POST", "/session/start/batch"): {"sessions": [{"session_id": ROOT, "session_name": "mine"}]},
    ("POST", "/session/{session_id:path}/traces"): {"logs": [MINE]},
    ("POST", "/events"): {"event": MINE},
    ("PUT", "/events"): FEEDBACK,
    ("POST", "/events/batch"): {"events": [MINE], "is_single_session": True},
    ("POST", "/events/model"): {"model_event": {**MINE, "model": "m"}},
    ("POST", "/events/model/batch"): {"model_events": [{**MINE, "model": "m"}]},
    ("POST", "/events/export"): {"filters": [], "limit": 100},
    ("POST", "/v1/sessions"): {"session_id": ROOT, "session_name": "mine"},
    ("POST", "/v1/sessions/{session_id:path}/events/batch"): {"events": [MINE]},
    ("POST", "/v1/events"): MINE,
    ("POST", "/v1/events/batch"): {"events": [MINE]},
    ("POST", "/v1/events/search"): {"filters": [], "limit": 100},
    ("POST", "/v1/events/export"): {"project": "p", "filters": []},
    ("PUT", "/v1/events/{event_id:path}"): FEEDBACK,
    ("POST", "/sample"): b"",
    ("POST", "/sessions/{session_id:path}"): b"rating=1&comment=mine",
    ("POST", "/login"): b"key=one",
    ("POST", "/logout"): b"",
    **{
        ("POST", f"{prefix}/v1/{signal}"): export(span("mine", SPAN[-6:], "a1"))
        for prefix in ("", "/opentelemetry")
        for signal in ("traces", "logs", "metrics")
    },
}
"""The body of each route that writes or takes one, with the other tenant's ids."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with postgres_server() as (url, _):
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A file each, or rows of one table."""
    url = str(tmp_path / "x.db")
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
    with closing(open_store(url)) as opened:
        yield opened


def test_no_route_leads_to_another_tenant(store: Store) -> None:
    """By id, by list, by search, by cursor, by trace or by stream: nothing of the others is shown,
    and what is written under their ids changes nothing of theirs."""
    app = create_app(store, keys=["one=mine", "two=theirs"])
    with running(app) as url, _client(url, "two") as they, _client(url, "one") as me:
        _fill(they)
        theirs = store.for_tenant("theirs")
        before, place = list(theirs.list(Query())), theirs.changed(None).last
        cursor = f"{before[-2].start_time}~{before[-2].event_id}"
        answered = set()
        for method, path in _routes(app):
            where = re.sub(r"{[^}]+}", ROOT, path)
            for query in _queries(method, path, cursor):
                reply = _ask(me, method, where + query, BODIES.get((method, path)))
                assert SECRET not in reply, (method, where, query)
            answered.add((method, path))
        assert answered >= BODIES.keys()  # each of them is a route
        assert len(_shown_to(they, app)) > 10
        assert list(theirs.list(Query())) == before
        assert not theirs.changed(place).records
        assert not theirs.waiting([ROOT, CALL, *(each.event_id for each in before)])
        assert any(each.event_id == ROOT for each in store.for_tenant("mine").list(Query()))


def _routes(app: Starlette) -> list[tuple[str, str]]:
    """Every method and path, those that write last."""
    found = [
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    ]
    assert len(found) > 40
    unknown = {each for each in found if each[0] != "GET"} - BODIES.keys()
    assert not unknown, f"give these a body: {unknown}"
    # the sessions of this tenant's own come last, so that they are not found by the others' ids
    return sorted(found, key=lambda each: (each[0] != "GET", "/live" in each[1], each[1]))


def _shown_to(client: httpx.Client, app: Starlette) -> set[str]:
    """The paths that show this tenant the text."""
    paths = [path for method, path in _routes(app) if method == "GET" and "/live" not in path]
    asked = {path: re.sub(r"{[^}]+}", ROOT, path) for path in paths}
    return {path for path, where in asked.items() if SECRET in client.get(where).text}


def _client(url: str, key: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}", "origin": url}
    return httpx.Client(base_url=url, headers=headers, timeout=30)


def _queries(method: str, path: str, cursor: str) -> list[str]:
    if method != "GET":
        return [""]
    if path.startswith("/live"):
        return ["?after=1-0"]
    return [each.replace("{cursor}", cursor) for each in QUERIES]


def _ask(client: httpx.Client, method: str, path: str, body: Any) -> str:
    """What the server says; a stream is read up to a session of one's own."""
    content = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
    kind = "application/x-www-form-urlencoded" if isinstance(body, bytes) else "application/json"
    if not path.startswith("/live"):
        headers = {"content-type": kind}
        return client.request(method, path, content=content, headers=headers).text
    said = ""
    with client.stream(method, path) as reply:
        _write_own(client)
        for line in reply.iter_lines():
            said += line
            if "own-name" in line or '"arrived":1,' in line:  # a run tells numbers alone
                return said
    raise AssertionError(f"{path} ended without the session of its own tenant")


def _write_own(client: httpx.Client) -> None:
    """A session, and a call in the run that has the id of the other tenant's."""
    assert client.post("/v1/sessions", json={"session_name": "own-name"}).status_code == 200
    call = {**MINE, "event_id": "own", "event_name": "own-name"}
    assert client.post("/v1/events", json=call).status_code == 200


def _fill(client: httpx.Client) -> None:
    """A run with a call, an update, spans of a trace, and an update that waits."""
    text = {"inputs": {"q": SECRET}, "outputs": {"a": SECRET}, "metadata": {"m": SECRET}}
    more = {"user_properties": {"name": SECRET}, "project": SECRET, "source": SECRET}
    session = {"session_id": ROOT, "session_name": SECRET, **text, **more}
    assert client.post("/session/start", json={"session": session}).status_code == 200
    event = {**EVENT, "event_name": SECRET, "parent_id": ROOT, "error": SECRET, **text, **more}
    assert client.post("/events", json={"event": event}).status_code == 200
    told = {"event_id": ROOT, "feedback": {"comment": SECRET}}
    assert client.put("/events", json=told).status_code == 200
    spans = [span(SECRET, "a1"), span(SECRET, SPAN[-6:], "a1")]
    assert client.post("/v1/traces", json=export(*spans)).status_code == 200
