"""Several tenants on one server: a key opens the sessions of its tenant alone."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from otlp_messages import export, span
from server_running import running

from honeytrace.errors import ConfigurationError
from honeytrace.server import create_app
from honeytrace.server._keys import Keys
from honeytrace.store.sqlite import SQLiteStore

KEYS = ["one=acme", "two=beta", "three", "four=acme", "padded=="]


@pytest.fixture
def url(store: SQLiteStore) -> Iterator[str]:
    with running(create_app(store, keys=KEYS)) as url:
        yield url


def client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"})


def test_a_key_opens_its_tenant_alone(url: str) -> None:
    """Sessions, events, spans, pages and figures of others are not there."""
    with client(url, "one") as acme, client(url, "two") as beta, client(url, "three") as default:
        for each, name in ((acme, "a"), (beta, "b"), (default, "d")):
            session = {"session_id": "same", "session_name": name}
            assert each.post("/session/start", json={"session": session}).status_code == 200
            assert each.post("/v1/traces", json=export(span(name, "a1"))).json() == {}
        for each, name in ((acme, "a"), (beta, "b"), (default, "d")):
            assert each.get("/session/same").json()["event_name"] == name
            names = {event["event_name"] for event in each.get("/v1/events").json()["events"]}
            assert names == {name}
            assert f">{name}<" in each.get("/sessions/same").text
            assert each.get("/stats").json()["spans stored"] == 1


def test_two_keys_of_one_tenant_see_the_same(url: str) -> None:
    """So that keys can be changed."""
    with client(url, "one") as first, client(url, "four") as second:
        first.post("/session/start", json={"session": {"session_id": "s"}})
        assert second.get("/session/s").status_code == 200


def test_a_browser_sees_the_tenant_of_its_key(url: str) -> None:
    """The ticket is signed with the key, which says the tenant."""
    with client(url, "two") as beta:
        beta.post("/session/start", json={"session": {"session_id": "s"}})
    for key, status in (("one", 404), ("two", 200)):
        with httpx.Client(base_url=url) as browser:
            browser.post("/login", data={"key": key}, headers={"origin": url})
            assert browser.get("/sessions/s").status_code == status


@pytest.mark.parametrize("key", ["acme", "one=acme", "one=", "=", "", "beta", "two=acme"])
def test_the_name_of_a_tenant_opens_nothing(url: str, key: str) -> None:
    """Neither alone nor written behind a key."""
    with client(url, key or "x") as stranger:
        assert stranger.get("/v1/events").status_code == 401


def test_an_equals_sign_at_the_end_belongs_to_the_key() -> None:
    """As base64 has it."""
    keys = Keys(KEYS)
    assert [keys.open(key) for key in ("padded==", "padded", "padded=", "one")] == [
        *("", None, None),
        "acme",
    ]


def test_an_impossible_name_is_an_error() -> None:
    """When the server starts, and not when the key is used."""
    with pytest.raises(ConfigurationError, match="tenant"):
        Keys(["key=no/such"])
