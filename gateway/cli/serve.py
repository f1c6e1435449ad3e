"""`pith serve`: run the gateway."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.errors import ConfigError
from gateway.interpreter import settle
from gateway.logs import configure
from gateway.server import drain_of, serving_of
from gateway.server import serve as run
from gateway.services import load
from gateway.settings import Config
from policies.decide import weaker


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration file (YAML).")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 takes any free one.")
@click.option("--upstream", metavar="URL", help="Where requests go, e.g. https://api.openai.com.")
@click.option("--policies", type=click.Path(path_type=Path), help="Policy file (YAML).")
@click.option("--ledger", metavar="URL", help="Where entries go, e.g. sqlite:///pith.db.")
@click.option("--scorer", help="default, frequency, or a token-classification model: folder or hub name.")
@click.option(
    "--shadow", is_flag=True, help="Compress and record, but forward every original: a cautious start."
)
def serve(
    path: Path | None,
    host: str | None,
    port: int | None,
    upstream: str | None,
    policies: Path | None,
    ledger: str | None,
    scorer: str | None,
    shadow: bool,
) -> None:
    """Run the gateway. Flags come before PITH_* variables, those before the configuration file."""
    flags = {
        "listen.host": host,
        "listen.port": port,
        "upstreams.openai.url": upstream,
        "policies": str(policies) if policies else None,
        "ledger": ledger,
        "compressor.scorer": scorer,
    }

    def read() -> Config:
        return at_most_shadow(load_config(path, os.environ, flags), shadow)

    config = read()
    check_address(config.listen.host, config.listen.port)
    configure(sys.stderr)
    app = create_app(config, load(config), lambda: read().mode)
    with starting(app) as watched:
        run(
            watched,
            config.listen.host,
            config.listen.port,
            drain=drain_of(config.drain),
            serving=serving_of(config.timeouts),
            on_ready=lambda bound: _ready(config, bound),
        )


def at_most_shadow(config: Config, is_asked: bool) -> Config:
    """With --shadow nothing is applied; a kill switch thrown in the file still goes further."""
    mode = weaker(config.mode, "shadow") if is_asked else config.mode
    return config.model_copy(update={"mode": mode})


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


def check_address(host: str, port: int) -> None:
    """Raises ConfigError where nobody could listen, before anything slow is loaded."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        remedy = (
            "stop what listens there, or choose another with --port"
            if error.errno == errno.EADDRINUSE
            else "listen.host must be an address of this machine"
        )
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}; {remedy}") from error


def _ready(config: Config, port: int) -> None:
    settle()
    targets = ", ".join(upstream.url for upstream in config.upstreams.values())
    click.echo(
        f"Pith listens on http://{config.listen.host}:{port} and forwards to {targets} (mode {config.mode})"
    )
    click.echo(f'Point a client at it: OpenAI(base_url="http://{config.listen.host}:{port}/v1")')
