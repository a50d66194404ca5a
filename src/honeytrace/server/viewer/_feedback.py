"""Feedback of a person on a session, given on its page."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..._record.record import Update
from .._http import bad_request, read_body
from ._page import Site, session_url
from ._session import find

__all__ = ["give_feedback"]

_LONGEST = 10_000


async def give_feedback(site: Site, request: Request) -> Response:
    """`POST /sessions/{session_id}`, with `rating` (1 to 5), `comment` or both, which replace
    earlier values. Guard ensures that the request comes from the viewer's own pages."""
    body = await read_body(request, site.limits)
    form = {name: value[0] for name, value in parse_qs(body.decode(errors="replace")).items()}
    said = _said(form.get("rating", ""), form.get("comment", "").strip())

    def save() -> str:
        session = find(site, request)
        update = Update(session.session_id, {"feedback": orjson.dumps(said)})
        site.store.update([update])
        return session.session_id

    return RedirectResponse(session_url(await run_in_threadpool(save)), 303)


def _said(rating: str, comment: str) -> dict[str, Any]:
    if rating not in ("", "1", "2", "3", "4", "5"):
        raise bad_request("a rating is a number from 1 to 5")
    if len(comment) > _LONGEST:
        raise bad_request(f"a comment has at most {_LONGEST} characters")
    said: dict[str, Any] = {"rating": int(rating)} if rating else {}
    if comment:
        said["comment"] = comment
    if not said:
        raise bad_request("choose a rating, or write a comment")
    return said
