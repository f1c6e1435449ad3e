"""One process that serves: the application and the admin listener beside it, on sockets that are bound.

Alone or as one of several workers; what differs is who binds the sockets, and whom it meets (`fleet`).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from compressor.placement import close
from gateway.admin.console import Console
from gateway.admin.listener import listening
from gateway.app import create_app
from gateway.fleet import Fleet
from gateway.interpreter import prepare_to_load, settle
from gateway.logs import configure
from gateway.server import Ready, make_server, serving_of
from gateway.services import Services, prepare
from gateway.settings import Config


@dataclass(frozen=True, slots=True)
class Place:
    """Where one process serves, and who it is among its like."""

    main: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    """Empty: there is no admin listener."""
    fleet: Fleet
    number: int | None = None
    """Of several workers."""


def serve(read: Callable[[], Config], place: Place, on_ready: Ready) -> None:
    """Serve until SIGINT or SIGTERM. Raises what the start raises: ConfigError, ModelError."""
    prepare_to_load()
    config = read()
    log = configure(sys.stderr, config.log.level, place.number)
    serving = serving_of(config.timeouts)

    def beside(services: Services) -> AbstractAsyncContextManager[None]:
        if not place.admin:
            return nullcontext()
        console = Console(services, place.fleet, serving.draining, log)
        return listening(console, config.admin, place.admin)

    def ready(port: int) -> None:
        settle()
        on_ready(port)

    try:
        with ExitStack() as stack:
            scorer = prepare(config)
            if scorer is not None:
                stack.callback(close, scorer)
            app = create_app(config, scorer, lambda: read().mode, beside=beside)
            watched = stack.enter_context(starting(app))
            server = make_server(watched, "", 0, drain=config.drain, serving=serving, on_ready=ready)
            server.run(list(place.main))
    finally:
        log.flush()  # before what is said of a start that failed


@contextmanager
def starting(app: ASGIApp) -> Iterator[ASGIApp]:
    """The application; a start it refuses is raised here in its own words, not as the server's exit code."""
    faults: list[Exception] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as fault:
            if scope["type"] == "lifespan":
                faults.append(fault)
            raise

    try:
        yield watched
    except SystemExit:
        if faults:
            raise faults[0] from None
        raise
