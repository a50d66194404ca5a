"""Session files of Codex as sessions: model calls, tools, sub-agents.

A file `rollout-….jsonl` in `~/.codex/sessions/` has a line for each thing that happened: `type`,
`payload` and `timestamp`. What the model answers comes as several `response_item`s, and their
tokens after them, in an `event_msg` of the type `token_count`. Older files have the items without
an envelope.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._record.record import Record
from .transcript import Encode, Maker, milliseconds, project_of, text_of, timed

__all__ = ["is_codex", "read"]

Line = Mapping[str, Any]

SOURCE = "codex"
_ENVELOPES = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")
_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "web_search_call")
_RESULTS = ("function_call_output", "custom_tool_call_output")


def is_codex(line: Line) -> bool:
    """Return whether this object is a line of such a file."""
    if line.get("type") in _ENVELOPES:
        return isinstance(line.get("payload"), dict)
    return "instructions" in line and "timestamp" in line and isinstance(line.get("id"), str)


def read(lines: Iterable[Line], encode: Encode) -> Iterator[Record]:
    """Yield the records of a session file, the run before its calls."""
    yield from _Run(encode).records(lines)


class _Run:
    """One session file, read from its first line to its last."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._calls: list[Record] = []
        self._asked: list[Any] = []
        """Messages and results that the model is given next."""
        self._answered: list[Any] = []
        self._since: float | None = None
        """When the model was given them."""
        self._open: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._model: str | None = None
        self._prompt = self._last = ""
        self._now = 0.0

    def records(self, lines: Iterable[Line]) -> Iterator[Record]:
        meta: Mapping[str, Any] = {}
        first: float | None = None
        events: list[tuple[str, Mapping[str, Any], float]] = []
        for line in timed(lines):
            payload = line.get("payload")
            payload = payload if isinstance(payload, dict) else line
            kind = str(line.get("type")) if "payload" in line else "response_item"
            now = milliseconds(line.get("timestamp") or payload.get("timestamp"))
            now = now if now is not None else events[-1][2] if events else 0.0
            first = now if first is None else first
            if kind == "session_meta" or (not meta and is_codex(line) and "payload" not in line):
                meta = meta or payload
            else:
                events.append((kind, payload, now))
        if first is None:
            return
        session = str(meta.get("id") or meta.get("session_id") or first)
        self._maker = Maker(self._encode, SOURCE, session, project_of(meta.get("cwd")))
        self._since = self._now = first
        for kind, payload, now in events:
            self._now = now
            self._event(kind, payload)
        self._reply(None)
        self._unanswered()
        yield self._run(meta, first)
        yield from sorted(self._calls, key=lambda call: (call.start_time, call.event_type))

    def _run(self, meta: Mapping[str, Any], first: float) -> Record:
        git = meta.get("git")
        commit = git.get("commit_hash") if isinstance(git, dict) else None
        parent = _parent(meta)
        above = None if parent is None else self._maker.id_of(session=parent)
        return self._maker.record(
            self._maker.root_id,
            "codex" if parent is None else "sub-agent",
            first,
            self._now,
            parent_id=above,
            root_id=above,
            inputs={"prompt": self._prompt},
            outputs={"answer": self._last} if self._last else None,
            metadata={
                "session": meta.get("id"),
                "cwd": meta.get("cwd"),
                "version": meta.get("cli_version"),
                "git": git if isinstance(git, dict) else None,
            },
            details={"commit": commit[:12]} if isinstance(commit, str) else None,
        )

    def _event(self, kind: str, payload: Mapping[str, Any]) -> None:
        if kind == "turn_context" and isinstance(payload.get("model"), str):
            self._model = payload["model"]
        elif kind == "event_msg" and payload.get("type") == "token_count":
            info = payload.get("info")
            used = info.get("last_token_usage") if isinstance(info, dict) else None
            if isinstance(used, dict) and used:
                self._reply(used)
        elif kind == "response_item":
            self._item(payload)

    def _item(self, item: Mapping[str, Any]) -> None:
        kind, role = item.get("type"), item.get("role")
        if kind == "message" and role != "assistant":
            self._given({"role": role, "content": item.get("content")})
            text = text_of(item.get("content"))
            if role == "user" and text and not text.lstrip().startswith("<"):
                self._prompt = self._prompt or text
        elif kind in _RESULTS:
            self._given({"role": "tool", "content": item.get("output")})
            self._result(str(item.get("call_id")), item.get("output"))
        elif kind in ("message", "reasoning") or kind in _CALLS:
            self._answered.append(dict(item))
            if kind == "message":
                self._last = text_of(item.get("content")) or self._last
            elif kind in _CALLS:
                called = str(item.get("call_id") or item.get("id") or len(self._calls))
                self._open[called] = item, self._now

    def _given(self, message: Any) -> None:
        if self._answered:
            self._reply(None)
        self._asked.append(message)
        self._since = self._now

    def _reply(self, used: Mapping[str, Any] | None) -> None:
        """End a model call; `used` are its tokens, where they are known."""
        if not self._answered:
            return
        start = self._since if self._since is not None else self._now
        number = sum(call.event_type == "model" for call in self._calls)
        self._calls.append(
            self._maker.record(
                self._maker.id_of("model", str(number)),
                "model",
                start,
                max(self._now, start),
                parent_id=self._maker.root_id,
                event_type="model",
                config={"model": self._model, "provider": "openai"} if self._model else None,
                inputs={"messages": self._asked} if self._asked else None,
                outputs={"output": self._answered},
                metrics=_tokens(used or {}),
            )
        )
        self._asked, self._answered, self._since = [], [], self._now

    def _result(self, called: str, output: Any) -> None:
        item, start = self._open.pop(called, ({}, self._now))
        output = _parsed(output)
        failed = _failure(output)
        self._calls.append(self._tool(called, item, start, self._now, output, failed))

    def _unanswered(self) -> None:
        """Add calls without a result: those that the service runs, and interrupted ones."""
        for called, (item, start) in self._open.items():
            done = item.get("status") == "completed"
            end = start if done else None
            self._calls.append(self._tool(called, item, start, end, None, None))

    def _tool(
        self,
        called: str,
        item: Mapping[str, Any],
        start: float,
        end: float | None,
        output: Any,
        failed: str | None,
    ) -> Record:
        given = _parsed(item.get("arguments", item.get("input", item.get("action"))))
        return self._maker.record(
            self._maker.id_of("tool", called),
            str(item.get("name") or str(item.get("type") or "tool").removesuffix("_call")),
            start,
            end,
            parent_id=self._maker.root_id,
            event_type="tool",
            status="interrupted" if end is None else None,
            error=failed,
            inputs=given if isinstance(given, dict) else {"input": given},
            outputs=None if output is None else {"result": output},
        )


def _tokens(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return token counts under the names of sessions."""
    names = {
        "prompt_tokens": "input_tokens",
        "completion_tokens": "output_tokens",
        "total_tokens": "total_tokens",
        "cached_tokens": "cached_input_tokens",
        "reasoning_tokens": "reasoning_output_tokens",
    }
    return {ours: used[theirs] for ours, theirs in names.items() if used.get(theirs) is not None}


def _parent(meta: Mapping[str, Any]) -> str | None:
    """Return the session that started this one as its sub-agent."""
    source = meta.get("source")
    found = source.get("subagent") if isinstance(source, dict) else None
    spawned = found.get("thread_spawn") if isinstance(found, dict) else None
    parent = spawned.get("parent_thread_id") if isinstance(spawned, dict) else None
    return parent if isinstance(parent, str) else None


def _parsed(value: Any) -> Any:
    """Return the object in a text of JSON; any other value as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _failure(output: Any) -> str | None:
    """Return the error of a tool whose result says that it failed."""
    if not isinstance(output, dict):
        return None
    metadata = output.get("metadata")
    code = metadata.get("exit_code") if isinstance(metadata, dict) else None
    if isinstance(code, int) and code != 0:
        return f"exit status {code}"
    return "the tool failed" if output.get("success") is False else None
