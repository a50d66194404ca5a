"""A run as a conversation: the messages of all its calls, in order.

Each call of the run is read twice, when it begins (its inputs) and when it ends (its outputs), in
order of time. A model call repeats the conversation so far in its inputs, and a wrapper repeats
those of the call inside it; only messages that are new are shown. A tool call is joined with the
tool's answer by its id, and with the session in which the tool ran by its name.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._display.messages import Message
from ..._display.pieces import Piece, Text, ToolCall, ToolResult
from ..._display.shapes import parts
from ..._record.record import Record
from ...lookup import StoreFamily
from ...lookup.recorded import RecordedSession
from ...lookup.tree import walk
from ...store import Outline
from ._page import Page, Site
from ._session import find
from ._values import Block, Turn, block, shown, turn

__all__ = ["Said", "Transcript", "show_transcript", "transcript"]

_CALLS = 400
"""Number of calls of a run that are read; more would take longer than a reader waits."""

_TURNS = 300
"""Number of messages on the page."""

_BYTES = 4_000_000
"""Total size in bytes of inputs and outputs that are read."""

_MARKDOWN = 120_000
"""Characters of markdown that are rendered, which takes about a tenth of a second."""

_SHORT = 700
"""Most characters of a tool's answer that is shown unfolded."""


@dataclass
class Said:
    """A message, and the call it comes from."""

    message: Message
    session_id: str
    name: str
    duration: float | None
    """Duration of the call in milliseconds for the model's own messages; None for its inputs."""
    tools: dict[int, ToolRun] = field(default_factory=dict)
    """The results of the tool calls in the message, by their position."""


@dataclass
class ToolRun:
    """The answer to a tool call, and the session in which the tool ran; None if unknown."""

    result: ToolResult | None = None
    session: Outline | None = None
    record: Record | None = None


@dataclass(frozen=True)
class Spoken:
    """A turn of the transcript as the template draws it."""

    turn: Turn
    session_id: str
    name: str
    duration: float | None


@dataclass(frozen=True)
class Transcript(Page):
    """The conversation that a run was."""

    template = "transcript.html"
    nav = "sessions"
    top: RecordedSession
    spoken: Sequence[Spoken]
    left: int
    """Number of messages that are not shown."""
    unread: int
    """Number of calls of the run that were not read."""
    raw: bool
    """True to show texts as written instead of markdown."""


def show_transcript(site: Site, request: Request) -> Response:
    """`GET /transcript/{session_id}`, with `raw=1` for texts as written."""
    session = find(site, request)
    raw = bool(request.query_params.get("raw"))
    reader = site.reader
    family = StoreFamily(reader)
    outlines = family.outline(session)
    top = next((each for each in outlines if each.session_id == session.session_id), None)
    inside = [node for node, _ in walk(top, outlines)] if top else []
    said, unread = transcript(inside, reader.get_many([e.session_id for e in inside[:_CALLS]]))
    budget = _MARKDOWN
    spoken = []
    for each in said[:_TURNS]:
        budget -= len(each.message.text)
        spoken.append(_spoken(each, markdown=not raw and budget > 0))
    page = Transcript(
        title=f"{session.session_name}: transcript",
        top=session,
        spoken=spoken,
        left=max(0, len(said) - _TURNS),
        unread=unread + max(0, len(inside) - _CALLS),
        raw=raw,
    )
    return site.stream(page)


def transcript(calls: Sequence[Outline], records: Sequence[Record]) -> tuple[list[Said], int]:
    """Return the messages of these calls, and the number of calls that were too large to read."""
    told = _Conversation()
    outlines = {each.session_id: each for each in calls}
    events, left, unread = [], _BYTES, 0
    for number, record in enumerate(records):
        left -= len(record.inputs or b"") + len(record.outputs or b"")
        if left < 0:
            unread += 1
            continue
        end = record.start_time + (record.duration or 0)
        # If calls begin together, the outer one is first; if they end together, the inner one.
        events.append((record.start_time, 0, number, record, record.inputs))
        if record.end_time is not None:
            events.append((end, 1, -number, record, record.outputs))
    for _, ends, _, record, data in sorted(events, key=lambda event: event[:3]):
        outline = outlines.get(record.event_id)
        if not ends and outline is not None:
            told.begin(outline, record)
        if data is not None and _may_hold_messages(data):
            told.hear(record, _messages(data), said_here=bool(ends))
    return told.said, unread


def _may_hold_messages(data: bytes) -> bool:
    return any(mark in data for mark in (b'"role"', b'"parts"', b'"type"', b'"choices"', b'"lc"'))


def _messages(data: bytes) -> list[Message]:
    fields = orjson.loads(data)
    return [message for part in parts(fields) for message in part.messages]


class _Conversation:
    """A builder that orders messages, keeps each once, and joins tool calls with their results."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._known: Counter[tuple[str, bytes]] = Counter()
        self._open: list[tuple[ToolCall, ToolRun]] = []
        """Tool calls without an answer or a session so far."""

    def begin(self, outline: Outline, record: Record) -> None:
        """Match a call that began with a requested tool."""
        for call, run in self._open:
            if run.session is None and _same_name(outline.session_name, call.name):
                run.session, run.record = outline, record
                return

    def hear(self, record: Record, found: Sequence[Message], *, said_here: bool) -> None:
        """Add the messages in the inputs, or (`said_here`) in the outputs, of a call."""
        seen: Counter[tuple[str, bytes]] = Counter()
        for message in found:
            key = _key(message)
            seen[key] += 1
            if seen[key] <= self._known[key]:
                continue
            self._known[key] = seen[key]
            message = self._without_answers(message)
            if message.pieces or message.rest:
                own = record.duration if said_here and message.role == "assistant" else None
                self._add(Said(message, record.event_id, record.event_name, own))

    def _add(self, said: Said) -> None:
        for place, each in enumerate(said.message.pieces):
            if isinstance(each, ToolCall):
                said.tools[place] = ToolRun()
                self._open.append((each, said.tools[place]))
        self.said.append(said)

    def _without_answers(self, message: Message) -> Message:
        """Return the message without the tool results that are joined with their calls."""
        kept: list[Piece] = []
        for each in message.pieces:
            run = self._asked(each) if isinstance(each, ToolResult) else None
            if run is not None and isinstance(each, ToolResult):
                run.result = each
            else:
                kept.append(each)
        if len(kept) == len(message.pieces):
            return message
        return message._replace(pieces=kept, rest={} if not kept else message.rest)

    def _asked(self, result: ToolResult) -> ToolRun | None:
        for call, run in self._open:
            same = call.id == result.id if result.id and call.id else call.name == result.name
            if run.result is None and same:
                return run
        return None


def _same_name(session_name: str, tool: str) -> bool:
    return session_name.rpartition(".")[2] == tool or session_name == tool


def _key(message: Message) -> tuple[str, bytes]:
    """Return a key that is equal for a model's message and its copy in the next request."""
    said: list[Any] = []
    for each in message.pieces:
        if isinstance(each, ToolCall):
            said.append([each.name, each.arguments])
        elif isinstance(each, ToolResult):
            said.append([each.id, each.value])
        elif isinstance(each, Text):
            said.append(each.text.strip())
        else:
            said.append(each._asdict())
    return message.role, orjson.dumps([each for each in said if each != ""])


def _spoken(said: Said, *, markdown: bool) -> Spoken:
    drawn = turn(said.message, markdown=markdown)
    blocks = list(drawn.blocks)
    for place, run in said.tools.items():
        if place < len(blocks):
            blocks[place] = _with_run(blocks[place], run, markdown)
    drawn = dataclasses.replace(drawn, blocks=blocks)
    return Spoken(drawn, said.session_id, said.name, said.duration)


def _with_run(drawn: Block, run: ToolRun, markdown: bool) -> Block:
    """Return a tool call with its answer: the message to the model, otherwise the session's
    outputs."""
    result, size, failed = _result(run, markdown)
    session = run.session
    return dataclasses.replace(
        drawn,
        result=result,
        open=size <= _SHORT,
        failed=failed or (session is not None and session.status == "error"),
        session_id=session.session_id if session else "",
        duration=session.duration if session else None,
    )


def _result(run: ToolRun, markdown: bool) -> tuple[Sequence[Any], int, bool]:
    if run.result is not None:
        size = len(orjson.dumps(run.result.value))
        drawn = block(run.result, markdown=markdown)
        return drawn.result, size, run.result.failed
    if run.record is None:
        return (), 0, False
    if run.record.error:
        return shown({"": run.record.error}), len(run.record.error), True
    if run.record.outputs is None:
        return (), 0, False
    outputs: Mapping[str, Any] = orjson.loads(run.record.outputs)
    fields = {"": outputs["result"]} if outputs.keys() == {"result"} else outputs
    return shown(fields, markdown=markdown), len(run.record.outputs), False
