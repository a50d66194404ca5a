"""Every page: what it may load, what it shows of what was recorded, and what it refuses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import quote

import httpx
import jinja2.meta
import orjson
import pytest
from viewer_site import HOSTILE, START, as_json, call, ids, many, pipeline, wide

from honeytrace.server import viewer
from honeytrace.server.viewer import _page, _tree
from honeytrace.server.viewer._filters import Filters
from honeytrace.server.viewer._page import Page
from honeytrace.server.viewer._summary import gist
from honeytrace.store.sqlite import SQLiteStore

PAGES = ["/", "/?q=why&scope=calls", "/sessions/root", "/sessions/generate", "/overview",
         "/issues", "/conversations", "/transcript/root", "/compare", "/compare?a=root",
         "/compare?a=root&b=other", "/detail/generate", "/sessions/nothing",
         "/?since=nonsense", "/raw/root", "/live?since=nonsense"]  # fmt: skip


@pytest.fixture
def filled(store: SQLiteStore) -> SQLiteStore:
    store.insert([*pipeline(), call("other", start_time=START - 10_000)])
    return store


@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_load_its_own_alone(page: str, http: httpx.Client, filled: SQLiteStore) -> None:
    """The policy is strict, and the page needs no exception from it: nothing inline or foreign."""
    reply = http.get(page)
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert re.findall(r"<script(?![^>]* src=\"/static/)", reply.text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", reply.text) == []
    assert re.findall(r"(?:src|href|action)=\"(?!/|#)[^\"]+", reply.text) == []


def hostile_store(store: SQLiteStore) -> None:
    objects = ("inputs", "outputs", "config", "metrics", "feedback", "user_properties")
    everywhere = {name: {HOSTILE: HOSTILE} for name in objects}
    documents = [{"text": HOSTILE, "title": HOSTILE, HOSTILE: HOSTILE}]
    messages = [{"role": HOSTILE, "content": HOSTILE}]
    for name, parent in (("a/b?c#d%2F", None), (HOSTILE, "a/b?c#d%2F"), ("b", None)):
        store.insert([
            call(name, parent, session_name=HOSTILE, project=HOSTILE, source=HOSTILE,
                 children_ids=[HOSTILE] if name != HOSTILE else [], error=HOSTILE,
                 own={"traceback": HOSTILE, "notes": [HOSTILE]}, **everywhere)
        ])  # fmt: skip
    store.insert([call("shaped", inputs={"documents": documents}, outputs={"messages": messages})])


@pytest.mark.parametrize(
    "page",
    ["/", "/?scope=calls", "/sessions/a%2Fb%3Fc%23d%252F", "/sessions/shaped", "/detail/shaped",
     "/overview", "/compare?a=b", "/compare?a=a%2Fb%3Fc%23d%252F&b=b", "/compare?a=b&b=shaped"],
)  # fmt: skip
def test_hostile_content_is_shown_harmlessly(
    page: str, http: httpx.Client, store: SQLiteStore
) -> None:
    """Markup is text, and what would act on a screen is made visible."""
    hostile_store(store)
    reply = http.get(page)
    assert reply.status_code == 200
    assert "<script>alert" not in reply.text
    assert "<img src=x" not in reply.text
    # a choice's value and what is copied are exact, and not shown
    seen = re.sub(r' (?:value|data-[a-z-]+)="[^"]*"', "", reply.text)
    assert "\x1b" not in seen
    assert "\u202e" not in seen
    assert "&lt;script&gt;alert(1)" in reply.text
    assert "\u241b[31m" in reply.text
    assert "⟨U+202E⟩" in reply.text


@pytest.mark.parametrize("field", ["q", "name", "project", "user", "since", "metric", "before"])
def test_what_is_typed_is_shown_harmlessly(field: str, http: httpx.Client) -> None:
    """A link to the viewer cannot bring markup along."""
    reply = http.get("/", params={field: HOSTILE})
    assert "<script>alert" not in reply.text
    assert "<img src=x" not in reply.text


def test_a_text_of_megabytes_does_not_fill_the_page(http: httpx.Client, store: SQLiteStore) -> None:
    """Its beginning is there, with the number of characters left; the raw value is whole."""
    text = "x" * 5_000_000
    store.insert([call("big", inputs={"text": text}, outputs={"list": [text] * 2}, error=text)])
    page = http.get("/sessions/big").text
    assert len(page) < 200_000
    assert "5,000,000 characters" in page
    assert len(http.get("/").text) < 50_000
    assert as_json(http.get("/raw/big?field=inputs").text) == {"text": text}


def test_a_deep_value_and_a_broad_one_are_bounded(http: httpx.Client, store: SQLiteStore) -> None:
    """What is not drawn is counted."""
    deep: object = "bottom"
    for _ in range(120):
        deep = {"in": [deep]}
    store.insert([call("s", inputs={"deep": deep}, outputs={"rows": list(range(10_000))})])
    assert ids(http.get("/").text) == ["s"]
    page = http.get("/sessions/s").text
    assert "9,900 more: see the raw value" in page
    assert "1 more: see the raw value" in page
    assert "bottom" in http.get("/raw/s").text


def test_raw_is_the_same_json(http: httpx.Client, store: SQLiteStore) -> None:
    """With what acts on a screen escaped, so that it can be looked at as text."""
    store.insert([call("s", inputs={"text": HOSTILE}, own={"traceback": HOSTILE})])
    reply = http.get("/raw/s")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert "\u202e" not in reply.text
    whole = as_json(reply.text)
    assert whole["inputs"] == {"text": HOSTILE}
    assert whole["metadata"]["honeytrace"]["traceback"] == HOSTILE
    assert http.get("/raw/s?field=event_id").status_code == 400


def test_a_template_uses_what_its_page_declares() -> None:
    """A page's dataclass is the whole of what its template sees."""
    environment = _page._ENVIRONMENT
    pages, ahead = set(), [Page]
    while ahead:
        found = ahead.pop().__subclasses__()
        pages.update(found)
        ahead += found
    assert len(pages) >= 8
    for page in pages:
        source = environment.loader.get_source(environment, page.template)[0]
        used = jinja2.meta.find_undeclared_variables(environment.parse(source))
        own = re.findall(r"(?:import \S+ as|macro) (\w+)", source)
        assert used - {*own} <= {*page.__dataclass_fields__, "asset", "nav", "keyed"}, page


CONDITIONS = [
    ({"project": "support"}, ["slow", "mine"]),
    ({"name": "retrieve"}, ["named"]),
    ({"source": "cron"}, ["named"]),
    ({"status": "error"}, ["failed"]),
    ({"min": "1s"}, ["slow"]),
    ({"min": "2", "max": "3ms"}, ["failed", "named", "mine"]),
    ({"metric": "score<0.5"}, ["failed"]),
    ({"user": "ada@example.com"}, ["mine"]),
    ({"since": "2023-11-14T22:13:21.500"}, ["slow", "failed"]),
    ({"until": "2023-11-15T00:13:20+02:00"}, []),
    ({"until": "2h", "since": "2023-11-14T22:13:23Z"}, ["slow"]),
    ({"q": "because"}, ["slow", "failed", "named", "mine"]),
    ({"q": "because", "scope": "runs", "project": "other"}, ["failed", "named"]),
    ({"scope": "calls", "project": "inner"}, ["inside"]),
    ({"project": "inner"}, []),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_the_list_meets_its_conditions(
    conditions: dict[str, str], expected: list[str], http: httpx.Client, store: SQLiteStore
) -> None:
    """The URL holds the whole state: the same address shows the same sessions, newest first."""
    store.insert([
        call("mine", user_properties={"email": "ada@example.com"}),
        call("named", session_name="retrieve", source="cron", project="other",
             start_time=START + 1000),
        call("failed", error="E: no", metrics={"score": 0.2}, project="other",
             start_time=START + 2000),
        call("slow", duration=1500.0, metrics={"score": 0.8}, start_time=START + 3000),
        call("inside", "mine", project="inner", inputs={}, outputs={}),
    ])  # fmt: skip
    reply = http.get("/", params=conditions)
    assert reply.status_code == 200
    assert ids(reply.text) == expected


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"since": "yesterday"}, "2026-01-31T18:00"),
        ({"min": "fast"}, "250ms"),
        ({"metric": "score"}, "score&lt;0.5"),
        ({"before": "x,y"}, "first page"),
    ],
)
def test_what_cannot_be_meant_is_told(
    conditions: dict[str, str], said: str, http: httpx.Client
) -> None:
    """With an example of what can, and the form still filled in."""
    reply = http.get("/", params=conditions)
    assert reply.status_code == 400
    assert said in reply.text
    assert http.get("/overview", params=conditions).status_code == 400


CHAT = [
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "content": "{}"},
]


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({}, ""),
        ({"question": "Why\n  so?"}, "Why so?"),
        ({"k": 4, "question": "Why?", "db": "main"}, "Why?"),
        ({"messages": CHAT}, "Why?"),
        ({"messages": CHAT[1:]}, "{}"),
        ({"docs": [{"text": "One."}, {"text": "Two."}]}, "2 of One."),
        ({"x": 1, "y": [True], "z": []}, "x: 1 y: 1 of true z: []"),
        ({"a": {"b": {"c": "deep"}}}, "deep"),
        ({"a": "\x1b[0m"}, "␛[0m"),
        ({"a": "x" * 500}, "x" * 159 + "…"),
        ({"a": "x" * 100_000}, '{"a":"' + "x" * 153 + "…"),
        ({"question": None, "messages": "none"}, "none"),
    ],
)
def test_a_line_tells_what_was_asked(inputs: dict[str, object], line: str) -> None:
    """The words a reader looks for first, whatever stands beside them; megabytes are not parsed."""
    assert gist(orjson.dumps(inputs)) == line


NASTY = [
    *("\0", "\x00,\x00", "nan", "inf", "-1", "1e999,x", "'", '"', "a" * 5000, "%", "*", "😀", "/"),
    *("0000-00-00", "99999d", "null", "{{ 7 * 7 }}", "score<nan", "score<1e999", "../..", "-- ;"),
]


@pytest.mark.parametrize("value", NASTY)
def test_nothing_that_is_asked_breaks_the_server(
    value: str, http: httpx.Client, filled: SQLiteStore
) -> None:
    """Whatever stands in an address or a form is an answer or a refusal."""
    names = [field.name for field in dataclasses.fields(Filters)]
    for name in names:
        assert http.get("/", params={name: value}).status_code in (200, 400)
        assert http.get("/overview", params={name: value}).status_code in (200, 400)
    assert (
        http.get("/live", params={"since": value, "before": value, "min": "no"}).status_code == 400
    )
    for pair in ({"a": value}, {"a": "root", "b": value}):
        assert http.get("/compare", params=pair).status_code in (200, 404)
    path = quote(value, safe="")
    for route in ("sessions", "detail", "raw", "static"):
        assert http.get(f"/{route}/{path}").status_code in (400, 404)
    assert http.get("/raw/root", params={"field": value}).status_code == 400
    assert http.post(f"/sessions/{path}", data={"rating": value}).status_code in (400, 404)
    assert http.post("/login", content=value.encode("utf-8", "replace")).status_code == 303


def test_paging_shows_each_session_once(http: httpx.Client, store: SQLiteStore) -> None:
    """From page to page by key, also through sessions that started at the same moment."""
    store.insert([*many(70), *(call(f"same{n:03}", start_time=START) for n in range(90))])
    seen, address = [], "/"
    while address:
        page = http.get(address).text
        seen += ids(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 160
    assert seen[0] == "s0069"


def test_a_session_stands_in_its_tree(http: httpx.Client, filled: SQLiteStore) -> None:
    """The whole run is drawn around the call the address names, which is selected."""
    page = http.get("/sessions/generate").text
    rows = re.findall(
        r'role="treeitem" aria-level="(\d)".*?aria-selected="(\w+)".*?href="([^"]+)"', page
    )
    assert rows == [
        ("1", "false", "/sessions/root"),
        ("2", "false", "/sessions/retrieve"),
        ("2", "true", "/sessions/generate"),
    ]
    assert '<rect x="30.000%" width="60.000%"/>' in page
    assert 'rel="up" href="/sessions/root"' in page


def test_a_session_tells_all_that_was_recorded(http: httpx.Client, filled: SQLiteStore) -> None:
    """By shape: a conversation, documents, an error with its traceback, figures."""
    page = http.get("/sessions/generate").text
    assert page.count('class="turn ') == 2
    assert "Timeout: too late" in page
    assert "line 1" in page
    cards = http.get("/sessions/retrieve").text
    assert "keys.md" in cards
    assert "0.91" in cards
    root = http.get("/sessions/root").text
    for said in ("faithfulness", "ada@example.com", "small", "release"):
        assert said in root


def test_copies_are_ready(http: httpx.Client, filled: SQLiteStore) -> None:
    """As curl, as Python, as JSON; an id that a shell would act upon is quoted."""
    filled.insert([call("it's; rm -rf $HOME")])
    page = http.get("/sessions/it's%3B%20rm%20-rf%20%24HOME").text
    assert "curl {origin}/session/it%27s%3B%20rm%20-rf%20%24HOME" in page.replace(
        "&#39;", "'"
    ).replace("'", "")
    assert "get_session(&#34;it&#39;s; rm -rf $HOME&#34;)" in page
    assert 'data-copy-from="/raw/it%27s%3B%20rm%20-rf%20%24HOME"' in page


def test_an_unknown_session_is_told(http: httpx.Client) -> None:
    """As a page, with why that may be."""
    reply = http.get("/sessions/gone")
    assert reply.status_code == 404
    assert "may still run" in reply.text
    assert reply.headers["content-type"].startswith("text/html")


def test_a_call_whose_run_has_not_ended_is_shown(http: httpx.Client, store: SQLiteStore) -> None:
    """A run is stored when it ends, its calls before that."""
    store.insert(
        [call("inside", "running", children_ids=["deeper"]), call("deeper", "inside", "running")]
    )
    page = http.get("/sessions/inside").text
    assert re.findall(r'aria-level="(\d)"', page) == ["1", "2"]


def test_parents_in_a_circle_are_shown(http: httpx.Client, store: SQLiteStore) -> None:
    """Nonsense that was sent is drawn once, and ends."""
    store.insert([call("a", "b", "a", children_ids=["b"]), call("b", "a", "a", children_ids=["a"])])
    assert http.get("/sessions/a").status_code == 200
    assert http.get("/sessions/b").status_code == 200


def test_a_tree_too_large_for_a_page_is_cut(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how much is left, and a call beyond that is shown with what is inside it."""
    monkeypatch.setattr(_tree, "_MOST", 25)
    store.insert(wide(60))
    page = http.get("/sessions/root").text
    assert page.count('role="treeitem"') == 25
    assert "36 more calls" in page
    beyond = http.get("/sessions/c00050").text
    assert beyond.count('role="treeitem"') == 10


def test_5000_calls_are_one_page(http: httpx.Client, store: SQLiteStore) -> None:
    """Without their payloads, in chunks of a hundred that a browser lays out when they are near."""
    store.insert(wide(5000))
    page = http.get("/sessions/root").text
    assert page.count('role="treeitem"') == 5001
    assert page.count('class="chunk"') == 51
    assert page.count("because") == 1
    assert len(page) < 2_500_000


def test_a_comparison_tells_what_changed(http: httpx.Client, store: SQLiteStore) -> None:
    """Per call: its values, side by side, and how its time changed; ids may be cut short."""
    store.insert([
        call("before", children_ids=["x"], duration=10.0),
        call("x", "before", session_name="search", outputs={"hits": 3}),
        call("later", children_ids=["y", "z"], duration=25.0, start_time=START + 1000),
        call("y", "later", session_name="search", outputs={"hits": 4}),
        call("z", "later", session_name="rerank"),
    ])  # fmt: skip
    page = http.get("/compare", params={"a": "bef", "b": "later"}).text
    assert re.findall(r'<tr class="pair (\w+)"', page) == ["same", "changed", "added"]
    assert "outputs.hits" in page
    assert re.search(r"<del.*?3.*?</del><ins.*?4", page, re.DOTALL)
    assert '<td class="took slower">2.5 times</td>' in page


@pytest.mark.parametrize(("a", "said"), [("s", "more than one"), ("nope", "no session has")])
def test_a_comparison_with_nothing_is_told(
    a: str, said: str, http: httpx.Client, store: SQLiteStore
) -> None:
    """And recent sessions are offered to choose from."""
    store.insert(many(3))
    reply = http.get("/compare", params={"a": a})
    assert reply.status_code == 404
    assert said in reply.text
    assert reply.text.count("/compare?a=s000") == 3


def test_a_comparison_offers_runs_of_the_same_name(http: httpx.Client, store: SQLiteStore) -> None:
    """With the first one chosen, a click chooses the second."""
    store.insert([*many(3), call("else", session_name="other")])
    page = http.get("/compare?a=s0001").text
    assert re.findall(r"/compare\?a=s0001&amp;b=(\w+)", page) == ["s0002", "s0000"]


def test_the_overview_counts(http: httpx.Client, store: SQLiteStore) -> None:
    """Calls, errors and percentiles over time and per name, with the way to the slowest."""
    store.insert(
        [*many(20), call("slowest", duration=90.0), call("bad", error="E", session_name="judge")]
    )
    page = http.get("/overview").text
    assert '<strong class="number">22</strong> calls' in page
    assert '<strong class="number failed">1</strong> failed' in page
    assert 'href="/sessions/slowest">90.0 ms' in page
    assert page.count("<svg viewBox") >= 3
    alone = http.get("/overview?name=judge").text
    assert '<strong class="number">1</strong> calls' in alone
    assert "answer" in alone


def test_an_empty_store_says_how_to_begin(http: httpx.Client) -> None:
    """Every page has something to say."""
    assert "@trace_session" in http.get("/").text
    assert "Nothing was recorded" in http.get("/overview").text
    assert "There are no other sessions" in http.get("/compare").text


def test_scripts_and_styles_are_kept_for_good(http: httpx.Client) -> None:
    """At an address that changes with what they hold; each file that a script imports is there."""
    page = http.get("/").text
    addresses = set(re.findall(r'"(/static/[^"]+)"', page))
    assert len(addresses) >= 4
    folder = next(iter(addresses)).rpartition("/")[0]
    for path in (Path(viewer.__file__).parent / "static").iterdir():
        reply = http.get(f"{folder}/{path.name}")
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
        for name in re.findall(r'from "\./([^"]+)"', reply.text):
            assert (
                http.get(f"{folder}/{name}").headers["content-type"].startswith("text/javascript")
            )
    assert http.get("/static/old/viewer.css").headers["cache-control"] == "no-store"
    assert http.get(f"{folder}/../__init__.py").status_code == 404
    assert http.get(f"{folder}/none.js").status_code == 404
