"""Runs in groups: those that belong to one conversation, or to one user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..._record.record import RESERVED, Record
from ...store._spending import user_in
from .._http import RefusedError
from ._filters import Filters
from ._page import Page, Site
from ._rows import Row

__all__ = ["Conversation", "ConversationsPage", "conversation_of", "show_conversations"]

_NEWEST = 1_000
"""Number of runs that are grouped, which takes a tenth of a second."""

_GROUPS = 100
"""Number of groups on the page."""

_RUNS = 10
"""Number of runs that are listed per group."""

_NAMES = ("conversation_id", "thread_id", "chat_id", "gen_ai.conversation.id", "session.id",
          "conversation", "thread")  # fmt: skip
"""Names in metadata or inputs under which programs and conventions keep a conversation's id."""


@dataclass(frozen=True)
class Conversation:
    """The runs of one conversation or user, oldest first."""

    name: str
    users: Sequence[str]
    runs: Sequence[Row]
    count: int
    failed: int
    first: float
    last: float
    """Epoch milliseconds."""


@dataclass(frozen=True)
class ConversationsPage(Page):
    """Groups of runs, the latest first."""

    template = "conversations.html"
    nav = "conversations"
    filters: Filters
    by: str
    divisions: Sequence[tuple[str, str]]
    """The possible groupings, each with its address."""
    groups: Sequence[Conversation]
    more: int
    single: int
    """Number of runs that belong to no group."""
    read: int
    """Number of runs that were read, the newest ones."""
    problem: str


def show_conversations(site: Site, request: Request) -> Response:
    """`GET /conversations`, with the parameters of the list, and `by=user` for groups by user."""
    filters = Filters.read(request.query_params).known
    by = "user" if filters.by == "user" else "conversation"
    problem = ""
    try:
        query = filters.query()
    except RefusedError as refusal:
        problem = str(refusal)
        query = Filters().query()
    records = site.reader.list(query._replace(limit=_NEWEST, roots_only=True, before=None))
    groups: dict[str, list[Record]] = {}
    single = 0
    for record in records:
        name = _user(record) if by == "user" else conversation_of(record)
        if name:
            groups.setdefault(name, []).append(record)
        else:
            single += 1
    page = ConversationsPage(
        title="Conversations",
        filters=filters,
        by=by,
        divisions=[
            ("conversation", filters.url("/conversations", by="")),
            ("user", filters.url("/conversations", by="user")),
        ],
        groups=[_group(name, found) for name, found in list(groups.items())[:_GROUPS]],
        more=max(0, len(groups) - _GROUPS),
        single=single,
        read=len(records),
        problem=problem,
    )
    return site.html(page, 400 if problem else 200)


def conversation_of(record: Record) -> str:
    """Return the conversation id of a run; empty if the run names none."""
    for data in (record.metadata, record.inputs):
        if data is None or not any(name.encode() in data for name in _NAMES):
            continue
        found: Mapping[str, Any] = orjson.loads(data)
        for name in _NAMES:
            value = found.get(name)
            if name != RESERVED and isinstance(value, (str, int)) and value != "":
                return str(value)[:200]
    return ""


def _user(record: Record) -> str:
    return user_in(record.user_properties) if record.user_properties else ""


def _group(name: str, found: Sequence[Record]) -> Conversation:
    starts = [record.start_time for record in found]
    return Conversation(
        name=name,
        users=sorted({_user(record) for record in found} - {""})[:3],
        runs=[Row.of(record) for record in reversed(found[:_RUNS])],
        count=len(found),
        failed=sum(record.status == "error" for record in found),
        first=min(starts),
        last=max(starts),
    )
