"""The way in for browsers where the server has keys, and what other sites' pages may not do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from viewer_site import call, looked_up, serving

from honeytrace.server._attempts import Attempts
from honeytrace.server._guard import COOKIE
from honeytrace.server._keys import TICKET_SECONDS, Keys
from honeytrace.store.sqlite import SQLiteStore

HTML = {"accept": "text/html,*/*"}


@pytest.fixture
def locked(store: SQLiteStore) -> Iterator[httpx.Client]:
    """A viewer with keys."""
    store.insert([call("s")])
    with serving(store, keys=["one", "two"]) as url, httpx.Client(base_url=url) as client:
        yield client


def own(client: httpx.Client) -> dict[str, str]:
    """The header by which a browser says that a form is on this server's page."""
    return {"origin": str(client.base_url).rstrip("/")}


def log_in(client: httpx.Client, key: str = "two", onward: str = "/") -> httpx.Response:
    return client.post("/login", data={"key": key, "next": onward}, headers=own(client))


@pytest.mark.parametrize(
    "page", ["/", "/sessions/a%2Fb", "/overview?since=1h&name=%26x", "/session/s"]
)
def test_a_browser_is_led_to_the_login_and_back(page: str, locked: httpx.Client) -> None:
    """To the very address it wanted."""
    led = locked.get(page, headers=HTML)
    assert led.status_code == 303
    form = locked.get(led.headers["location"]).text
    onward = re.search(r'name="next" value="([^"]*)"', form)
    assert onward is not None
    assert log_in(locked, onward=onward[1].replace("&amp;", "&")).headers["location"] == page


def test_without_a_key_nothing_is_shown(locked: httpx.Client) -> None:
    """Neither pages nor streams nor values; scripts and styles are nobody's data."""
    for path in ("/", "/live", "/raw/s", "/detail/s", "/sessions/s", "/compare", "/overview"):
        assert locked.get(path).status_code == 401
    assert locked.post("/sessions/s", data={"rating": "5"}).status_code == 401
    login = locked.get("/login").text
    for address in re.findall(r'"(/static/[^"]+)"', login):
        assert locked.get(address).status_code == 200


def test_a_key_lets_a_browser_in(locked: httpx.Client) -> None:
    """The cookie is no key, no script can read it, and no other site's page makes use of it."""
    reply = log_in(locked)
    cookie = reply.headers["set-cookie"]
    assert reply.status_code == 303
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "two" not in cookie
    assert locked.get("/").status_code == 200
    assert locked.get("/login").headers["location"] == "/"
    assert locked.get("/session/s").json()["event_id"] == "s"


@pytest.mark.parametrize("key", ["", "three", "one,two", "\ud83d", "x" * 10_000])
def test_a_wrong_key_is_told(key: str, locked: httpx.Client) -> None:
    """And no cookie given."""
    reply = log_in(locked, key=key.encode("utf-8", "replace").decode())
    assert reply.status_code == 401
    assert "That key is not valid." in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    ("body", "status"), [(b"key=" + b"x" * 20_000, 413), (b"&".join([b"a=1"] * 11), 400)]
)
def test_the_login_form_is_small(body: bytes, status: int, locked: httpx.Client) -> None:
    """A form of megabytes or of many fields is refused before it is parsed."""
    headers = {**own(locked), "content-type": "application/x-www-form-urlencoded"}
    assert locked.post("/login", content=body, headers=headers).status_code == status


def test_guesses_are_limited(locked: httpx.Client) -> None:
    """After ten wrong keys an address has to wait, even with a right one."""
    assert [log_in(locked, key="three").status_code for _ in range(11)] == [401] * 10 + [429]
    reply = log_in(locked)
    assert reply.status_code == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 6


def test_an_address_may_try_again_after_a_while() -> None:
    """One more key every six seconds; other addresses are not held up."""
    now = 0.0
    attempts = Attempts(lambda: now)
    for _ in range(10):
        attempts.failed("a")
    assert (attempts.wait("a"), attempts.wait("b")) == (6, 0)
    now = 6.0
    assert attempts.wait("a") == 0
    attempts.failed("a")
    assert attempts.wait("a") == 6


def test_logging_out_ends_it(locked: httpx.Client) -> None:
    """Until the key is shown again."""
    log_in(locked)
    assert "Log out" in locked.get("/").text
    assert locked.post("/logout", headers=own(locked)).status_code == 303
    assert locked.get("/").status_code == 401


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "", "x"],
)
def test_the_login_leads_nowhere_else(onward: str, locked: httpx.Client) -> None:
    """A link to it cannot send the reader on to another site."""
    assert log_in(locked, onward=onward).headers["location"] == "/"


@pytest.mark.parametrize(
    "ticket", ["", ".", "9999999999.", "9999999999.00", "x.y", "\u00e4.\u00f6", "9" * 5000 + ".0"]
)
def test_a_ticket_cannot_be_made_up(ticket: str, locked: httpx.Client) -> None:
    """It is signed with the key."""
    cookie = f"{COOKIE}={ticket}".encode("latin-1")
    assert locked.get("/", headers={"cookie": cookie}).status_code == 401


def test_a_ticket_ends_with_its_time_and_its_key() -> None:
    """After two weeks, or when its key is withdrawn."""
    now = 1000.0
    keys = Keys(["one", "two"], clock=lambda: now)
    ticket = keys.ticket("two")
    assert keys.admit(ticket) is not None
    assert Keys(["one"], clock=lambda: now).admit(ticket) is None
    now += TICKET_SECONDS
    assert keys.admit(ticket) is None
    assert Keys([]).admit(ticket) is None


CROSS = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},  # another port of localhost
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
]


@pytest.mark.parametrize("headers", CROSS)
def test_another_site_cannot_give_feedback(
    headers: dict[str, str], http: httpx.Client, store: SQLiteStore
) -> None:
    """Not even by a form, for which a browser asks no permission."""
    store.insert([call("s")])
    reply = http.post("/sessions/s", data={"rating": "1"}, headers=headers)
    assert reply.status_code == 403
    assert store.get("s").feedback is None  # type: ignore[union-attr] - it was inserted


@pytest.mark.parametrize("headers", [*CROSS, {}])
def test_a_cookie_alone_changes_nothing(headers: dict[str, str], locked: httpx.Client) -> None:
    """With it, a request must say that it comes from our own page."""
    log_in(locked)
    assert locked.post("/sessions/s", data={"rating": "1"}, headers=headers).status_code in (
        401,
        403,
    )
    assert locked.post("/sessions/s", data={"rating": "1"}, headers=own(locked)).status_code == 303


def test_another_site_may_link_here_and_no_more(http: httpx.Client) -> None:
    """A page opens from a link; as a part of another page it does not load."""
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    part = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert http.get("/", headers=link).status_code == 200
    assert http.get("/", headers=part).status_code == 403


def test_feedback_is_seen_by_get_session(http: httpx.Client, store: SQLiteStore) -> None:
    """What was said before of something else stays."""
    store.insert([call("a/b", feedback={"reviewed": True})])
    reply = http.post(
        "/sessions/a%2Fb", data={"rating": "4", "comment": " good "}, headers=own(http)
    )
    assert reply.headers["location"] == "/sessions/a%2Fb"
    expected = {"reviewed": True, "rating": 4, "comment": "good"}
    assert looked_up(store.path, "a/b")["feedback"] == expected


@pytest.mark.parametrize(
    ("said", "status"),
    [({"rating": "6"}, 400), ({"rating": "x"}, 400), ({}, 400), ({"comment": "x" * 10_001}, 400)],
)
def test_feedback_that_says_nothing_is_refused(
    said: dict[str, str], status: int, http: httpx.Client, store: SQLiteStore
) -> None:
    """With why."""
    store.insert([call("s")])
    reply = http.post("/sessions/s", data=said)
    assert reply.status_code == status
    assert 'class="lead"' in reply.text
    assert http.post("/sessions/none", data={"rating": "1"}).status_code == 404
