"""Errors: causes with their frames, the way to where they were raised, and failures in groups."""

from __future__ import annotations

import re

import httpx
import pytest
from viewer_site import START, call

import honeytrace
from honeytrace._record.record import Record
from honeytrace.server.viewer._failure import frames, innermost, type_of
from honeytrace.store.sqlite import SQLiteStore

TRACEBACK = """Traceback (most recent call last):
  File "/app/bot.py", line 7, in answer
    return retrieve(question)
           ^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/httpx/_client.py", line 99, in get
    raise ReadTimeout(message)
ReadTimeout: too late"""


def said(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def failed(name: str, error: str, place: str, **fields: object) -> Record:
    traceback = (
        f'Traceback (most recent call last):\n  File "{place}", line 3, in f\n    x\n{error}'
    )
    return call(name, error=error, own={"traceback": traceback}, **fields)


def test_frames_are_read_from_a_traceback() -> None:
    """File, line, function and code; a package's frames are not the program's own."""
    first, second = frames(TRACEBACK)
    assert (first.file, first.line, first.function) == ("/app/bot.py", 7, "answer")
    assert (first.code, first.own) == ("return retrieve(question)", True)
    assert not second.own
    assert innermost([first, second]) == first
    assert frames("no traceback") == []
    assert innermost([]) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [("E: bad", "E"), ("a.b.E", "a.b.E"), ("went wrong: x", "Error"), ("", "Error")],
)
def test_the_type_of_an_error(error: str, kind: str) -> None:
    """What stands before the colon, where that can be a type."""
    assert type_of(error) == kind


def test_the_program_s_own_frames_are_open(http: httpx.Client, store: SQLiteStore) -> None:
    """Those of packages are folded."""
    store.insert([call("s", error="ReadTimeout: too late", own={"traceback": TRACEBACK})])
    html = http.get("/detail/s").text
    assert re.search(
        r'<li class="frame own"><details open><summary><bdi class="mono">/app/bot', html
    )
    assert re.search(r'<li class="frame"><details><summary><bdi class="mono">/venv/lib', html)


def test_each_cause_has_its_traceback(http: httpx.Client, store: SQLiteStore) -> None:
    """As recorded from a real chain: where the first error arose is seen."""

    def lookup() -> None:
        raise KeyError("lisbon")

    @honeytrace.trace_session
    def answer() -> None:
        try:
            lookup()
        except KeyError as error:
            raise ValueError("no such city") from error

    honeytrace.configure(store=str(store.path), journal=":none:")
    with pytest.raises(ValueError, match="no such city"):
        answer()
    honeytrace.flush()
    (found,) = honeytrace.list_sessions()
    html = http.get(f"/detail/{found.session_id}").text
    page = said(html)
    assert "caused by KeyError: &#39;lisbon&#39;" in page
    assert page.index("caused by") < page.index("in lookup")
    assert "raise KeyError(&#34;lisbon&#34;)" in page


def test_where_an_error_was_raised_is_a_link(http: httpx.Client, store: SQLiteStore) -> None:
    """From the run to the call inside."""
    store.insert([
        call("run", error="E: bad", own={"raised_in": "inner"}, children_ids=["inner"]),
        failed("inner", "E: bad", "/app/a.py", session_name="search", parent="run"),
    ])  # fmt: skip
    html = http.get("/detail/run").text
    assert re.search(r'raised in <a href="/sessions/inner" data-follow><bdi>search', html)


def test_failures_are_grouped_by_type_and_place(http: httpx.Client, store: SQLiteStore) -> None:
    """With count, first and last time, users and examples; a wrapper's copy does not count."""
    many = [
        failed(f"a{n}", f"Timeout: after {n} s", "/app/a.py", start_time=START + n * 1000,
               user_properties={"name": f"user{n % 2}"})
        for n in range(5)
    ]  # fmt: skip
    store.insert([
        *many,
        failed("b", "Timeout: late", "/app/b.py"),
        failed("c", "KeyError: x", "/app/a.py"),
        call("outer", error="KeyError: x", own={"raised_in": "c"}),
        call("plain", error="something without frames"),
    ])  # fmt: skip
    html = http.get("/issues").text
    groups = [said(each) for each in html.split('<li class="issue">')[1:]]
    assert len(groups) == 4
    assert groups[0].startswith("Timeout 5 times after 4 s /app/a.py :3 in f")
    assert "2 users" in groups[0]
    assert "4 issues" in said(html)
    assert "8 failures" in said(html)
    assert html.count('href="/sessions/a') == 3
    assert "in answer" in next(each for each in groups if "Error once" in each)


def test_a_period_without_failures_says_so(http: httpx.Client, store: SQLiteStore) -> None:
    """Nothing failed, or nothing in that time; nonsense is refused."""
    store.insert([failed("a", "E: bad", "/app/a.py")])
    assert "Nothing failed" in http.get("/issues?since=24h").text
    assert http.get("/issues?since=nonsense").status_code == 400
