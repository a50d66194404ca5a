"""Settings: where each comes from, what it may be, and that the page about them is true."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from honeytrace import ConfigurationError, _config
from honeytrace._config import SETTINGS, Config, load, variables
from honeytrace._runtime.runtime import Runtime
from honeytrace._runtime.settings import Settings
from honeytrace.sinks.memory import MemorySink

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
ARGUMENTS = ("also", "sink", "snapshot")
"""Settings that no environment variable can give."""
SAMPLES = {str: "text", int: "7", float: "0.5", bool: "no"}


def test_defaults_need_nothing() -> None:
    """An empty environment gives the defaults, store and journal as absolute paths."""
    config = load({}, {})
    assert config.store == os.path.abspath(".honeytrace/sessions.db")
    assert config.journal == os.path.abspath(".honeytrace/journal")
    assert config == Config(store=config.store, journal=config.journal)


@pytest.mark.parametrize("f", SETTINGS.values(), ids=list(SETTINGS))
def test_page_tells_every_setting(f: Any) -> None:
    """docs/configuration.md has the names, variables and default of each setting, from the code."""
    names = "" if f.name in ARGUMENTS else ", ".join(f"`{name}`" for name in variables(f))
    default = "none" if f.default is None else f"`{f.default!r}`".replace("'", '"')
    assert f"| `{f.name}` | {names} | {default} | " in PAGE.read_text()


def test_page_tells_no_other_setting() -> None:
    """Nothing that is not there is documented."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(SETTINGS)


def test_arguments_are_typed() -> None:
    """The type of `configure`'s arguments names the settings, in the same order."""
    assert list(Settings.__annotations__) == list(SETTINGS)


@pytest.mark.parametrize("f", [f for f in SETTINGS.values() if f.name not in ARGUMENTS])
def test_every_setting_has_its_variables(f: Any) -> None:
    """Each variable sets its setting, the first that is set counts, and an argument wins."""
    kind = f.kind or bool
    some = {
        "layout": "tree",
        "server_url": "http://h",
        "store": "/s.db",
        "journal": "/j",
        "overflow": "block",
        "prices": "/p.json",
    }
    text = some.get(f.name, SAMPLES[kind])
    expected = {bool: False}.get(kind, kind(text))
    for variable in variables(f):
        assert getattr(load({}, {variable: f" {text}\n"}), f.name) == expected
    environ = dict.fromkeys(variables(f), text)
    assert getattr(load({f.name: f.default}, environ), f.name) == (
        expected if f.default is None else getattr(load({f.name: f.default}, {}), f.name)
    )


def test_own_names_win_over_honeyhives() -> None:
    """`HONEYTRACE_*` says it more plainly than `HH_*`."""
    config = load({}, {"HH_PROJECT": "theirs", "HONEYTRACE_PROJECT": "ours", "HH_SOURCE": "ci"})
    assert (config.project, config.source) == ("ours", "ci")


@pytest.mark.parametrize(("text", "on"), [("1", False), ("yes", False), ("0", True), ("", True)])
def test_disabled_by_the_environment(text: str, on: bool) -> None:
    """`HONEYTRACE_DISABLED` turns recording off, and an argument on again."""
    assert load({}, {"HONEYTRACE_DISABLED": text}).enabled is on
    assert load({"enabled": True}, {"HONEYTRACE_DISABLED": text}).enabled


@pytest.mark.parametrize(
    ("setting", "value", "cure"),
    [
        ("sample_rate", 1.5, "from 0 to 1"),
        ("sample_rate", "half", "a number"),
        ("flush_interval", 0, "above 0"),
        ("flush_interval", float("nan"), "above 0"),
        ("flush_interval", float("inf"), "above 0"),
        ("batch_size", True, "a whole number"),
        ("batch_size", 1.5, "a whole number"),
        ("exit_timeout", -1.0, "a number of seconds"),
        ("layout", "flat", "'sessions' or 'tree'"),
        ("server_url", "api.honeyhive.ai", "http:// or https://"),
        ("project", 3, "text"),
        ("api_key", b"key", "text"),
        ("enabled", 1, "one of 1, true"),
        ("sink", object(), "deliver()"),
        ("snapshot", {"Type": str}, "{Type: function}"),
    ],
)
def test_mistake_names_the_cure(setting: str, value: Any, cure: str) -> None:
    """An invalid value is refused, and the message says what could be."""
    with pytest.raises(ConfigurationError, match=f"{setting}=") as error:
        load({setting: value}, {})
    assert cure in str(error.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HONEYTRACE_BATCH_SIZE", "many"),
        ("HONEYTRACE_ENABLED", "perhaps"),
        ("HONEYTRACE_SAMPLE_RATE", "7"),
        ("HH_API_URL", "nowhere"),
    ],
)
def test_mistake_in_the_environment_names_the_variable(variable: str, text: str) -> None:
    """The message points to the variable, which an argument can overrule."""
    with pytest.raises(ConfigurationError, match=variable):
        load({}, {variable: text})
    assert load(
        {"batch_size": 1, "enabled": True, "sample_rate": 1, "server_url": "http://x"},
        {variable: text},
    )


def test_unknown_setting_is_refused_with_the_known_ones() -> None:
    """A typo is found when configuring."""
    with pytest.raises(ConfigurationError, match=r"no setting \['projct'\].*'project'"):
        load({"projct": "x"}, {})


def test_store_is_a_path_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store may be a path object or begin with `~`, and does not move with the directory."""
    assert load({"store": tmp_path / "a.db"}, {}).store == str(tmp_path / "a.db")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load({"store": "~/a.db"}, {}).store == str(tmp_path / "a.db")
    assert load({"store": ":memory:"}, {}).store == ":memory:"


def test_directory_that_is_gone_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a working directory the path stays as it was given."""

    def gone(path: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os.path, "abspath", gone)
    assert load({}, {}).store == ".honeytrace/sessions.db"


def test_importing_pytest_is_not_being_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that imports pytest, or was started by a test, still records to its store."""
    assert _config.under_test()
    monkeypatch.delenv("PYTEST_VERSION", raising=False)
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    assert not _config.under_test()
    monkeypatch.setenv("PYTEST_VERSION", "8")
    monkeypatch.delitem(sys.modules, "_pytest")
    assert not _config.under_test()


def test_bad_redact_is_found_when_configuring() -> None:
    """What cannot redact is refused before anything is recorded."""
    with pytest.raises(ConfigurationError):
        Runtime(load({"redact": [3]}, {}))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 1_000_000),
        ({"api_key": "k"}, 4_000_000),
        ({"sink": MemorySink()}, 4_000_000),
        ({"batch_bytes": 7}, 7),
    ],
)
def test_how_large_a_batch_is(settings: dict[str, Any], size: int) -> None:
    """Small into the embedded store, larger where each costs a request, and as it is set."""
    assert load(settings, {}).most_bytes == size
