"""The place of a call in the source, as the viewer shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from honeytrace.server.viewer._code import code_place

DETAILS = {"code": "shop.answers:answer@shop/answers.py:137", "commit": "3f2a9c1d2e4f"}


def test_a_local_viewer_links_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file below the working directory is opened in the editor at its line."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/answers.py").write_text("")
    monkeypatch.chdir(tmp_path)
    found = code_place(DETAILS, link=True)
    assert found is not None
    assert (found.function, found.at) == ("shop.answers:answer", "shop/answers.py:137")
    assert found.commit == "3f2a9c1d2e4f"
    assert found.link == f"vscode://file{tmp_path}/shop/answers.py:137"
    monkeypatch.setenv("HONEYTRACE_EDITOR", "idea://open?file={path}&line={line}")
    found = code_place(DETAILS, link=True)
    assert found is not None
    assert found.link.startswith("idea://open?file=")
    assert found.link.endswith("shop/answers.py&line=137")


def test_nothing_is_looked_for_on_a_server_with_keys(tmp_path: Path) -> None:
    """Whether a file exists on the server is not told to its readers."""
    place = {"code": f"a:b@{__file__}:1"}
    assert code_place(place, link=False).link == ""
    assert code_place(place, link=True).link.endswith(":1")


@pytest.mark.parametrize("code", [None, 5, "", "x", "no line@file", "a:b@missing.py:3"])
def test_any_record_is_shown(code: object) -> None:
    """Details of other programs may hold anything under this name."""
    found = code_place({"code": code}, link=True)
    assert found is None or not found.link


def test_the_editor_is_no_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that runs a script is not used."""
    monkeypatch.setenv("HONEYTRACE_EDITOR", " JavaScript:alert(1)")
    found = code_place({"code": f"a:b@{__file__}:1"}, link=True)
    assert found is not None
    assert found.link.startswith("vscode://")
