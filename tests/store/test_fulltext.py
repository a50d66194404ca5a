"""Search finds every word wherever it may stand, whatever happened to the text since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_records import START, numbered, record

from honeytrace._record.record import Record, Update
from honeytrace.store import Query, Store, _fulltext, _plan, _words
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture(params=["read", "index", "like"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SQLiteStore]:
    """A store whose newest texts are read first, one that asks its text index at once, and one as
    on a SQLite that was built without FTS5."""
    if request.param != "read":
        monkeypatch.setattr(_plan, "READ_FIRST", 0)
    if request.param == "like":
        monkeypatch.setattr(_fulltext, "has_fts5", lambda conn: False)
    store = SQLiteStore(tmp_path / "x.db")
    yield store
    store.close()


def saying(event_id: str, text: str) -> Record:
    return record(event_id, inputs=orjson.dumps({"q": text}), outputs=None)


def found(store: Store, text: str, **query: object) -> str:
    listed = store.list(Query(text=text, **query))  # type: ignore[arg-type]
    return "".join(record.event_id for record in listed)


def test_every_searched_field(store: SQLiteStore) -> None:
    """Name, inputs, outputs and error are searched; other fields are not."""
    store.insert(
        [
            record("a", event_name="needle"),
            record("b", inputs=b'{"x":"needle"}'),
            record("c", outputs=b'{"x":["needle"]}'),
            record("d", error="E: needle"),
            record("e", metadata=b'{"x":"needle"}'),
        ]
    )
    assert found(store, "needle") == "dcba"


def test_every_word_in_any_order_and_field(store: SQLiteStore) -> None:
    """All words must occur, together or apart, in any case; the last may be a beginning."""
    store.insert([saying("a", "Red apples"), saying("b", "red pears"), saying("c", "apples")])
    assert found(store, "apples red") == "a"
    assert found(store, "RED") == "ba"
    assert found(store, "red app") == "a"
    assert found(store, "red apples answer") == "a"
    assert found(store, "red plums") == ""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("first\nnext\tthird\rfourth\ffifth", word)
        for word in ("first", "next", "third", "fourth", "fifth")
    ]
    + [
        ('she said "stop" twice', '"stop"'),
        (r"C:\new\table", "new"),
        ("max_tokens=5", "max_tokens"),
        ("it's 50% of {x}", "it's 50%"),
        ("Grüße aus Köln", "köln"),
        ("東京の天気は晴れです", "天気"),
        ("สวัสดีชาวโลก", "ชาว"),
        ("NEAR OR AND NOT", "and near or"),
        ("a*b (c)", "a*b (c)"),
    ],
)
def test_words_as_people_write_them(store: SQLiteStore, text: str, word: str) -> None:
    """Escapes, quotes, operators of the query language and unspaced scripts are just text."""
    store.insert([saying("a", text), saying("b", "something else")])
    assert found(store, word) == "a"


@pytest.mark.parametrize("text", ["", "  ", "\0"])
def test_an_empty_text_is_no_condition(store: SQLiteStore, text: str) -> None:
    """A text of spaces filters nothing, as an empty search box does."""
    store.insert([record("a")])
    assert found(store, text) == "a"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *(
            ("请使用GPT模型解释第42章", word)
            for word in ("GPT", "42", "模型", "42章", "gpt模", "型")
        ),
        ("GPT를 사용", "GPT 사용"),
        ("ปิดGPTก่อน", "gpt"),
        ("SMSки приходят", "sms приходят"),
        ("ＧＰＴが強い", "gpt"),
        ("Crème brûlée", "creme brulee"),
        ("hot 🔥 stuff", "🔥"),
        ("hot🔥stuff", "hot🔥"),
        ("I ❤️ it", "❤"),
        ("why??? no", "???"),
        ('say "x"', '"'),
        ("a_\\_b", "\\"),
        *((f"one{chr(code)}Two", "two") for code in (0, 8, 11, 27, 0x7F, 0x85)),
    ],
)
@pytest.mark.parametrize("engine", ["index", "behind", "like", "memory"])
def test_scripts_signs_and_control_characters(
    engine: str, text: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word ends where the script changes and at a control character; signs are found as they
    are; and every engine finds the same, with its index or without."""
    store: Store = MemoryStore()
    if engine != "memory":
        if engine == "like":
            monkeypatch.setattr(_fulltext, "has_fts5", lambda conn: False)
        store = SQLiteStore(tmp_path / "x.db")
    if engine == "index":
        store.insert([saying("z", "an earlier one")])
        store.index()
    records = [saying("a", text), saying("b", "something else"), record("c", event_name=text)]
    store.insert(records)
    if engine == "behind":
        store.close()
        store = SQLiteStore(tmp_path / "x.db", readonly=True)
    assert found(store, word) == "ca"
    assert found(store, f"{word} qqq") == ""
    store.close()


def test_signs_are_a_condition(store: SQLiteStore) -> None:
    """A search for signs that nothing has finds nothing."""
    store.insert([saying("a", "hot"), saying("b", "cold")])
    assert [found(store, text) for text in ("🔥", "???", "%", "'", "hot 🔥")] == [""] * 5


def test_one_letter_is_a_word_by_itself(tmp_path: Path) -> None:
    """Two may be the beginning of one."""
    store = SQLiteStore(tmp_path / "x.db")
    store.insert([record("s", inputs=b'{"text":"plan b works"}')])
    found = [bool(store.list(Query(text=text))) for text in ("plan b", "plan w", "plan wo")]
    assert found == [True, False, True]
    store.close()


def test_search_follows_changes(store: SQLiteStore) -> None:
    """Updates, merges, deletes and later inserts show in the next search."""
    store.insert([saying("a", "old"), saying("b", "old")])
    assert found(store, "old") == "ba"
    store.update([Update("a", {"inputs": b'{"q":"new"}'})])
    later = saying("b", "newer")._replace(start_time=START + 2)
    store.insert([later, saying("c", "new")])
    assert found(store, "old") == ""
    assert found(store, "new") == "cba"
    store.delete(before=1e15)
    assert found(store, "new") == ""
    store.insert([saying("d", "other")])
    assert found(store, "new") == ""
    assert found(store, "other") == "d"


def test_search_with_other_conditions(store: SQLiteStore) -> None:
    """Text is one condition among the others, and pages as they do."""
    records = [saying(name, "word")._replace(start_time=START + ord(name)) for name in "abcdef"]
    store.insert([r._replace(project="even") if ord(r.event_id) % 2 else r for r in records])
    assert found(store, "word", project="even") == "eca"
    assert found(store, "word", limit=2) == "fe"
    assert found(store, "word", limit=2, before=(START + ord("e"), "e")) == "dc"


def test_a_word_that_is_everywhere(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond `RARE` matches the answer is the same, found the other way."""
    store.insert(numbered(20))
    few = store.list(Query(text="because", limit=5))
    monkeypatch.setattr(_plan, "RARE", 3)
    assert store.list(Query(text="because", limit=5)) == few
    assert [r.event_id for r in few] == [f"s{number:05}" for number in range(19, 14, -1)]


def test_texts_of_one_moment(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a common word is in order of id too, however few texts are read for it."""
    monkeypatch.setattr(_fulltext, "_BLOCK", 1)
    for moment, names in enumerate(("gh", "dbacfe")):
        store.insert([saying(name, "why")._replace(start_time=START - moment) for name in names])
    for limit in (1, 2, 3, 4, 5, 8):
        assert found(store, "why", limit=limit) == "hgfedcba"[:limit]
    assert found(store, "why", limit=2, before=(START - 1, "e")) == "dc"


def test_catching_up_takes_bounded_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is filled in several transactions, and what is left out meanwhile is found."""
    monkeypatch.setattr(_fulltext, "CATCH_UP", 3)
    store = SQLiteStore(tmp_path / "x.db")
    store.insert([saying(name, "word") for name in "abcdefgh"])
    with store._transaction() as conn:
        _fulltext.catch_up(conn)
    reader = SQLiteStore(tmp_path / "x.db", readonly=True)
    assert found(reader, "word") == "hgfedcba"
    reader.close()
    assert _fulltext.is_behind(store._reader.get())
    assert found(store, "word") == "hgfedcba"
    assert not _fulltext.is_behind(store._reader.get())
    store.close()


def test_a_build_without_fts5_can_still_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SQLite without FTS5 opens an indexed store by dropping its triggers; a build with it then
    makes the index again, which is true to what changed meanwhile."""
    store = SQLiteStore(tmp_path / "x.db")
    store.insert([saying("a", "old"), saying("b", "old")])
    assert found(store, "old") == "ba"
    store.close()
    with monkeypatch.context() as without:
        without.setattr(_fulltext, "has_fts5", lambda conn: False)
        poor = SQLiteStore(tmp_path / "x.db")
        poor.update([Update("a", {"inputs": b'{"q":"new"}'})])
        assert found(poor, "old") == "b"
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        assert poor._reader.get().execute(triggers).fetchone() == (0,)
        poor.close()
    store = SQLiteStore(tmp_path / "x.db")
    assert found(store, "old") == "b"
    assert found(store, "new") == "a"
    store.close()


def test_the_index_stays_sound(tmp_path: Path) -> None:
    """After inserts, merges, updates and deletes FTS5's own check of the index passes."""
    store = SQLiteStore(tmp_path / "x.db")
    store.insert(numbered(30))
    store.index()
    store.insert([saying("s00003", "changed"), saying("new", "more")])
    store.update([Update("s00004", {"outputs": b'{"x":"y"}'})])
    store.delete(before=START + 2_500)
    store.index()
    with store._transaction() as conn:
        conn.execute("INSERT INTO fulltext (fulltext) VALUES ('integrity-check')")
    held = "SELECT count(*) FROM fulltext_docsize"
    assert store._reader.get().execute(held).fetchone() == (store.size().sessions,)
    store.close()


@given(name=st.text(max_size=5), json=st.text(st.characters(max_codepoint=127)), odd=st.booleans())
def test_plain_texts_have_the_words_of_any_text(name: str, json: str, odd: bool) -> None:
    """Texts in ASCII take a faster way to the same words."""
    json = json.replace("\\", "")
    text = f"{name} x {json} {json}{' é' if odd else ''}"
    given = (name, "x", json, f"{json}{' é' if odd else ''}")
    assert _words.joined(given) == f" {' '.join(_words.words(text))} "
