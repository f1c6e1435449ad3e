"""How the ASGI application is served: uvicorn on httptools and uvloop, adding nothing to what passes through.

`Date` and `Server` are the upstream's own; nothing a client sends is believed about where it comes from. The
stop signals end the process with 0 after running answers had `drain_s` seconds to finish; what is cut off
then is cut visibly.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE_S = 75
"""Longer than a load balancer's usual 60 s: it should be the one to close idle connections."""

Ready = Callable[[int], None]
"""Called with the port once connections are accepted."""


class GatewayServer(uvicorn.Server):
    """uvicorn's server, telling when it is ready and ending with 0 when asked to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Ready | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(self.port)

    @property
    def port(self) -> int:
        """The port in use, also when port 0 asked for any."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, which would end by killing the process with the signal it was stopped by."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        stops = (signal.SIGINT, signal.SIGTERM)
        before = {stop: signal.signal(stop, self.handle_exit) for stop in stops}
        try:
            yield
        finally:
            for stop, handler in before.items():
                signal.signal(stop, handler)


class RawTargetProtocol(HttpToolsProtocol):
    """Adds the request target as spelled to the scope: ASGI loses the `?` of an empty query."""

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {"pith": {"target": self.url}}
        super().on_headers_complete()


def make_server(
    app: ASGIApp, host: str, port: int, *, drain_s: int = 30, on_ready: Ready | None = None
) -> GatewayServer:
    """A server ready to `serve()`; setting `should_exit` stops it as a signal does."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=RawTargetProtocol,
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        root_path="",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s,
    )
    logging.getLogger("uvicorn.error").addFilter(is_news)
    return GatewayServer(config, on_ready)


def serve(app: ASGIApp, host: str, port: int, *, drain_s: int = 30, on_ready: Ready | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    make_server(app, host, port, drain_s=drain_s, on_ready=on_ready).run()


_NO_NEWS = (
    "ASGI callable returned without completing response.",  # a connection broken on purpose
    "No supported WebSocket library detected.",  # advice that would not help: upgrades are not served
    "Traceback (most recent call last):",  # of a start that failed: whoever started the server says why
)


def settle() -> None:
    """Take what has been loaded by now, and stays, out of garbage collection.

    A full collection walks over all of it: 71,000 objects, 24 ms in which nothing else runs; with torch more.
    """
    gc.collect()
    gc.freeze()


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's tells something."""
    if str(record.msg).startswith(_NO_NEWS):
        return False
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)
