"""Directories that outlive the process are private, and git ignores them."""

from __future__ import annotations

from pathlib import Path

from honeytrace._durability.directories import private


def test_git_ignores_a_new_directory(tmp_path: Path) -> None:
    """The directory that the journal is made in keeps itself out of repositories."""
    private(str(tmp_path / "project" / ".honeytrace" / "journal"))
    assert (tmp_path / "project" / ".honeytrace" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / "project" / ".gitignore").exists()


def test_a_directory_that_was_there_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into a directory of the user, nor over a file that is there."""
    private(str(tmp_path / "journal"))
    assert not (tmp_path / ".gitignore").exists()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".gitignore").write_text("logs\n")
    private(str(tmp_path / "own" / "journal"))
    assert (tmp_path / "own" / ".gitignore").read_text() == "logs\n"
