"""`show`: the tree, values and errors of a session, wherever it is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_running import CHILD, OTHER, ROOT, Api, Cli, record, stored

from answered import START


def test_show_draws_the_tree_and_what_went_in_and_out(cli: Cli, store: str) -> None:
    """Each call has its number, its duration and its bar where it ran."""
    ran = cli("show", ROOT, "--store", store)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert f"1 ask              1.5 ms  {'━' * 40}" in lines
    assert f"2 └─ retrieve ✗    750 µs  {' ' * 13}{'━' * 20}" in lines
    assert "  question  why?" in lines
    assert "  result  because" in lines


def test_show_tells_an_error_with_its_traceback(cli: Cli, store: str) -> None:
    """And which session it happened in."""
    ran = cli("show", "@last-error", "--store", store)
    assert "    ValueError: no\n    Traceback (most recent call last):\n      boom\n" in ran.out
    assert f" inside  {ROOT}\n" in ran.out


def test_show_as_json_has_the_whole_tree(cli: Cli, store: str) -> None:
    """One document: the session, and flat below it what is inside it."""
    (shown,) = cli("show", ROOT, "--store", store, "--json").documents
    (inside,) = shown["descendants"]
    assert (inside["session_id"], inside["parent_id"]) == (CHILD, ROOT)
    assert (inside["status"], inside["error"]) == ("error", "ValueError: no")


def test_show_asks_the_api_for_what_the_store_has_not(cli: Cli, store: str, api: Api) -> None:
    """With a key; where the API does not know it either, both places are named."""
    api.events["beyond"] = {
        **dict.fromkeys(("event_id", "session_id"), "beyond"),
        "event_name": "elsewhere",
        "event_type": "session",
        "inputs": {"q": "far?"},
        "start_time": START,
    }
    assert "  q  far?" in cli("show", "beyond", "--store", store).out
    ran = cli("show", "further", "--store", store)
    assert ran.status == 1
    assert store in ran.err
    assert api.url in ran.err
    # without any store as well
    assert "elsewhere" in cli("show", "beyond", "--store", "none.db").out
    assert cli("list", "--store", "none.db").status == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "{} refuses the key (401): set HH_API_KEY anew"),
        (503, "{} answers 503 Service Unavailable: try again later"),
        (418, "something answers at {}, but not as HoneyHive does (418 application/json): check"),
    ],
)
def test_an_api_that_fails_is_told_with_the_cure(
    status: int, said: str, cli: Cli, api: Api
) -> None:
    """In the words of this command line, not in those of the client."""
    api.answer = lambda session_id: status
    ran = cli("show", "beyond")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"honeytrace: {said.format(api.url)}")
    assert ran.err.count("\n") == 1


def test_an_api_that_is_not_there_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the password that its address may hold."""
    monkeypatch.setenv("HH_API_KEY", "k" * 20)
    monkeypatch.setenv("HH_API_URL", "http://127.0.0.1:9")
    ran = cli("show", "beyond")
    assert ran.err.startswith("honeytrace: http://127.0.0.1:9: Unable to make request: ")
    assert ran.err.endswith("; check HH_API_URL and the network\n")


def test_an_id_that_is_nowhere_is_not_to_be_listed(cli: Cli, api: Api) -> None:
    """The API cannot be asked for a list, nor for the beginning of an id."""
    assert cli("show", "beyond").err.endswith(f" or at {api.url}, which knows whole ids alone\n")
    api.events["beyond"] = {"status": "ok"}  # what is no session shows none
    assert cli("show", "beyond").status == 1


def test_with_a_key_an_id_is_found_wherever_it_is(
    cli: Cli, store: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nothing is to be said then."""
    monkeypatch.setenv("HONEYTRACE_STORE", store)
    assert cli("show", OTHER).err == ""


def test_values_nested_beyond_measure(cli: Cli, tmp_path: Path) -> None:
    """What a JSON library cannot write back is said, not a traceback."""
    deep = b"[" * 400 + b"]" * 400
    records = [record(name)._replace(inputs=b'{"deep":' + deep + b"}") for name in ("s", "t")]
    path = str(stored(tmp_path / "s.db", *records))
    for full in ([], ["--full"]):
        ran = cli("show", "s", "--store", path, *full)
        assert (ran.status, ran.err) == (0, "")
        assert "nested too deeply" in ran.out
    ran = cli("show", "s", "--store", path, "--json")
    assert ran.status == 1
    assert "honeytrace export" in ran.err
    exported = cli("export", "--store", path).out
    (tmp_path / "in.jsonl").write_text(exported)
    ran = cli("import", "in.jsonl", "--store", "copy.db")
    assert (ran.status, ran.err.count("\n")) == (1, 3)


def test_large_trees_and_values_are_shown_in_part(cli: Cli, tmp_path: Path) -> None:
    """Unless all is asked for; what is left out is counted."""
    calls = [record(f"c{n:03}", parent_id="r", root_id="r") for n in range(300)]
    long = "word " * 20_000
    path = stored(tmp_path / "s.db", record("r", inputs={"text": long}), *calls)
    short = cli("show", "r", "--store", str(path)).out
    assert "… 101 more calls (--full shows them)" in short
    assert "more characters (--full shows them)" in short
    assert len(short) < 40_000
    whole = cli("show", "r", "--store", str(path), "--full").out
    assert long.strip() in whole
    assert whole.count("└─ answer") + whole.count("├─ answer") == 300


def test_a_deep_tree_stays_readable(cli: Cli, tmp_path: Path) -> None:
    """Indentation stops growing, and nothing recurses."""
    chain = [record(f"d{n:04}", parent_id=f"d{n - 1:04}", root_id="d0000") for n in range(1, 1500)]
    path = stored(tmp_path / "s.db", record("d0000"), *chain)
    ran = cli("show", "d0000", "--store", str(path), "--full")
    assert ran.status == 0
    assert "(level 1499)" in ran.out
    assert max(map(len, ran.out.splitlines())) < 200
    (shown,) = cli("show", "d0000", "--store", str(path), "--json").documents
    assert len(shown["descendants"]) == 1499


def test_conversations_and_documents_look_like_it(cli: Cli, tmp_path: Path) -> None:
    """A message has its role above it, a document its title and score."""
    messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
    documents = [{"title": "Bees", "text": "Bees see ultraviolet." * 3, "score": 0.5}]
    session = record("s", inputs={"messages": messages}, outputs={"documents": documents})
    out = cli("show", "s", "--store", str(stored(tmp_path / "s.db", session))).out
    assert "  messages\n    user\n      Why?\n    assistant\n      Because.\n" in out
    assert "    1. Bees  0.5\n       Bees see" in out
