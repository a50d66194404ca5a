"""The page about the client says what is true."""

from __future__ import annotations

import inspect
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from api_loopback import Loopback, Request, response

from honeytrace.api import errors

PAGE = (Path(__file__).parents[2] / "docs" / "api-client.md").read_text()


class Backend:
    """As much of HoneyHive as the page needs."""

    def __init__(self) -> None:
        self.events: dict[str, Any] = {}

    def __call__(self, request: Request) -> bytes:
        payload = request.json if request.body else {}
        if request.path == "/session/start":
            session = payload["session"]
            session_id = session.setdefault("session_id", str(uuid.uuid4()))
            self.events[session_id] = {**session, "event_name": session["session_name"]}
            return response(200, {"session_id": session_id})
        if request.path.startswith("/session/"):
            found = self.events.get(request.path.removeprefix("/session/"))
            return response(200, found) if found else response(404, {"message": "no such session"})
        if request.path == "/events/export":
            return response(200, {"events": list(self.events.values()), "totalEvents": 1})
        if request.path == "/events/batch":
            return response(500, {"event_ids": ["1"], "errors": ["missing source"]})
        if request.method == "PUT":
            self.events[payload["event_id"]] |= payload
            return response(200, content_type=None)
        self.events["e"] = payload["event"]
        return response(200, {"event_id": "e", "success": True})


def test_examples(
    server: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's Python, run from top to bottom, does what the page says."""
    backend = Backend()
    server.script = [backend]
    monkeypatch.setenv("HH_API_KEY", "key")
    monkeypatch.setenv("HH_API_URL", server.url)
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(compile(block, "api-client.md", "exec"), names)
    finally:
        for name in ("client", "core", "patient"):
            names[name].close()
    printed = capsys.readouterr().out
    assert "outputs must be a mapping with string keys" in printed
    assert "end_time must be an integer" in printed
    assert "No session 'no-such-session'" in printed
    assert "['1'] ['missing source']" in printed
    session = json.dumps(backend.events[names["started"].session_id])
    assert '"rating": 5' in session


def test_error_tree() -> None:
    """The drawn tree is the tree, on the page and in the module."""
    classes = {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.APIError)
    }
    for text in (PAGE, str(errors.__doc__)):
        drawn = dict(re.findall(r"(\w+Error)(?: \((\w+)\))?  ", text + "  "))
        assert classes.keys() <= drawn.keys() | {"APIError"}
        for name, builtin in drawn.items():
            if builtin:
                assert builtin in [base.__name__ for base in classes[name].__mro__]
