"""The smallest gateway: every request relayed to one upstream, nothing decided.

Run as a program it serves until SIGTERM and prints its port, for tests that need a process of its own.
"""

from __future__ import annotations

import sys

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.client import request_body
from gateway.downstream.scope import extension_of
from gateway.headers import request_headers
from gateway.passthrough import Answer, relay
from gateway.server import make_server
from gateway.settings import DrainConfig
from gateway.tunnel import IDLE_S, WEBSOCKET, Tunnel
from gateway.types import Upstream, UpstreamRequest
from gateway.upstreams.http import HttpUpstream


def relay_app(upstream: Upstream, *, tunnel_idle_s: float = IDLE_S) -> ASGIApp:
    """An ASGI application that closes `upstream` when it ends."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                if event == "shutdown":
                    await upstream.aclose()
                await send({"type": f"lifespan.{event}.complete"})
            return
        own = extension_of(scope)
        request = UpstreamRequest(
            method=scope["method"],
            target=own.target,
            headers=request_headers(own.headers),
            body=request_body(scope, receive),
            upgrade=WEBSOCKET if own.take_over else None,
        )
        tunnel = Tunnel(own.take_over, tunnel_idle_s) if own.take_over else None
        await relay(receive, Answer(send, tunnel=tunnel), upstream, request, own.tell_leaving)

    return app


if __name__ == "__main__":
    url, drain = sys.argv[1], DrainConfig(limit_s=float(sys.argv[2]))
    app = relay_app(HttpUpstream(url, name="scripted"))
    make_server(app, "127.0.0.1", 0, drain=drain, on_ready=lambda port: print(port, flush=True)).run()
