"""The smallest gateway: every request relayed to one upstream, nothing decided.

Run as a program it serves until SIGTERM and prints its port, for tests that need a process of its own.
"""

from __future__ import annotations

import sys

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.client import raw_target, request_body
from gateway.headers import request_headers
from gateway.passthrough import relay
from gateway.server import serve
from gateway.types import Upstream, UpstreamRequest
from gateway.upstreams.http import HttpUpstream


def relay_app(upstream: Upstream) -> ASGIApp:
    """An ASGI application that closes `upstream` when it ends."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                if event == "shutdown":
                    await upstream.aclose()
                await send({"type": f"lifespan.{event}.complete"})
            return
        request = UpstreamRequest(
            method=scope["method"],
            target=raw_target(scope),
            headers=request_headers(scope["headers"]),
            body=request_body(scope, receive),
        )
        await relay(receive, send, upstream, request)

    return app


if __name__ == "__main__":
    url, drain_s = sys.argv[1], int(sys.argv[2])
    app = relay_app(HttpUpstream(url, name="scripted"))
    serve(app, "127.0.0.1", 0, drain_s=drain_s, on_ready=lambda port: print(port, flush=True))
