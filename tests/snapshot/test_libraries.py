"""Values of real libraries: recorded without a query, a request or a side effect, and masked."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp.web
import bs4
import cachetools
import django
import httpx
import lazy_object_proxy
import pytest
import requests
import sqlalchemy as sa
import starlette.applications
import starlette.datastructures
import starlette.requests
import starlette.responses
import werkzeug.datastructures
import werkzeug.test
import werkzeug.wrappers
import wrapt
from aiohttp.test_utils import make_mocked_request
from django.conf import settings
from multidict import CIMultiDict
from sqlalchemy import orm

from honeytrace import trace_session
from honeytrace.testing import capture

SECRET = "9f8e7d6c5b4a3210hUnTeR2"


@trace_session
def use(value: Any) -> int:
    return 1


def recorded(value: Any) -> Any:
    with capture() as sessions:
        use(value)
    inputs: dict[str, Any] = sessions[0].inputs
    return inputs["value"]


# requests, responses and headers

NAMES = {"Authorization": f"Token {SECRET}", "X-Api-Key": SECRET, "Cookie": f"session={SECRET}"}
PAIRS = list(NAMES.items())
RAW = [(name.lower().encode(), value.encode()) for name, value in PAIRS]
APP = starlette.applications.Starlette()
APP.state.secret = APP.secret = SECRET  # type: ignore[attr-defined]
SCOPE = {"type": "http", "method": "GET", "path": "/ask", "headers": RAW, "app": APP}
QUERY = f"q=bees&api_key={SECRET}"


def asgi(kind: str) -> Any:
    return {**SCOPE, "type": kind, "query_string": QUERY.encode()}


def _requests_response() -> Any:
    response = requests.Response()
    response.status_code, response.url = 200, f"http://h/?{QUERY}"
    response.headers.update({"Set-Cookie": f"session={SECRET}"})
    return response


def _django_request() -> Any:
    from django.test import RequestFactory

    meta = {"HTTP_AUTHORIZATION": f"Token {SECRET}", "HTTP_COOKIE": f"sessionid={SECRET}"}
    return RequestFactory().get(f"/ask?{QUERY}", **meta)  # type: ignore[arg-type]


WEB: dict[str, Callable[[], Any]] = {
    "starlette request": lambda: starlette.requests.Request(asgi("http")),
    "starlette scope": lambda: asgi("http"),
    "starlette headers": lambda: starlette.datastructures.Headers(raw=RAW),
    "starlette response": lambda: starlette.responses.Response(
        headers={"set-cookie": f"session={SECRET}"}
    ),
    "httpx request": lambda: httpx.Request("GET", f"http://h/?{QUERY}", headers=NAMES),
    "httpx response": lambda: httpx.Response(200, headers=NAMES),
    "httpx headers": lambda: httpx.Headers(NAMES),
    "httpx cookies": lambda: httpx.Cookies({"session": SECRET}),
    "httpx client": lambda: httpx.Client(headers=NAMES, cookies={"session": SECRET}),
    "requests request": lambda: requests.Request("GET", f"http://h/?{QUERY}", headers=NAMES),
    "requests prepared": lambda: requests.Request(
        "GET", f"http://h/?{QUERY}", headers=NAMES, data={"password": SECRET}
    ).prepare(),
    "requests response": _requests_response,
    "urllib request": lambda: urllib.request.Request(f"http://h/?{QUERY}", headers=NAMES),
    "werkzeug request": lambda: werkzeug.wrappers.Request(
        werkzeug.test.EnvironBuilder(path="/ask", query_string=QUERY, headers=PAIRS).get_environ()
    ),
    "werkzeug headers": lambda: werkzeug.datastructures.Headers(PAIRS),
    "werkzeug response": lambda: werkzeug.wrappers.Response(
        "x", headers={"Set-Cookie": f"s={SECRET}"}
    ),
    "aiohttp request": lambda: make_mocked_request("GET", f"/ask?{QUERY}", headers=NAMES),
    "aiohttp response": lambda: aiohttp.web.Response(headers={"Set-Cookie": f"s={SECRET}"}),
    "django request": _django_request,
    "multidict": lambda: CIMultiDict(PAIRS),
    "pairs": lambda: PAIRS,
    "pairs of bytes": lambda: RAW,
}


@pytest.fixture(scope="module", autouse=True)
def _django() -> None:
    if not settings.configured:
        databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        settings.configure(DATABASES=databases, DEBUG=True, ALLOWED_HOSTS=["*"])
        django.setup()


@pytest.mark.parametrize("kind", WEB)
def test_no_credential_of_a_request_is_recorded(kind: str) -> None:
    """Headers, cookies and parameters of the common web libraries are masked or left out."""
    assert SECRET not in json.dumps(recorded(WEB[kind]()))


# rows and models


def test_rows_keep_their_names() -> None:
    """Rows of sqlite3 and SQLAlchemy are mappings, masked by the names of their columns."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    query = "select 'ann' as name, 'hunter2' as password"
    with sa.create_engine("sqlite://").connect() as other:
        result = other.execute(sa.text(query)).one()
        rows = [connection.execute(query).fetchone(), result, result._mapping]
    connection.close()
    assert [recorded(row) for row in rows] == [{"name": "ann", "password": "[redacted]"}] * 3


class Base(orm.DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, name={self.name!r})"


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_expired_model_is_not_loaded(depth: int) -> None:
    """An expired instance runs no query, at any depth, as an argument or in an exception."""
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    queries: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda c, cur, text, *a: queries.append(text))

    @trace_session
    def fail(value: Any) -> None:
        raise ValueError(value)

    with orm.Session(engine) as database:
        user = User(name="ann")
        database.add(user)
        database.commit()
        queries.clear()
        value: Any = user
        for _ in range(depth):
            value = [value]
        recorded(value)
        with capture(), pytest.raises(ValueError):
            fail(value)
        assert not queries
        assert not database.in_transaction()
    engine.dispose()


def test_query_set_is_not_evaluated() -> None:
    """A query set of Django is named, and asks no database."""
    from django.db import connection, models

    class Row(models.Model):
        class Meta:
            app_label = "honeytrace_rows"

    queries = len(connection.queries)
    rows = Row.objects.all()
    assert "QuerySet" in json.dumps(recorded([rows, {"deep": [rows]}]))
    assert rows._result_cache is None  # type: ignore[attr-defined]
    assert len(connection.queries) == queries


# objects that notice when they are looked at


def test_lazy_proxies_are_not_evaluated() -> None:
    """Proxies of wrapt and lazy-object-proxy do not create the object they stand for."""
    made: list[str] = []
    recorded([lazy_object_proxy.Proxy(lambda: made.append("lazy-object-proxy"))])
    recorded([wrapt.LazyObjectProxy(lambda: made.append("wrapt"))])
    assert not made


def test_cache_keeps_its_order() -> None:
    """Recording an LRU cache does not change which key it evicts next."""
    cache = cachetools.LRUCache(3)
    cache.update(a=1, b=2, c=3)
    cache["a"]
    recorded(cache)
    cache["d"] = 4
    assert sorted(cache) == ["a", "c", "d"]


@pytest.fixture
def page() -> Any:
    html = "".join(f"<div><p>paragraph {i} <a href='/x'>link</a></p></div>" for i in range(500))
    return bs4.BeautifulSoup(html, "html.parser")


def test_tags_do_not_unfold_their_document(page: Any) -> None:
    """The tags of a page are recorded by name and text, and not with all that surrounds them."""
    found = recorded(page.find_all("p")[:20])
    assert [tag["name"] for tag in found] == ["p"] * 20
    assert len(json.dumps(found)) < 20_000
