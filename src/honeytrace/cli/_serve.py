"""`serve` and `ui`: the server over the store, and the browser on it."""

from __future__ import annotations

import threading
from typing import Annotated
from urllib.parse import quote

import typer

from ..errors import StoreError
from ._options import StorePath
from ._target import config, find, offered, opened, say_elsewhere
from ._terminal import say

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")]
RootPath = Annotated[
    str,
    typer.Option(metavar="PATH", help="Path under which a proxy serves it, such as /honeytrace."),
]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8877,
    store: StorePath = None,
    root_path: RootPath = "",
) -> None:
    """Serve the store to HoneyHive clients, OpenTelemetry exporters and browsers.

    Bearer keys come from HONEYTRACE_SERVER_KEYS, separated by commas.
    """
    from ..server import run

    keys = run.keys_from_environment()
    run.serve(_file(store), host=host, port=port, keys=keys, root_path=root_path)


def ui(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The session to open, such as @last.", autocompletion=offered
        ),
    ] = "",
    port: Port = 0,
    store: StorePath = None,
) -> None:
    """Open the viewer in the browser; Ctrl-C ends it."""
    from ..server import run

    say_elsewhere(store)
    page = "/"
    if wanted:
        with opened(store) as reader:
            page = f"/sessions/{quote(find(reader, wanted, config(store)).session_id, safe='')}"

    def ready(address: str) -> None:
        # a browser in the terminal would hold up the server
        threading.Thread(target=_browse, args=(address + page,), daemon=True).start()

    run.serve(_file(store), port=port, keys=run.keys_from_environment(), ready=ready)


def _file(store: StorePath) -> str:
    path = config(store).store
    if path == ":memory:":
        raise StoreError("HONEYTRACE_STORE=:memory: cannot be served: name a file with --store")
    return path


def _browse(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        say(f"honeytrace: no browser could be started; open {url}")
