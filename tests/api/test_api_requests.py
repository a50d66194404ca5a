"""What is sent: bodies as the official clients send them, headers, options, and every route."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from api_forms import Form
from api_loopback import Loopback, Request, response
from openapi_core.exceptions import OpenAPIError

from honeytrace._base.version import __version__
from honeytrace.api import (
    CreateEventRequest,
    EventFilter,
    HoneyHive,
    HoneyHiveCore,
    InvalidRequestError,
    SessionStartRequest,
    ValidationError,
)

# the session reference's example and `config`, as the official clients were captured sending it
# (npm honeyhive 1.0.8 and 1.0.42, PyPI 0.2.57)
CAPTURED: dict[str, Any] = json.loads("""
{"session": {"project": "Simple RAG Project", "session_name": "Playground Session",
"source": "playground", "session_id": "caf77ace-3417-4da4-944d-f4a0688f3c23",
"children_ids": ["7f22137a-6911-4ed3-bc36-110f1dde6b66"], "config": {"k": 1}, "inputs":
{"chat_history": [{"role": "system", "content":
"Answer the user's question only using provided context.\\n\\nContext: Hello world"},
{"role": "user", "content": "What is in the context?"}], "context": "Hello world",
"question": "What is in the context?"}, "outputs": {"content": "Hello world", "role": "assistant"},
"error": "<value>", "duration": 824.8056,
"user_properties": {"user": "google-oauth2|111840237613341303366"}, "metrics": {}, "feedback": {},
"metadata": {}, "start_time": 1712025501605, "end_time": 1712025499832}}
""")
EXAMPLE: dict[str, Any] = CAPTURED["session"]
STARTED = response(200, {"session_id": EXAMPLE["session_id"]})

EVENT = {
    "project": "p", "source": "s", "event_name": "e", "event_type": "tool", "config": {},
    "inputs": {"q": 1}, "duration": 1.5, "end_time": 1712025499832.0,
}  # fmt: skip
MODEL_EVENT = {
    "project": "p", "model": "m", "provider": "o", "messages": [{"role": "user"}],
    "response": {}, "duration": 3, "usage": {"total_tokens": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), EXAMPLE),
        ((EXAMPLE,), {}),
        ((CAPTURED,), {}),
        ((SessionStartRequest(**EXAMPLE),), {}),
        (({"session": SessionStartRequest(**EXAMPLE)},), {}),
        (({**EXAMPLE, "source": "?"},), {"source": "playground"}),
    ],
    ids=["fields", "dict", "wrapped dict", "typed", "wrapped typed", "mixed"],
)
def test_reference_example(
    args: tuple[Any, ...], kwargs: dict[str, Any], form: Form, server: Loopback
) -> None:
    """However it is given, in all four forms, the example leaves as the official body."""
    server.script = [STARTED]
    outcome = form.start(HoneyHive("key", server_url=server.url), *args, **kwargs)
    assert outcome.session_id == EXAMPLE["session_id"]
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/session/start")
    assert request.json == CAPTURED
    assert type(request.json["session"]["end_time"]) is int


def test_reads_back_equal(form: Form, server: Loopback) -> None:
    """What was started reads back equal field by field; the session's name is its event_name."""
    event = {**EXAMPLE, "event_name": EXAMPLE["session_name"], "end_time": 1712025499832.0}
    server.script = [response(200, event)]
    found = form.get(HoneyHive("key", server_url=server.url), EXAMPLE["session_id"])
    assert server.requests[0].path == f"/session/{EXAMPLE['session_id']}"
    assert server.requests[0].body == b""
    kept = {name: getattr(found, name, found.extra.get(name)) for name in EXAMPLE}
    assert kept == EXAMPLE
    assert found.to_dict() == event
    assert type(found.end_time) is int
    assert found.answered_by == "GET /session/{session_id}"


ROUTES: dict[str, tuple[Callable[[HoneyHive], Any], Any]] = {
    "PUT /events": (
        lambda c: c.events.update_event(event_id="e", metrics={"m": 1}),
        {"event_id": "e", "metrics": {"m": 1}},
    ),
    "PUT /events ": (
        lambda c: c.session.update_session("s", feedback={"rating": 5}, end_time=3.0),
        {"event_id": "s", "feedback": {"rating": 5}, "end_time": 3},
    ),
    "POST /events": (lambda c: c.events.create_event({"event": EVENT}), {"event": EVENT}),
    "POST /events/batch": (
        lambda c: c.events.create_event_batch(
            events=[EVENT, CreateEventRequest(**EVENT)], is_single_session=True
        ),
        {"events": [EVENT, EVENT], "is_single_session": True},
    ),
    "POST /events/model": (
        lambda c: c.events.create_model_event(**MODEL_EVENT),
        {"model_event": MODEL_EVENT},
    ),
    "POST /events/model/batch": (
        lambda c: c.events.create_model_event_batch(model_events=[MODEL_EVENT]),
        {"model_events": [MODEL_EVENT]},
    ),
    "POST /events/export": (
        lambda c: c.events.get_events(
            project="p",
            filters=[EventFilter(field="event_type", value="tool")],
            date_range={"$gte": "2024-04-01T22:38:19.000Z"},
            limit=10,
        ),
        {
            "project": "p",
            "filters": [
                {"field": "event_type", "value": "tool", "operator": "is", "type": "string"}
            ],
            "dateRange": {"$gte": "2024-04-01T22:38:19.000Z"},
            "limit": 10,
        },
    ),
    "POST /v1/sessions": (lambda c: c.v1.create_session(session_name="n"), {"session_name": "n"}),
    "POST /v1/events": (
        lambda c: c.v1.create_event(event_type="session", inputs={}),
        {"event_type": "session", "inputs": {}},
    ),
    "POST /v1/events/batch": (
        lambda c: c.v1.create_event_batch(events=[{"event_type": "tool", "inputs": {}}]),
        {"events": [{"event_type": "tool", "inputs": {}}]},
    ),
    "POST /v1/events/search": (lambda c: c.v1.search_events(filters=[]), {"filters": []}),
    "POST /v1/events/export": (lambda c: c.v1.export_events(filters=[]), {"filters": []}),
    "PUT /v1/events/a%2Fb": (
        lambda c: c.v1.update_event("a/b", outputs={"o": 1}),
        {"outputs": {"o": 1}},
    ),
    "GET /v1/events/a%20b%2Fc%3Fd%23%C3%A9": (lambda c: c.v1.get_event("a b/c?d#é"), None),
}


class Awaited:
    """The async twins under the names of the sync methods."""

    def __init__(self, client: HoneyHive) -> None:
        self.session = _Twins(client.session)
        self.events = _Twins(client.events)
        self.v1 = _Twins(client.v1)


class _Twins:
    def __init__(self, group: Any) -> None:
        self.group = group

    def __getattr__(self, name: str) -> Any:
        return getattr(self.group, f"{name}_async")


@pytest.mark.parametrize("twin", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("route", ROUTES)
def test_routes(route: str, twin: bool, server: Loopback) -> None:
    """Each operation takes its route, with the body the contract names."""
    reply = {"event_id": "e", "session_id": "s", "event_ids": ["e"], "events": []}
    server.script = [response(200, reply)]
    call, body = ROUTES[route]
    client: Any = HoneyHive("key", server_url=server.url)

    async def main() -> None:
        async with client:
            await call(cast(HoneyHive, Awaited(client)))

    if twin:
        asyncio.run(main())
    else:
        with client:
            call(client)
    (request,) = server.requests
    assert f"{request.method} {request.path}" == route.strip()
    assert (request.json if request.body else None) == body


def test_async_twins(server: Loopback) -> None:
    """Every method of every group has an async twin with the same parameters."""
    client = HoneyHive()
    for group in (client.session, client.events, client.v1):
        methods = dict(inspect.getmembers(type(group), inspect.isfunction))
        public = [m for m in methods if not m.startswith("_") and not m.endswith("_async")]
        assert public
        for name in public:
            twin = methods[f"{name}_async"]
            assert inspect.iscoroutinefunction(twin)
            assert inspect.signature(twin) == inspect.signature(methods[name])


def test_the_document_is_strict(published: Callable[[Request], None]) -> None:
    """The check that runs over all captured requests does refuse a wrong one."""
    headers = {"content-type": "application/json", "authorization": "Bearer key"}
    good = Request("POST", "/session/start", headers, json.dumps(CAPTURED).encode())
    published(good)
    bad = {"session": {**EXAMPLE, "end_time": 1.5}}
    with pytest.raises(OpenAPIError):
        published(Request("POST", "/session/start", headers, json.dumps(bad).encode()))


def test_replies(server: Loopback) -> None:
    """Replies are typed; what has no field, or not the field's type, is kept in `extra`."""
    event = {"event_id": "e", "error": None, "inputs": [1], "children": [], "start_time": 1.5}
    server.script = [response(200, {"events": [event], "count": 7.0})]
    with HoneyHive("key", server_url=server.url) as client:
        page = client.v1.search_events(filters=[])
    (found,) = page.events
    assert page.total == 7
    assert (found.event_id, found.error, found.inputs, found.start_time) == ("e", None, None, 1.5)
    assert found.extra == {"inputs": [1], "children": []}


def test_replies_lacking_what_matters(server: Loopback) -> None:
    """A 200 without the id that was asked for is no success, and the reply is there to look at."""
    server.script = [response(200, {"success": True})]
    with HoneyHive("key", server_url=server.url) as client:
        for call in (
            lambda: client.session.start_session(project="p", session_name="n", source="s"),
            lambda: client.events.create_event(EVENT),
        ):
            with pytest.raises(ValidationError, match=r"no (session|event)_id") as caught:
                call()
            assert caught.value.raw_response is not None


def test_export_needs_a_project(server: Loopback) -> None:
    """The legacy export refuses a query without project before any I/O."""
    client = HoneyHive("key", server_url=server.url)
    with client, pytest.raises(ValidationError, match="project is required"):
        client.events.get_events(filters=[])
    assert server.requests == []


def test_a_header_that_is_none(form: Form, server: Loopback) -> None:
    """A header no HTTP message can carry is an InvalidRequestError that does not repeat it."""
    options: Any = {"http_options": {"headers": {"x-key": "secret\n"}}}
    outcome = form.start(HoneyHive("key", server_url=server.url), EXAMPLE, options=options)
    assert type(outcome) is InvalidRequestError
    assert "secret" not in repr(outcome)
    assert server.requests == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"end_time": 1.5}, "end_time must be an integer"),
        ({"end_time": True}, "end_time must be an integer"),
        ({"start_time": math.nan}, "start_time must be a finite number"),
        ({"inputs": ["a"]}, "inputs must be a mapping"),
        ({"outputs": "text"}, "outputs must be a mapping"),
        ({"metadata": {1: 2}}, "metadata must be a mapping with string keys"),
        ({"error": ValueError()}, "error must be a string"),
        ({"children_ids": "abc"}, "children_ids must be a list of strings"),
        ({"children_ids": [1]}, "children_ids must be a list of strings"),
        ({"project": None}, "project is required"),
        ({"sesion_id": "1"}, "sesion_id is not a field of SessionStartRequest"),
        ({"inputs": {"x": math.inf}}, "not JSON"),
        ({"inputs": {"x": object()}}, "not JSON"),
    ],
)
def test_refused_before_io(wrong: dict[str, Any], says: str, form: Form, server: Loopback) -> None:
    """A request that the wire cannot carry is refused, naming the field, before any I/O."""
    outcome = form.start(HoneyHive("key", server_url=server.url), {**EXAMPLE, **wrong})
    assert type(outcome) is ValidationError
    assert says in str(outcome)
    assert server.requests == []


@pytest.mark.parametrize("request_", [[], "text", 1, {"session": None, "project": "p"}])
def test_refuses_what_is_no_request(request_: Any, form: Form, server: Loopback) -> None:
    """Something else than a model or a mapping is a ValidationError too."""
    outcome = form.start(HoneyHive("key", server_url=server.url), request_)
    assert type(outcome) is ValidationError
    assert server.requests == []


def test_none_is_absent(form: Form, server: Loopback) -> None:
    """None never becomes null on the wire, and a hostile string arrives as it was."""
    server.script = [STARTED]
    form.start(
        HoneyHive("key", server_url=server.url),
        project="p", session_name="\ud800 é", source="s", error=None, inputs={"n": 10**30},
    )  # fmt: skip
    assert server.requests[0].json["session"] == {
        "project": "p", "session_name": "\ud800 é", "source": "s", "inputs": {"n": 10**30},
    }  # fmt: skip


@pytest.mark.parametrize("session_id", ["", ".", "..", None, 5, "\ud800"])
def test_refuses_ids_that_name_no_session(session_id: Any, form: Form, server: Loopback) -> None:
    """An id that would end up as another route is refused before any I/O."""
    outcome = form.get(HoneyHive("key", server_url=server.url), session_id)
    assert type(outcome) is ValidationError
    assert server.requests == []


def test_headers(server: Loopback) -> None:
    """Call's headers win over the client's and over ours; User-Agent alone stays."""
    server.script = [STARTED]
    mine = {"headers": {"x-a": "client", "x-b": "client", "User-Agent": "me"}}
    theirs = {"headers": {"X-B": "call", "authorization": "Basic x"}, "params": {"q": "1"}}
    with HoneyHive("key", server_url=server.url, http_options=mine) as client:
        client.session.start_session(EXAMPLE, options={"http_options": theirs})
        client.session.start_session(EXAMPLE)
    first, second = (request.headers for request in server.requests)
    assert (first["x-a"], first["x-b"], first["authorization"]) == ("client", "call", "Basic x")
    assert first["user-agent"] == f"honeytrace/{__version__}"
    assert (second["x-b"], second["authorization"]) == ("client", "Bearer key")
    assert second["accept"] == second["content-type"] == "application/json"
    assert server.requests[0].path == "/session/start?q=1"
    server.requests.clear()  # Basic is not what the document asks for


def test_server_url(form: Form, server: Loopback) -> None:
    """A base path is kept and trailing slashes are not; the call's server_url wins."""
    server.script = [STARTED]
    client = HoneyHive("key", server_url="http://127.0.0.1:9/")
    form.start(client, EXAMPLE, options={"server_url": f"{server.url}/api/v9///"})
    assert server.requests.pop().path == "/api/v9/session/start"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server_url", "api.honeyhive.ai"),
        ("server_url", "ftp://host"),
        ("server_url", "http://host:port"),
        ("server_url", 5),
        ("server_url", "https://user:password@host"),
        ("server_url", "https://host/?a=b"),
        ("timeout", 0),
        ("timeout", math.nan),
        ("timeout", "5"),
        ("retries", "backoff"),
        ("retry_codes", ["teapot"]),
        ("retry_codes", "503"),
        ("http_options", {"method": "GET"}),
        ("bearer_auth", ""),
        ("bearer_auth", "two words"),
        ("bearer_auth", "clé"),
        ("bearer_auth", b"key"),
    ],
)
def test_impossible_options(option: str, value: Any, form: Form) -> None:
    """An impossible option is refused at construction, and in the outcome when given to a call."""
    with pytest.raises(ValidationError, match=option):
        HoneyHiveCore(**{"retry_config" if option == "retries" else option: value})
    if option != "bearer_auth":
        outcome = form.start(HoneyHive(), EXAMPLE, options={option: value})
        assert type(outcome) is ValidationError
        assert option in str(outcome)


def test_unknown_option(form: Form) -> None:
    """A misspelt option is named, with the ones there are."""
    outcome = form.start(HoneyHive(), EXAMPLE, options={"time_out": 5})
    assert "time_out" in str(outcome)
    assert "retry_codes" in str(outcome)


def test_injected_clients(server: Loopback) -> None:
    """An httpx client given is used, event hooks and all, and left open."""
    server.script = [STARTED]
    seen: list[int] = []
    hooks = {"response": [lambda reply: seen.append(reply.status_code)]}
    with httpx.Client(event_hooks=hooks) as given:
        with HoneyHive("key", server_url=server.url, client=given, timeout=30) as client:
            client.session.start_session(EXAMPLE)
        assert not given.is_closed
    assert seen == [200]
