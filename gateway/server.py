"""How the ASGI application is served: uvicorn on uvloop, its connections our own (`downstream/`).

`Date` and `Server` are the upstream's own; nothing a client sends is believed about where it comes from. A
stop signal ends the process with 0, in the steps of `GatewayServer.shutdown`; what is cut off is cut visibly.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from gateway.downstream.connection import ClientConnection, Serving
from gateway.downstream.silence import Limits
from gateway.settings import DrainConfig, TimeoutsConfig

logger = logging.getLogger(__name__)

TICK_S = 0.05
"""How often a stopping server looks whether it may go on."""
LAST_S = 5.0
"""For cancelled requests to close their accounts."""

Ready = Callable[[int], None]
"""Called with the port once connections are accepted."""


class GatewayServer(uvicorn.Server):
    """uvicorn's server, telling when it is ready, limiting silence, and ending with 0 when asked to stop."""

    def __init__(
        self, config: uvicorn.Config, serving: Serving, drain: DrainConfig, on_ready: Ready | None = None
    ) -> None:
        super().__init__(config)
        self._serving = serving
        self._drain = drain
        self._on_ready = on_ready
        self._is_hurried = False
        self._looking: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._looking = asyncio.create_task(self._look(), name="looking for silent clients")
        if self.started and self._on_ready is not None:
            self._on_ready(self.port)

    @property
    def port(self) -> int:
        """The port in use, also when port 0 asked for any."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal stops; a second one no longer waits."""
        self._is_hurried = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, still serving; take no more; let answers end; cut the rest; close what the app opened."""
        logger.info("stopping")
        self._serving.draining.is_on = True
        await self._until(lambda: False, self._drain.announce_s)
        for listener in [*self.servers, *(sockets or ())]:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._until(self._is_idle, self._drain.limit_s)
        await self._cut()
        await self.lifespan.shutdown()
        if self._looking is not None:
            self._looking.cancel()

    async def _until(self, holds: Callable[[], bool], limit_s: float) -> None:
        """Wait, but not in a hurry."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        # What is awaited has no event: signal handlers can set none.
        while not (holds() or self._is_hurried or loop.time() >= deadline):  # noqa: ASYNC110
            await asyncio.sleep(TICK_S)

    def _is_idle(self) -> bool:
        return not (self.server_state.tasks or self.server_state.connections)

    async def _cut(self) -> None:
        """Cancel what is left: an answer then ends without its end, and is on record as incomplete."""
        if tasks := set(self.server_state.tasks):
            logger.warning("cutting off %d requests that did not end in time", len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=LAST_S)
        for connection in cast(set[ClientConnection], set(self.server_state.connections)):
            connection.abort()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._serving.limits.look_s)
            for connection in cast(set[ClientConnection], set(self.server_state.connections)):
                connection.look(loop.time())

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


def serving_of(timeouts: TimeoutsConfig) -> Serving:
    """What the configuration says of the clients' side."""
    return Serving(Limits(timeouts.header_read_s, timeouts.body_read_s, timeouts.write_stall_s))


def make_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    drain: DrainConfig | None = None,
    serving: Serving | None = None,
    on_ready: Ready | None = None,
) -> GatewayServer:
    """A server ready to `serve()`; setting `should_exit` stops it as a signal does."""
    serving = serving or Serving()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=cast(Any, functools.partial(ClientConnection, serving=serving)),  # called as the class would be
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        root_path="",
    )
    logging.getLogger("uvicorn.error").addFilter(is_news)
    return GatewayServer(config, serving, drain or DrainConfig(), on_ready)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's tells something: of a failed start not the trace, who started says why."""
    return not str(record.msg).startswith("Traceback (most recent call last):")
