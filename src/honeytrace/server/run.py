"""`honeytrace serve`: bind, refuse unsafe settings, recover, serve, and shut down gracefully."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence

from .. import _config
from .._durability.recovery import recover_all
from .._durability.redelivery import Redelivery
from .._record.record import Item
from ..errors import ConfigurationError
from ..sinks import Delivery
from ..sinks.store import StoreSink
from ..store import Store
from ..store.urls import file_of, open_or_replace
from ._guard import LOOPBACK
from ._http import Limits
from ._uvicorn import Server
from .app import Spans, create_app

__all__ = ["DEFAULT_PORT", "KEYS_VARIABLE", "serve"]

DEFAULT_PORT = 8877
KEYS_VARIABLE = "HONEYTRACE_SERVER_KEYS"

_PATIENCE = 2
"""Seconds that the recovery of dead processes' sessions may delay the first request."""


def serve(
    store: str | os.PathLike[str] = ".honeytrace/sessions.db",
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    keys: Sequence[str] = (),
    limits: Limits | None = None,
    root_path: str = "",
    spans: Spans = "all",
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the store at this path or URL until SIGINT or SIGTERM, then finish requests in flight.

    port: 0 picks a free port; the address is printed to standard error once it accepts requests.
    keys: bearer keys; required unless `host` is on loopback.
    root_path: the path under which a proxy serves the app, such as `/honeytrace`; the proxy may or
    may not strip the path from requests.
    spans: `"llm"` leaves out OpenTelemetry spans that are only HTTP, database or similar traffic.
    ready: called in the event loop with the URL once it accepts requests; must not block.
    Raises ConfigurationError for a host without keys or an address that cannot be bound, and
    StoreError.
    """
    keys = [key for key in keys if key]
    if not keys and not _on_loopback(host):
        raise ConfigurationError(
            f"{host} can be reached from other machines, so the server needs a key: set "
            f'{KEYS_VARIABLE} to one or more, separated by commas (such as "$(openssl rand -hex '
            '24)"), or listen on 127.0.0.1'
        )
    limits = limits or Limits()
    # On a public address, protected by keys, any name is allowed; on loopback, only local names
    # are.
    hosts = {*LOOPBACK, host} if _on_loopback(host) else None
    with _bind(host, port) as listener:
        opened, warning = open_or_replace(os.fspath(store))
        if warning:
            _say(warning)
        journal = _journal(file_of(os.fspath(store)))
        intake = _Intake(opened, journal)
        app = create_app(
            opened,
            keys=keys,
            hosts=hosts,
            limits=limits,
            root_path=root_path,
            journal=journal,
            spans=spans,
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        greeting = f"honeytrace serves {opened.where} at {address}"
        try:
            intake.start(_PATIENCE)
            Server(app, limits, greeting, lambda: ready and ready(address)).run([listener])
        finally:
            intake.stop()
            opened.close()


class _Intake:
    """Stores the sessions that dead processes left behind. A thread does so, because a large
    backlog must not delay the start."""

    def __init__(self, store: Store, journal: str) -> None:
        self._journal = journal
        self._redelivery = Redelivery(lambda: StoreSink(store))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="honeytrace-intake", daemon=True)

    def start(self, patience: float) -> None:
        """Start, and wait at most `patience` seconds for recovery to end."""
        self._thread.start()
        self._thread.join(patience)

    def stop(self) -> None:
        """Stop after the current batch; the next start continues."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            config = _config.load({})
            if config.api_key:
                # These sessions were to be sent to the API; `honeytrace recover` sends them.
                return
            if self._journal:
                recover_all(self._journal, self._deliver)
        except Exception as error:  # noqa: BLE001 - the store or the directory may fail in any way
            if not self._stopping.is_set():
                _say(f"cannot take in what dead processes left: {error}")

    def _deliver(self, batch: list[Item]) -> Delivery:
        return Delivery(batch) if self._stopping.is_set() else self._redelivery.deliver(batch)


def _journal(path: str | None) -> str:
    """Return the journal directory of processes that record into the store at `path`; None for an
    engine, which has no directory beside it."""
    if path is None:
        return ""
    config, path = _config.load({}), os.path.abspath(path)
    return (
        config.journal if path == config.store else os.path.join(os.path.dirname(path), "journal")
    )


def keys_from_environment() -> list[str]:
    """Return the keys in `HONEYTRACE_SERVER_KEYS`, separated by commas."""
    return [key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",")]


def _on_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on this address. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets whose protocol is named; without it, a reply takes 40
    # ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error}; choose another --port, or 0 for a free one"
        ) from error
    return listener


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - messages for the terminal
