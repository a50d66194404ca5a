"""Notebooks: a session as HTML is whole, harmless and bounded, whatever was recorded."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

import honeytrace
import honeytrace.testing
from honeytrace import RecordedSession, session, trace_session
from honeytrace._record.record import Record
from honeytrace._record.wire import from_start_session
from honeytrace.lookup import SessionList, StoreFamily
from honeytrace.lookup.notebook import MOST_SESSIONS, list_html
from honeytrace.store import Query
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\u2066\x9b\0\"'><img src=x onerror=alert(1)>"
VOID = {"img", "br", "hr", "input", "meta", "link"}


pytestmark = pytest.mark.usefixtures("alone")


class Page(HTMLParser):
    """The text and the elements of some HTML; fails where elements are not properly nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.deepest = 0
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert tag not in VOID
        self._open.append(tag)
        self.deepest = max(self.deepest, len(self._open))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def having(self, name: str) -> int:
        """How many elements have this class."""
        return sum(name in (attrs.get("class") or "").split() for _, attrs in self.tags)


def show(found: Any) -> Page:
    """What a notebook shows, which never runs, loads or leaks anything."""
    page = Page(found._repr_html_())
    allowed = {"class", "style", "open", "colspan", "title"}
    for tag, attrs in page.tags:
        assert tag not in {"script", "iframe", "object", "link", "img", "form", "a"}
        assert attrs.keys() <= allowed
    assert "url(" not in found._repr_html_()
    return page


def record(event_id: str, **fields: Any) -> Record:
    own = {"parent_id": fields.pop("parent_id", None), "root_id": fields.pop("root_id", None)}
    payload = {"session_id": event_id, "session_name": event_id, "start_time": 1_000.0, **fields}
    return from_start_session({**payload, "metadata": {"honeytrace": own}}, str)


def stored(*records: Record) -> RecordedSession:
    """The first of these records, in a store with all of them."""
    store = MemoryStore()
    store.insert(records)
    found = StoreFamily(store).get(records[0].event_id)
    assert found is not None
    return found


def test_a_session_shows_what_it_took_and_gave() -> None:
    """Name, times, error with traceback, inputs and outputs by shape, and the tree below."""

    @trace_session
    def retrieve(question: str) -> list[dict[str, Any]]:
        return [{"title": "Trains", "text": "They run.", "score": 0.5}]

    @trace_session
    def answer(messages: list[dict[str, str]]) -> None:
        retrieve("why?")
        raise ValueError("no answer")

    with honeytrace.testing.capture() as sessions, pytest.raises(ValueError, match="no answer"):
        answer([{"role": "user", "content": "why so late?"}, {"role": "robot", "content": "hm"}])
    page = show(sessions.by_name("answer")[0])
    for text in ("answer", "ValueError: no answer", "why so late?", "Trains", "They run.", "0.5"):
        assert text in page.texts
    assert 'raise ValueError("no answer")' in page.text
    assert (page.having("ht-user"), page.having("ht-other")) == (1, 1)
    assert page.having("ht-document") == 1
    assert page.having("ht-row") == 2
    assert page.having("ht-failure") == 1


def test_a_tree_opens_on_the_way_to_what_failed() -> None:
    """Of a large tree the first level is open, and every branch with an error in it."""
    records = [record("top", root_id="top")]
    for n in range(60):
        error = {"error": "E: bad"} if n == 7 else {}
        records.append(record(f"mid{n}", parent_id="top", root_id="top"))
        records.append(record(f"low{n}", parent_id=f"mid{n}", root_id="top", **error))
    page = show(stored(*records))
    assert page.having("ht-row") == 121
    opened = [a for t, a in page.tags if "ht-row" in (a.get("class") or "") and "open" in a]
    assert [attrs["style"] for attrs in opened] == ["--d:0", "--d:1"]


def test_bars_lie_where_the_time_went() -> None:
    """As shares of the whole; what still runs reaches to the end."""
    top = record("top", root_id="top", duration=100.0)
    child = record("a", parent_id="top", root_id="top", start_time=1_025.0, duration=50.0)
    running = record("b", parent_id="top", root_id="top", start_time=1_075.0)
    page = show(stored(top, child, running))
    bars = [attrs["style"] for tag, attrs in page.tags if tag == "i"]
    assert bars == [
        "left:0.000%;width:100.000%",
        "left:25.000%;width:50.000%",
        "left:75.000%;width:25.000%",
    ]


@pytest.mark.parametrize(
    "value",
    [
        HOSTILE,
        HOSTILE * 50,
        {HOSTILE: HOSTILE},
        {"a": {HOSTILE: [HOSTILE, {"b": HOSTILE}]}},
        [{"role": HOSTILE, "content": HOSTILE, HOSTILE: HOSTILE}],
        [{"title": HOSTILE, "text": HOSTILE, HOSTILE: {"x": HOSTILE}}],
    ],
)
def test_hostile_content_is_text(value: Any) -> None:
    """Markup, terminal escapes and direction marks are shown, in every place there is."""
    fields = {
        name: {"x": value, HOSTILE: 1}
        for name in ("inputs", "outputs", "metrics", "feedback", "config", "user_properties")
    }
    top = record("top", root_id="top", **fields)._replace(
        event_name=HOSTILE, project=HOSTILE, source=HOSTILE, status=HOSTILE, error=HOSTILE
    )
    child = record("child", parent_id="top", root_id="top", **fields)._replace(
        event_name=HOSTILE, status="error", error=HOSTILE
    )
    found = stored(top, child)
    for page in (show(found), show(SessionList([found], Query()))):
        assert "<script>alert(1)</script>" in page.text
        assert not any(c in "\x1b\u202e\u2066\x9b\0" for c in page.text)
    assert all(line.isprintable() for line in found.tree().splitlines())


def test_sizes_are_bounded() -> None:
    """Five megabytes of text, a million numbers or a name without end make no endless output."""
    million: Any = [[[7] * 100] * 100] * 100
    found = stored(
        record(
            "top",
            session_name="n" * 5_000_000,
            error="e" * 5_000_000,
            inputs={"text": "t" * 5_000_000, "k" * 5_000_000: 1, "numbers": million},
            outputs={"lines": "l\n" * 2_500_000, "texts": ["x" * 90] * 50_000},
        )
    )
    assert len(found._repr_html_()) < 2_000_000
    assert "[4,980,000 more characters]" in show(found).text
    assert len(found.tree()) < 1_000
    assert len(repr(found)) < 1_000
    assert len(list_html([found] * 2_000)) < 2_000_000


def test_trees_are_bounded() -> None:
    """Of 5,000 sessions, side by side or inside one another, the first are drawn, not too deep."""
    payload = {"inputs": {"text": "t" * 10_000}}
    for parent in (lambda n: n - 1, lambda n: 0):
        records = [record("0", root_id="0", **payload)]
        records += [
            record(str(n), parent_id=str(parent(n)), root_id="0", start_time=n * 1.0, **payload)
            for n in range(1, 5_000)
        ]
        found = stored(*records)
        page = show(found)
        assert page.having("ht-row") == MOST_SESSIONS
        assert "… and 4,500 more" in page.text
        assert page.deepest < 100
        assert len(found._repr_html_()) < 2_000_000


def test_deep_json_is_bounded() -> None:
    """JSON nested two hundred levels deep ends with a mark."""
    value: Any = 1
    for _ in range(100):
        value = {"a": [value]}
    page = show(stored(record("top", inputs={"x": value})))
    assert page.deepest < 100
    assert "…" in page.texts


def test_a_wrong_clock_is_shown() -> None:
    """A time that no calendar has is shown as the number it is."""
    child = record("child", parent_id="top", root_id="top", start_time=1e300)
    page = show(stored(record("top", root_id="top", start_time=1e300), child))
    assert f"{1e300:.0f} ms" in page.texts


def test_a_store_that_is_gone_leaves_the_session(tmp_path: Path) -> None:
    """A session in hand is shown when its tree cannot be read any more, with the reason."""
    store = SQLiteStore(tmp_path / "x.db")
    store.insert([record("top", inputs={"q": "why?"})])
    found = StoreFamily(store).get("top")
    store.close()
    page = show(found)
    assert "why?" in page.texts
    assert "is closed" in page.text


def test_a_running_session_shows_itself() -> None:
    """As far as it has got; what is not recorded shows its repr."""
    honeytrace.configure(store="memory://")
    with session("ask", inputs={"question": "why so late?"}) as running:
        with session("search"):
            pass
        drawn = running._repr_html_()
        assert drawn is not None
        page = Page(drawn)
        assert "why so late?" in page.texts
        assert page.having("ht-is-running") >= 1
        assert "search" in page.texts
    assert "search" in Page(running._repr_html_() or "").texts
    honeytrace.configure(enabled=False)
    with session("off") as off:
        assert off._repr_html_() is None


def test_two_runs_compared() -> None:
    """Durations of both, the words that differ, calls added and removed; equal runs are called
    equal."""
    before = record("a", root_id="a", duration=4.0, inputs={"q": "when does the train leave?"})
    inside = record("old", parent_id="a", root_id="a", outputs={"x": HOSTILE})
    after = record("b", session_name="a", root_id="b", duration=9.0,
                   inputs={"q": "when does the bus leave?"}, outputs={"n": [1]})  # fmt: skip
    other = stored(after)
    page = show(stored(before, inside).compare(other))
    assert ("4.0 ms" in page.texts, "9.0 ms" in page.texts) == (True, True)
    marks = [tag for tag, _ in page.tags if tag == "mark"]
    assert len(marks) == 2
    assert page.having("ht-removed") == 1
    assert "outputs" in page.text
    assert "equal" not in page.text
    assert "The two runs are equal" in show(other.compare(other)).text
    assert repr(other.compare(other)) == "<Comparison 1 same, 0 changed, 0 added, 0 removed>"


def test_usage_is_a_table() -> None:
    """A row per model, and their sum; what has no price says so."""
    found = stored(
        record("a", root_id="a"),
        *[
            record(f"m{n}", parent_id="a", root_id="a", config={"model": f"<{n}>"},
                   metrics={"prompt_tokens": 10, "completion_tokens": n, **more})
            for n, more in enumerate(({"cost": 0.25}, {}))
        ],
    )  # fmt: skip
    page = show(found.usage)
    assert [text for text in page.texts if text in ("<0>", "<1>", "all")] == ["<0>", "<1>", "all"]
    assert "no price" in page.texts
    assert "\u2265 $0.25" in page.texts


def test_a_list_is_a_table() -> None:
    """One row a session with a line of what it took and gave; an empty one says so."""
    with honeytrace.testing.capture():
        with session("chat", inputs={"messages": [{"role": "user", "content": "hi"}]}) as s:
            s.outputs = [{"text": "a", "title": "b"}]
        with pytest.raises(KeyError), session("bad"):
            raise KeyError("k")
        page = show(honeytrace.list_sessions())
    rows = [attrs for tag, attrs in page.tags if tag == "tr"]
    assert len(rows) == 3
    assert {"chat", "hi", "1 document", "bad", "error", "KeyError: 'k'"} <= set(page.texts)
    assert "no sessions" in show(SessionList([], Query())).texts


def test_a_session_in_short() -> None:
    """Its repr is one line, with the id to look it up by."""
    found = stored(record("abc", session_name="answer\n", duration=2.0))
    assert repr(found) == "<RecordedSession abc answer·  2.0 ms>"


def test_sessions_as_a_table_of_pandas() -> None:
    """Fields are columns, and so is what is in inputs, outputs and metrics; times are UTC."""
    pandas = pytest.importorskip("pandas")
    with honeytrace.testing.capture(start=1_700_000_000.0, tick=0.5):
        with session("a", inputs={"q": "why"}, metrics={"score": 0.5}) as s:
            s.outputs = {"n": 1}
            with session("b"):
                pass
        table = honeytrace.list_sessions().to_pandas()
        tree = honeytrace.get_session(s.session_id).to_pandas()
    assert list(table["session_name"]) == ["b", "a"]
    assert str(table["start_time"].dtype).endswith("UTC]")
    assert table["start_time"][1] == pandas.Timestamp(1_700_000_000, unit="s", tz="UTC")
    assert table["duration"][1] == 1500.0
    assert (table["inputs.q"][1], table["outputs.n"][1]) == ("why", 1)
    assert table["metrics.score"].mean() == 0.5
    assert tree[["session_name", "depth"]].values.tolist() == [["a", 0], ["b", 1]]


def test_an_empty_list_has_the_columns() -> None:
    """So that code over it need not ask first; a time beyond the calendar is NaT."""
    pandas = pytest.importorskip("pandas")
    assert "duration" in SessionList([], Query()).to_pandas().columns
    table = stored(record("top", start_time=1e300)).to_pandas()
    assert pandas.isna(table["start_time"][0])


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the cure."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        SessionList([], Query()).to_pandas()


def test_payloads_stay_json() -> None:
    """What is shown comes from `to_dict`'s own values, which nothing here changes."""
    found = stored(record("top", inputs={"messages": [{"role": "user", "content": "a"}]}))
    before = orjson.dumps(found.to_dict())
    found._repr_html_()
    assert orjson.dumps(found.to_dict()) == before


def test_the_page_is_true() -> None:
    """What docs/notebook.md tells to type works, on a session of the id it names."""
    pytest.importorskip("pandas")
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown: dict[str, Any] = {}
    with honeytrace.testing.capture(start=1_700_000_000.0, tick=0.1):
        with session("answer", inputs={"question": "why?"}, metrics={"score": 0.25}) as s:
            pass
        assert s.session_id in page
        for snippet in snippets:
            exec(snippet, shown)
    assert len(snippets) == 4
    assert shown["table"]["metrics.score"].tolist() == [0.25]
    assert shown["everything"]["inputs.question"].tolist() == ["why?"]
    assert shown["tree"]["duration"].tolist() == [100.0]
    assert str(MOST_SESSIONS) in page
