"""`serve` and `ui`: the server over the store, and the browser on it."""

from __future__ import annotations

import threading
from typing import Literal
from urllib.parse import quote

import click

from ..errors import StoreError
from . import _options
from ._target import config, find, offered, opened, say_elsewhere
from ._terminal import say


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise click.BadParameter(f"{text!r} is not a port: write a number from 0 to 65535")
    return int(text)


@click.command()
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", metavar="N", type=_port, default="8877", help="Port; 0 takes a free one.")
@_options.store
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    help="Path under which a proxy serves it, such as /honeytrace.",
)
@click.option(
    "--spans",
    type=click.Choice(["all", "llm"]),
    metavar="all|llm",
    default="all",
    help="llm leaves out HTTP, database and similar spans.",
)
def serve(
    host: str, port: int, store: str | None, root_path: str, spans: Literal["all", "llm"]
) -> None:
    """Serve the store to HoneyHive clients, OpenTelemetry exporters and browsers.

    Bearer keys come from HONEYTRACE_SERVER_KEYS, separated by commas.
    """
    from ..server import run

    keys = run.keys_from_environment()
    run.serve(_file(store), host=host, port=port, keys=keys, root_path=root_path, spans=spans)


@click.command()
@click.argument("wanted", metavar="[ID]", default="", shell_complete=offered)
@click.option("--port", metavar="N", type=_port, default="0", help="Port; 0 takes a free one.")
@_options.store
def ui(wanted: str, port: int, store: str | None) -> None:
    """Open the viewer in the browser; Ctrl-C ends it."""
    page = "/"
    if wanted:
        with opened(store) as reader:
            page = session_page(find(reader, wanted, config(store)).session_id)
    open_viewer(store, page, port)


def session_page(session_id: str) -> str:
    """Return the address of a session's page below the viewer's."""
    return f"/sessions/{quote(session_id, safe='')}"


def open_viewer(store: str | None, page: str, port: int = 0) -> None:
    """Serve the store on a free port and open this page in the browser, until Ctrl-C."""
    from ..server import run

    say_elsewhere(store)

    def ready(address: str) -> None:
        # a browser in the terminal would hold up the server
        threading.Thread(target=_browse, args=(address + page,), daemon=True).start()

    run.serve(_file(store), port=port, keys=run.keys_from_environment(), ready=ready)


def _file(store: str | None) -> str:
    path = config(store).store
    if path == ":memory:":
        raise StoreError("HONEYTRACE_STORE=:memory: cannot be served: name a file with --store")
    return path


def _browse(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        say(f"honeytrace: no browser could be started; open {url}")
