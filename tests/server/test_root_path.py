"""The application below a path: mounted in another one, and behind a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from server_running import running
from starlette.applications import Starlette
from starlette.routing import Mount

from answered import answered
from honeytrace.server import create_app
from honeytrace.store.memory import MemoryStore

HTML = {"accept": "text/html"}
KEY = {"authorization": "Bearer one"}


@contextmanager
def serving(how: str) -> Iterator[httpx.Client]:
    """A client of the application at `/a/ht`: mounted, or behind a proxy."""
    store = MemoryStore()
    store.insert([answered("s/1"), answered("t")])
    if how == "mounted":
        inner = Starlette(routes=[Mount("/ht", create_app(store, keys=["one"]))])
        app: Any = Starlette(routes=[Mount("/a", inner)])
    else:
        app = create_app(store, keys=["one"], root_path="/a/ht/")
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client


def asked(how: str, path: str) -> str:
    """The path as the server sees it when a browser asks for `path`."""
    return path.removeprefix("/a/ht") or "/" if how == "stripped" else path


WAYS = pytest.mark.parametrize("how", ["mounted", "stripped", "kept"])


@WAYS
def test_open_paths_stay_open(how: str) -> None:
    """Health, the login and static files need no key under any path."""
    with serving(how) as client:
        login = client.get(asked(how, "/a/ht/login"))
        assert login.status_code == 200
        assets = re.findall(r'(?:src|href)="([^"]*/static/[^"]+)"', login.text)
        assert assets
        for path in ("/a/ht/health", "/a/ht/openapi.json", *assets):
            assert path.startswith("/a/ht/")
            assert client.get(asked(how, path)).status_code == 200
        assert client.get(asked(how, "/a/ht/session/t")).status_code == 401


@WAYS
def test_a_browser_is_led_to_the_login_and_back(how: str) -> None:
    """The redirects stay below the path, and lead back to the page that was wanted."""
    with serving(how) as client:
        led = client.get(asked(how, "/a/ht/sessions/s%2F1"), headers=HTML)
        assert led.status_code == 303
        assert led.headers["location"].startswith("/a/ht/login?next=")
        form = client.get(asked(how, led.headers["location"])).text
        onward = re.search(r'name="next" value="([^"]*)"', form)
        assert onward is not None
        own = {"origin": str(client.base_url).rstrip("/")}
        data = {"key": "one", "next": onward[1]}
        done = client.post(asked(how, "/a/ht/login"), data=data, headers=own)
        assert done.headers["location"] == "/a/ht/sessions/s%2F1"
        assert client.get(asked(how, done.headers["location"]), headers=HTML).status_code == 200
        out = client.post(asked(how, "/a/ht/logout"), headers=own)
        assert out.headers["location"] == "/a/ht/login"


@WAYS
@pytest.mark.parametrize("page", ["/", "/sessions/s%2F1", "/overview", "/compare?a=t", "/?q=none"])
def test_every_link_of_a_page_stays_below_the_path(how: str, page: str) -> None:
    """Links, forms, scripts and streams of each page are answered."""
    with serving(how) as client:
        html = client.get(asked(how, "/a/ht" + page), headers={**KEY, **HTML}).text
        links = re.findall(r'(?:href|src|action|data-live|data-copy-from)="(/[^"]*)"', html)
        assert links
        assert [link for link in links if not link.startswith("/a/ht/")] == []
        for link in {each.replace("&amp;", "&") for each in links if "/live" not in each}:
            assert client.get(asked(how, link), headers=KEY).status_code in (200, 303, 405)
        assert 'data-root="/a/ht"' in html


@WAYS
def test_the_api_works_below_the_path(how: str) -> None:
    """A client whose server URL has the path starts and reads sessions."""
    with serving(how) as client:
        path = asked(how, "/a/ht/session/start")
        sent = client.post(path, json={"session": {"session_id": "new"}}, headers=KEY)
        assert sent.status_code == 200
        assert client.get(asked(how, "/a/ht/session/new"), headers=KEY).status_code == 200
