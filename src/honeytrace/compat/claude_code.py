"""Transcripts of Claude Code as sessions: model calls, tools, sub-agents.

A transcript is a file of JSON Lines in `~/.claude/projects/`. A reply of the model is spread over
lines of one `message.id`, which repeat its usage. The result of a tool comes in a line of the user.
A sub-agent's lines have `isSidechain`; they stand in the same file or in one of their own, beside
an `agentId`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._record.record import Record
from .transcript import Encode, Maker, milliseconds, project_of, text_of, timed

__all__ = ["is_claude_code", "read"]

Line = Mapping[str, Any]

SOURCE = "claude-code"
_KINDS = ("user", "assistant", "system", "summary", "attachment", "progress")


def is_claude_code(line: Line) -> bool:
    """Return whether this object is a line of such a transcript."""
    if line.get("type") == "summary":
        return "leafUuid" in line
    if line.get("type") in ("file-history-snapshot", "queue-operation"):
        return "messageId" in line or "sessionId" in line
    return line.get("type") in _KINDS and "sessionId" in line and "uuid" in line


def read(lines: Iterable[Line], encode: Encode) -> Iterator[Record]:
    """Yield the records of a transcript, or of several together, each run before its calls."""
    sessions: dict[str, list[Line]] = {}
    seen: set[tuple[str, str]] = set()
    for line in lines:
        session, own = line.get("sessionId"), line.get("uuid")
        if isinstance(session, str) and line.get("type") in ("user", "assistant"):
            if isinstance(own, str):
                if (session, own) in seen:  # a session that is resumed repeats its lines
                    continue
                seen.add((session, own))
            sessions.setdefault(session, []).append(line)
    for session, found in sessions.items():
        yield from _Run(session, list(timed(found)), encode).records()


class _Run:
    """One session: its main thread, and the threads of its sub-agents."""

    def __init__(self, session: str, lines: list[Line], encode: Encode) -> None:
        self._maker = Maker(encode, SOURCE, session, project_of(lines[0].get("cwd")))
        self._lines = lines
        self._agents: dict[str, str] = {}
        """Tool call by the id of the sub-agent it started, or by its prompt."""

    def records(self) -> Iterator[Record]:
        main = [line for line in self._lines if not line.get("isSidechain")]
        if main:
            yield from self._thread(main, self._maker.root_id, None, "claude-code")
        for agent, lines in self._threads().items():
            own = self._maker.id_of("agent", agent)
            prompt = _prompt(lines)
            caller = self._agents.get(agent) or self._agents.get(prompt) or self._maker.root_id
            yield from self._thread(lines, own, caller, f"sub-agent {agent[:8]}")

    def _threads(self) -> dict[str, list[Line]]:
        """Return the lines of sub-agents, by their ids, otherwise by the line they begin with."""
        threads: dict[str, list[Line]] = {}
        first: dict[str, str] = {}
        for line in self._lines:
            if line.get("isSidechain"):
                own, above = _text(line.get("uuid")), _text(line.get("parentUuid"))
                agent = _text(line.get("agentId")) or first.get(above) or own
                first[own] = agent
                threads.setdefault(agent, []).append(line)
        return threads

    def _thread(
        self, lines: list[Line], own: str, parent: str | None, name: str
    ) -> Iterator[Record]:
        times = [t for line in lines if (t := milliseconds(line.get("timestamp"))) is not None]
        if not times:
            return
        first = lines[0]
        calls = list(self._calls(lines, own))
        answers = [text for line in lines if (text := _answer(line))]
        git = {"branch": first.get("gitBranch")} if first.get("gitBranch") else None
        yield self._maker.record(
            own,
            name,
            min(times),
            max(times),
            parent_id=parent,
            inputs={"prompt": _prompt(lines)},
            outputs={"answer": answers[-1]} if answers else None,
            metadata={
                "session": first.get("sessionId"),
                "cwd": first.get("cwd"),
                "version": first.get("version"),
                "git": git,
            },
        )
        yield from calls

    def _calls(self, lines: list[Line], own: str) -> Iterator[Record]:
        """Yield the model calls and the tool calls of a thread, in order of start."""
        results = _results(lines)
        groups: list[list[Line]] = []
        given: list[list[Any]] = []
        waiting: list[Any] = []
        for line in lines:
            message = line.get("message")
            if not isinstance(message, dict):
                continue
            if line.get("type") != "assistant":
                waiting.append({"role": "user", "content": message.get("content")})
                continue
            last = groups[-1][-1]["message"] if groups else {}
            if groups and message.get("id") and message.get("id") == last.get("id"):
                groups[-1].append(line)
            else:
                groups.append([line])
                given.append(waiting)
                waiting = []
        before = lines[0]
        for group, messages in zip(groups, given, strict=True):
            yield self._model_call(group, messages, before, own)
            for block, line in _blocks(group):
                if block.get("type") == "tool_use":
                    yield self._tool_call(block, line, results, own)
            before = self._last_result(group, results) or group[-1]

    def _model_call(self, group: list[Line], messages: list[Any], before: Line, own: str) -> Record:
        message = group[-1]["message"]
        end = milliseconds(group[-1].get("timestamp")) or 0.0
        start = milliseconds(before.get("timestamp"))
        model = message.get("model")
        failed = text_of(message.get("content")) if group[-1].get("isApiErrorMessage") else None
        return self._maker.record(
            self._maker.id_of("message", _text(message.get("id") or group[0].get("uuid"))),
            "model",
            end if start is None else min(start, end),
            end,
            parent_id=own,
            event_type="model",
            error=failed,
            config={"model": model, "provider": "anthropic"} if model else None,
            inputs={"messages": messages},
            outputs={"role": "assistant", "content": [block for block, _ in _blocks(group)]},
            metadata={"usage": message.get("usage"), "stop_reason": message.get("stop_reason")},
        )

    def _tool_call(
        self, block: Mapping[str, Any], line: Line, results: Mapping[str, Any], own: str
    ) -> Record:
        called = _text(block.get("id"))
        event_id = self._maker.id_of("tool", called)
        result, told = results.get(called, (None, None))
        given = block.get("input")
        given = given if isinstance(given, dict) else {"input": given}
        self._agents.setdefault(_text(given.get("prompt")), event_id)
        more = told.get("toolUseResult") if told is not None else None
        if isinstance(more, dict) and more.get("agentId"):
            self._agents[_text(more["agentId"])] = event_id
        start = milliseconds(line.get("timestamp")) or 0.0
        end = None if told is None else milliseconds(told.get("timestamp"))
        failed = result is not None and result.get("is_error")
        content = None if result is None else result.get("content")
        return self._maker.record(
            event_id,
            _text(block.get("name")) or "tool",
            start,
            end,
            parent_id=own,
            event_type="tool",
            status="interrupted" if end is None else None,
            error=(text_of(content) or "the tool failed") if failed else None,
            inputs=given,
            outputs=None if content is None or failed else {"result": content},
        )

    @staticmethod
    def _last_result(group: list[Line], results: Mapping[str, Any]) -> Line | None:
        found = [
            results[_text(block.get("id"))][1]
            for block, _ in _blocks(group)
            if _text(block.get("id")) in results
        ]
        return found[-1] if found else None


def _results(lines: list[Line]) -> dict[str, tuple[Mapping[str, Any], Line]]:
    """Return the results of tools with their lines, by the id of the call."""
    return {
        _text(block.get("tool_use_id")): (block, line)
        for line in lines
        if line.get("type") == "user"
        for block, _ in _blocks([line])
        if block.get("type") == "tool_result"
    }


def _blocks(lines: list[Line]) -> Iterator[tuple[Mapping[str, Any], Line]]:
    """Yield the content of messages in blocks."""
    for line in lines:
        message = line.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}, line
        elif isinstance(content, list):
            yield from ((block, line) for block in content if isinstance(block, dict))


def _prompt(lines: list[Line]) -> str:
    """Return the first words of the user, or of the agent that called."""
    for line in lines:
        message = line.get("message")
        if line.get("type") == "user" and not line.get("isMeta") and isinstance(message, dict):
            text = text_of(message.get("content"))
            if text:
                return text
    return ""


def _answer(line: Line) -> str:
    message = line.get("message")
    if line.get("type") != "assistant" or not isinstance(message, dict):
        return ""
    return text_of(message.get("content"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
