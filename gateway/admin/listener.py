"""The admin listener beside the main port: same process, same event loop, sockets of its own.

The loop is shared because what its pages are about lives there. It cannot starve the data path: its requests
are few and small, and what takes longer than a millisecond (a page of metrics, a query) runs in a thread.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from gateway.admin.console import Console
from gateway.admin.guard import Guard
from gateway.admin.routes import create_app
from gateway.admin.settings import AdminConfig
from gateway.server import make_server
from gateway.services import tell_end
from gateway.settings import DrainConfig

DRAIN: Final = DrainConfig(announce_s=0.0, limit_s=1.0)


@asynccontextmanager
async def listening(
    console: Console, config: AdminConfig, sockets: Sequence[socket.socket]
) -> AsyncIterator[None]:
    """Serve on bound sockets until the block ends."""
    address = config.address
    assert address is not None, "whoever binds sockets for it has seen that it is on"
    server = make_server(create_app(console, Guard(config.token, address.host)), "", 0, drain=DRAIN)
    server.config.lifespan = "off"  # the main application's is the one
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    async with AsyncExitStack() as stack:
        await server.startup(list(sockets))
        stack.push_async_callback(server.shutdown, list(sockets))
        for name, work in (("workers", console.keep_in_touch()), ("loop", console.measure_lag())):
            task = asyncio.create_task(work, name=f"watch of {name}")
            task.add_done_callback(partial(tell_end, console.services.metrics, name))
            stack.callback(task.cancel)
        yield
