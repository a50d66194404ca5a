"""The login of browsers to a server with keys: a key is sent once, a ticket is kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .._guard import COOKIE
from .._http import RefusedError, bad_request, read_body
from .._keys import TICKET_SECONDS
from .._root_path import link
from ._page import Page, Site

__all__ = ["log_in", "log_out", "show_login"]

_FORM_BYTES = 16_000
"""Number of form fields: a key and an address. Parsing a form of megabytes would block every other
request."""

_FORM_FIELDS = 10


@dataclass(frozen=True)
class LoginPage(Page):
    """A page that asks for a key."""

    template = "login.html"
    next: str
    """The address to go on to."""
    refused: bool
    """True after an invalid key."""


def show_login(site: Site, request: Request) -> Response:
    """`GET /login`."""
    onward = _onward(request.query_params.get("next", ""))
    if not site.keys or site.keys.admit(request.cookies.get(COOKIE, "")) is not None:
        return RedirectResponse(onward, 303)
    return site.html(LoginPage("Log in", onward, refused=False))


async def log_in(site: Site, request: Request) -> Response:
    """`POST /login`, with `key` and `next`: the ticket, in a cookie that no script can read."""
    limits = dataclasses.replace(site.limits, body_bytes=_FORM_BYTES)
    body = (await read_body(request, limits)).decode(errors="replace")
    try:
        form = parse_qs(body, max_num_fields=_FORM_FIELDS)
    except ValueError:
        raise bad_request(f"the form has more than {_FORM_FIELDS} fields") from None
    key, onward = form.get("key", [""])[0].strip(), _onward(form.get("next", [""])[0])
    address = request.client.host if request.client else ""
    wait = site.attempts.wait(address)
    if wait:
        message = f"too many wrong keys from this address: try again in {wait} seconds"
        raise RefusedError(429, "too_many_attempts", message, **{"retry-after": str(wait)})
    if site.keys and site.keys.open(key) is None:
        site.attempts.failed(address)
        return site.html(LoginPage("Log in", onward, refused=True), 401)
    reply = RedirectResponse(onward, 303)
    reply.set_cookie(
        COOKIE,
        site.keys.ticket(key),
        max_age=TICKET_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return reply


async def log_out(site: Site, request: Request) -> Response:
    """`POST /logout`."""
    reply = RedirectResponse(link("/login"), 303)
    reply.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return reply


def _onward(address: str) -> str:
    """Return `address` if it is a path on this server, otherwise the front page."""
    # Browsers read a backslash as a slash, and skip control characters.
    elsewhere = address.startswith(("//", "/\\")) or not address.isprintable()
    return address if address.startswith("/") and not elsewhere else link("/")
