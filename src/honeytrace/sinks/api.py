"""The sink of the HoneyHive API: a batch becomes requests, many at a time, and each is sent once.

A repetition is safe because sessions and events carry ids that were made here. The first request of
a process goes alone: it shows whether the key is valid and whether the server accepts batches.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from .._base.lazy import logger
from .._capture.context import current
from .._config import Config
from .._network.proxies import proxy_for
from .._record.record import Item
from . import Delivery
from ._detour import DELIVERING, Detour
from ._endpoint import Endpoint
from ._in_order import Doubtful, deliver_in_order
from ._requests import fold, requests
from ._shipment import BATCH_HEADER, Server, Shipment

if TYPE_CHECKING:
    from ._driver import Driver

__all__ = ["BATCH_HEADER", "ApiSink"]


class ApiSink:
    """Delivers to `config.server_url`, in the layout of `config.layout`.

    Raises ConfigurationError for an impossible URL or key.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        endpoint = Endpoint(config.api_key, config.server_url)
        self._server = Server(endpoint.url, config.layout, config.max_retry_after)
        self._driver = _driver(endpoint, config.concurrency)
        self._detour = Detour(endpoint.api_key, endpoint.url, config.concurrency)
        self._doubtful = Doubtful()
        self._is_direct: bool | None = None
        """True if no proxy is in use, or None before the first delivery."""

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Send the batch within `timeout` seconds. Each request is sent once.

        Raises HoneytraceError with the reason if nothing was delivered and waiting may help.
        """
        deadline = time.monotonic() + timeout
        first, later = self._doubtful.apart(batch)
        retry = batch
        try:
            fate = deliver_in_order(partial(self._deliver, deadline), first, later)
            retry = fate.retry
        finally:
            self._doubtful.settle(batch, retry)
        return fate

    def _deliver(self, deadline: float, batch: Sequence[Item]) -> Delivery:
        shipment = Shipment(self._server)
        waiting, origins = fold(batch)
        alone = 0 if self._server.proven else 1
        outer = current.get()
        current.set(DELIVERING)
        try:
            for part in (waiting[:alone], waiting[alone:]):
                self._send(shipment, part, deadline)
        finally:
            current.set(outer)
        return shipment.delivery(waiting, origins, is_late=time.monotonic() >= deadline)

    def close(self) -> None:
        """Close the connections."""
        if self._driver is not None:
            self._driver.close()
        self._detour.close()

    def _send(self, shipment: Shipment, items: Sequence[Item], deadline: float) -> None:
        server, seconds = self._server, self.config.request_timeout
        if self._is_direct is None:
            self._is_direct = proxy_for(server.url) is None
        for step in requests(items, server.layout, server.batch_path) if items else ():
            shipment.add(step)
            if self._driver is not None and self._is_direct and not server.redirects:
                shipment.leave_unusual(True)
                self._driver.run(shipment, deadline, seconds)
            shipment.leave_unusual(False)
            if not shipment.is_done:
                self._detour.run(shipment, deadline, seconds)


def _driver(endpoint: Endpoint, concurrency: int) -> Driver | None:
    """Return the driver, or None if its parser cannot be imported, as in a sub-interpreter."""
    try:
        from ._driver import Driver
    except ImportError as error:
        logger.info("honeytrace delivers by httpx, at a higher cost: %s", error)
        return None
    return Driver(endpoint, concurrency)
